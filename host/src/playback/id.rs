//! The id of a node in what crossed its console: names of files and exports begin with it (`tftp 0x82000000
//! 176732304500/zImage`), and each run has another.

use super::script::Turn;

/// Digits of an id: the second in which the run began, and two for the node.
const DIGITS: usize = 12;

/// Where `text` has an id: twelve digits alone.
pub(super) fn find(text: &[u8]) -> Option<usize> {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    (0..text.len().saturating_sub(DIGITS - 1)).find(|&at| {
        let follows_digit = at > 0 && is_digit(at - 1);
        !follows_digit && !is_digit(at + DIGITS) && (at..at + DIGITS).all(is_digit)
    })
}

/// Whether `typed`, as far as it has come, is what was recorded, but for an id.
pub(super) fn is_begin(typed: &[u8], recorded: &[u8]) -> bool {
    let id = find(recorded).map(|at| at..at + DIGITS);
    typed.len() <= recorded.len()
        && typed.iter().zip(recorded).enumerate().all(|(at, (typed, recorded))| {
            let is_of_id = id.as_ref().is_some_and(|id| id.contains(&at));
            typed == recorded || (is_of_id && typed.is_ascii_digit())
        })
}

/// The id of the recording and the one that came instead, if `typed` has another.
pub(super) fn exchange(typed: &[u8], recorded: &[u8]) -> Option<Exchange> {
    let at = find(recorded)?;
    let (old, new) = (recorded.get(at..at + DIGITS)?, typed.get(at..at + DIGITS)?);
    (old != new).then(|| Exchange { old: old.to_vec(), new: new.to_vec() })
}

/// An id in another's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Exchange {
    /// Puts the new one into all that is said in `turns`, also where it is said in pieces.
    pub(super) fn apply(&self, turns: &mut [Turn]) {
        for turns in turns.split_mut(|turn| matches!(turn, Turn::Typed(_))) {
            let mut all: Vec<u8> = turns.iter().flat_map(|turn| turn.bytes().to_vec()).collect();
            let mut at = 0;
            while let Some(found) =
                all.get(at..).and_then(|rest| rest.windows(DIGITS).position(|id| id == self.old))
            {
                at += found;
                if let Some(id) = all.get_mut(at..at + DIGITS) {
                    id.copy_from_slice(&self.new);
                }
            }
            let mut rest = all.as_slice();
            for turn in turns {
                let bytes = turn.bytes_mut();
                let (piece, others) = rest.split_at(bytes.len());
                bytes.copy_from_slice(piece);
                rest = others;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn said(text: &str) -> Turn {
        Turn::Said { after: Duration::ZERO, bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn an_id_is_twelve_digits_alone() {
        assert_eq!(find(b"tftp 0x82000000 176732304500/zImage"), Some(16));
        for text in ["176732304500", "x176732304500 1767323045001"] {
            assert_eq!(find(text.as_bytes()), Some(text.find('1').unwrap()), "{text}");
        }
        for text in ["", "17673230450", "1767323045001", "17673230450x0"] {
            assert_eq!(find(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn another_id_is_no_other_text() {
        let recorded = b"tftp 176732304500/zImage\n";
        let typed = b"tftp 188888888800/zImage\n";
        for length in 0..=typed.len() {
            assert!(is_begin(&typed[..length], recorded));
        }
        for other in [&b"tftp 188888888x"[..], b"tftp 188888888800/dtb", b"tftp 176732304500/zImage\n "] {
            assert!(!is_begin(other, recorded), "{}", other.escape_ascii());
        }
        assert_eq!(exchange(recorded, recorded), None);
    }

    #[test]
    fn what_is_said_has_the_other_id_also_in_pieces() {
        let exchange = exchange(b"get 188888888800", b"get 176732304500").unwrap();
        let typed = Turn::Typed(b"get 176732304500".to_vec());
        let mut turns =
            [said("176732304500 1767"), said("32304"), said("500."), typed.clone(), said("500 176732304500")];
        exchange.apply(&mut turns);
        let expected =
            [said("188888888800 1888"), said("88888"), said("800."), typed, said("500 188888888800")];
        assert_eq!(turns, expected);
    }
}
