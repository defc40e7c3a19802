//! NUL-terminated text in a buffer of fixed size, for paths and environment entries.

use core::ffi::CStr;

use heapless::Vec;

use crate::runtime;

/// At most `N - 1` bytes of text and a NUL.
#[derive(Clone, Debug)]
pub(crate) struct CText<const N: usize>(Vec<u8, N>);

impl<const N: usize> CText<N> {
    /// Joins pieces of text; none if they are too long together or hold a NUL.
    pub(crate) fn join(pieces: &[&[u8]]) -> Option<Self> {
        let mut text = Vec::new();
        for piece in pieces {
            if piece.contains(&0) {
                return None;
            }
            text.extend_from_slice(piece).ok()?;
        }
        text.push(0).ok()?;
        Some(Self(text))
    }

    /// Returns the text as system calls want it.
    pub(crate) fn as_c_str(&self) -> &CStr {
        runtime::c_str(&self.0)
    }

    /// Returns the text without its NUL; empty if it is not UTF-8.
    pub(crate) fn as_str(&self) -> &str {
        self.as_c_str().to_str().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_does_not_fit_or_holds_a_nul_is_refused() {
        assert_eq!(CText::<8>::join(&[b"/bin", b"/sh"]).expect("fits").as_str(), "/bin/sh");
        assert!(CText::<7>::join(&[b"/bin", b"/sh"]).is_none());
        assert!(CText::<8>::join(&[b"a\0b"]).is_none());
    }
}
