//! Whether a signal is the print of one that a shell has just shown.
//!
//! ```text
//! + echo first                        + echo 'first            checking + echo 'SIGNAL'
//! SIGNAL                              SIGNAL                   SIGNAL
//! third                               third'
//! first                               first
//! SIGNAL                              SIGNAL
//! third                               third
//! dash                                bash, busybox            behind a line without an end
//! ```
//!
//! A command of several lines looks like output from its second line on. What tells the two apart is that the print repeats
//! the command from the begin of a word.

use std::ops::Range;

/// Text that is looked back at, in bytes.
const MAX_TEXT: usize = 4096;

/// Signals that are looked back at.
const MAX_SIGNALS: usize = 16;

/// The text that came lately, and the signals in it.
#[derive(Debug, Default)]
pub(super) struct Prints {
    /// Without what shells quote with, and without carriage returns.
    text: Vec<u8>,
    /// Where the signals in it are that may have been shown.
    signals: Vec<Range<usize>>,
    /// Where one has begun.
    begun: Option<usize>,
}

impl Prints {
    /// Takes the next byte.
    pub(super) fn push(&mut self, byte: u8) {
        if matches!(byte, b'\'' | b'"' | b'\\' | b'\r') {
            return;
        }
        if self.text.len() == MAX_TEXT {
            *self = Self::default();
        }
        self.text.push(byte);
    }

    /// The last `length` bytes that were pushed began a signal.
    pub(super) fn begin(&mut self, length: usize) {
        self.begun = self.text.len().checked_sub(length);
    }

    /// The byte that was pushed last ended a signal: whether that is the print of one that has counted.
    pub(super) fn is_print(&mut self) -> bool {
        let Some(begun) = self.begun.take() else { return false };
        // A line's end is behind a signal that was cut.
        let end = self.text.len() - usize::from(self.text.ends_with(b"\n"));
        let (before, signal) = self.text[..end].split_at(begun);
        let shown = self.signals.iter().position(|shown| {
            before.get(shown.clone()) == Some(signal) && repeats(&before[..shown.start], &before[shown.end..])
        });
        if let Some(index) = shown {
            self.signals.remove(index);
            return true;
        }
        if self.signals.len() == MAX_SIGNALS {
            self.signals.remove(0);
        }
        self.signals.push(begun..end);
        false
    }
}

/// Whether `between` ends with lines that stand in `shown` too: there from a word of a command on, which `+ ` begins.
fn repeats(shown: &[u8], between: &[u8]) -> bool {
    let common = shown.iter().rev().zip(between.iter().rev()).take_while(|(a, b)| a == b).count();
    // In front of the word is a blank, and in front of the lines a line's end: what is common begins there.
    let command = &shown[..shown.len() - common];
    // Shells write word by word: those of a pipeline write into each other's lines.
    let mut lines = command.rsplit(|&byte| byte == b'\n').take(2);
    matches!(command.last(), Some(b' ' | b'='))
        && lines.any(|line| line.windows(2).any(|pair| pair == b"+ "))
        && between[..between.len() - common].ends_with(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut prints = Prints::default();
        for _ in 0..1_000 {
            for &byte in b"+ a <x>" {
                prints.push(byte);
                if byte == b'<' {
                    prints.begin(1);
                }
            }
            prints.is_print();
            assert!(prints.text.len() <= MAX_TEXT && prints.signals.len() <= MAX_SIGNALS);
        }
        assert_eq!(prints.signals.len(), MAX_SIGNALS);
    }

    #[test]
    fn a_print_repeats_a_command_from_a_word_on() {
        assert!(repeats(b"+ echo ", b"\n"));
        assert!(repeats(b"x\na + echo b\nc", b"...\nb\nc"));
        assert!(repeats(b"+ X=b\n", b"\nb\n"));
        assert!(repeats(b"+ + cat\necho ", b"\n"));
        assert!(!repeats(b"+ cat\n1\n2 ", b"\n"));
        assert!(!repeats(b"+ echo ab\n", b"\nb\n"));
        assert!(!repeats(b"echo b\n", b"\nb\n"));
        assert!(!repeats(b"+ echo b\n", b"\n+ echo b\n"));
        assert!(!repeats(b"+ echo ", b""));
        assert!(!repeats(b"", b"\n"));
    }
}
