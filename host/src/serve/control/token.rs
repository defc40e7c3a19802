//! The token of those who may change something.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Fewest characters of a token in a file.
const SHORTEST: usize = 16;
/// Most of them.
const LONGEST: u64 = 1024;

/// A token. Kept as its digest: comparing digests tells nothing of how much of a guess was right.
#[derive(Debug)]
pub struct Token([u8; 32]);

/// Why a file has no token.
#[derive(Debug, Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("cannot be read")]
    Read(#[from] io::Error),
    /// Somebody else may read it.
    #[error("others than its owner may read it (mode {mode:04o}): `chmod 600` it")]
    Open {
        /// Its permissions.
        mode: u32,
    },
    /// It is too short, too long, or not one word of visible characters.
    #[error("a token is one word of {SHORTEST} to {LONGEST} visible ASCII characters, alone in its file")]
    NoToken,
}

impl Token {
    /// A new one that nobody can guess, and its text.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn random() -> io::Result<(Self, String)> {
        let mut bytes = [0; 16];
        getrandom(&mut bytes, GetRandomFlags::empty())?;
        let text = format!("{:032x}", u128::from_ne_bytes(bytes));
        Ok((Self::of(&text), text))
    }

    /// The one in the file at `path`, which nobody but its owner may read.
    ///
    /// # Errors
    /// Where there is none.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let file = File::open(path)?;
        let mode = file.metadata()?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(TokenFileError::Open { mode });
        }
        let mut text = String::new();
        file.take(LONGEST + 2).read_to_string(&mut text)?;
        let word = text.trim_ascii();
        let fits = (SHORTEST as u64..=LONGEST).contains(&(word.len() as u64));
        match fits && word.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self::of(word)),
            false => Err(TokenFileError::NoToken),
        }
    }

    fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Whether a request has it: `Authorization: Bearer TOKEN` (RFC 6750, section 2.1).
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (all.next(), all.next()) else { return false };
        let Some((scheme, text)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && Self::of(text.trim_ascii()).0 == self.0
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let (token, text) = Token::random().unwrap();
        let has = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            token.is_in(&headers)
        };
        assert!(has(&[&format!("Bearer {text}")]) && has(&[&format!("bearer  {text}")]));
        let right = format!("Bearer {text}");
        for wrong in [
            &["Bearer "][..],
            &["Bearer"],
            &[],
            &[&text],
            &[&format!("Basic {text}")],
            &[&right[..right.len() - 1]],
            &[&right, &right],
        ] {
            assert!(!has(wrong), "{wrong:?}");
        }
        assert_ne!(Token::random().unwrap().1, text);
    }

    #[test]
    fn a_token_file_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let read = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Token::read(&path)
        };
        assert!(read("0123456789abcdef\n", 0o600).is_ok());
        assert!(matches!(read("0123456789abcdef", 0o640), Err(TokenFileError::Open { mode: 0o640 })));
        for text in ["", "0123456789abcde", "0123456789 abcdef", "0123456789abcdef\n0", &"a".repeat(2000)] {
            assert!(matches!(read(text, 0o600), Err(TokenFileError::NoToken)), "{text}");
        }
        assert!(matches!(Token::read(&directory.path().join("none")), Err(TokenFileError::Read(_))));
    }
}
