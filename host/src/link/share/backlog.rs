//! The end of what a console said, for those who watch it.

use std::collections::VecDeque;

/// Bytes that are kept.
const KEPT: usize = 256 << 10;

/// Most bytes that a watcher is given at once.
const PIECE: usize = 16 << 10;

/// The last bytes of a console, counted from its first.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: VecDeque<u8>,
    /// How many bytes came so far.
    end: u64,
}

/// A part of what a console said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Bytes before it that are not kept any more.
    pub(super) missed: u64,
    pub(super) bytes: Vec<u8>,
    /// Where it ends.
    pub(super) end: u64,
}

impl Backlog {
    /// Adds what came; how many bytes came so far.
    pub(super) fn push(&mut self, bytes: &[u8]) -> u64 {
        let kept = bytes.get(bytes.len().saturating_sub(KEPT)..).unwrap_or_default();
        let too_many = (self.bytes.len() + kept.len()).saturating_sub(KEPT);
        self.bytes.drain(..too_many);
        self.bytes.extend(kept);
        self.end += bytes.len() as u64;
        self.end
    }

    /// How many bytes came so far.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// What came after the first `at` bytes, or a part of it.
    pub(super) fn since(&self, at: u64) -> Piece {
        let start = self.end - self.bytes.len() as u64;
        let missed = start.saturating_sub(at);
        let from = at.max(start);
        // What is left is kept, and that is not more than memory has.
        let skipped = usize::try_from(from - start).unwrap_or(usize::MAX).min(self.bytes.len());
        let bytes: Vec<u8> = self.bytes.iter().skip(skipped).take(PIECE).copied().collect();
        let end = from + bytes.len() as u64;
        Piece { missed, bytes, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_in_pieces_and_what_is_not_is_counted() {
        let mut backlog = Backlog::default();
        assert_eq!(backlog.since(0), Piece { missed: 0, bytes: Vec::new(), end: 0 });
        assert_eq!(backlog.push(b"U-Boot"), 6);
        assert_eq!(backlog.since(2), Piece { missed: 0, bytes: b"Boot".to_vec(), end: 6 });
        let more = vec![b'.'; KEPT - 2];
        assert_eq!(backlog.push(&more), 6 + more.len() as u64);
        let piece = backlog.since(2);
        assert_eq!((piece.missed, piece.bytes.len(), piece.end), (2, PIECE, 4 + PIECE as u64));
        assert!(piece.bytes.starts_with(b"ot.."));
        let (mut at, mut count) = (piece.end, piece.bytes.len());
        while at < backlog.end() {
            let piece = backlog.since(at);
            assert_eq!(piece.missed, 0);
            (at, count) = (piece.end, count + piece.bytes.len());
        }
        assert_eq!(count, KEPT);
    }

    #[test]
    fn more_than_is_kept_in_one_piece_leaves_its_end() {
        let mut backlog = Backlog::default();
        backlog.push(&[&vec![b'a'; KEPT][..], b"end"].concat());
        assert_eq!(backlog.since(0).missed, 3);
        assert_eq!(backlog.since(backlog.end() - 4).bytes, b"aend");
    }
}
