//! A bounded window of what a board said lately, without its escape sequences, in which prompts are searched.

mod escape;

pub(super) use escape::EscapeFilter;

use regex::bytes::Regex;

use super::Noise;
use crate::text::{WithoutDamagedFrames, printable, tail};

/// Text that is kept, in bytes; twice as much just before the older half is dropped.
const KEPT: usize = 8192;
/// Lines and bytes of [`Scan::tail`].
const TAIL_LINES: usize = 12;
const TAIL_BYTES: usize = 2048;

/// Recent output of a board, and a mark up to which it is dealt with.
///
/// Escape sequences (CSI, OSC, …) are taken out, wherever reads split them. Memory is bounded: text that was not
/// consumed after some kilobytes is dropped from the front.
#[derive(Debug, Default)]
pub struct Scan {
    escapes: EscapeFilter,
    text: Vec<u8>,
    mark: usize,
    noise: Noise,
}

/// Where a prompt is in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptPlace {
    /// Alone.
    OwnLine,
    /// With text before it: of a command that has not ended its last line, or that prints the like of a prompt.
    BehindText,
}

impl Scan {
    /// Adds what the board sent.
    pub fn push(&mut self, bytes: &[u8]) {
        self.noise.push(bytes);
        self.escapes.push(bytes, &mut self.text);
        if self.text.len() > 2 * KEPT {
            let dropped = self.text.len() - KEPT;
            self.text.drain(..dropped);
            self.mark = self.mark.saturating_sub(dropped);
        }
    }

    /// What came since the mark.
    pub fn pending(&self) -> &[u8] {
        self.text.get(self.mark..).unwrap_or_default()
    }

    /// The complete lines since the mark.
    pub fn pending_lines(&self) -> &[u8] {
        let pending = self.pending();
        let end = pending.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        pending.get(..end).unwrap_or_default()
    }

    /// Moves the mark behind all that came.
    pub fn consume(&mut self) {
        self.mark = self.text.len();
    }

    /// Moves the mark behind the next `count` bytes.
    pub fn advance(&mut self, count: usize) {
        self.mark = (self.mark + count).min(self.text.len());
    }

    /// Searches what came since the mark; moves the mark behind a match and returns its text.
    pub fn find(&mut self, pattern: &Regex) -> Option<String> {
        let found = pattern.find(self.pending())?;
        let (text, end) = (String::from_utf8_lossy(found.as_bytes()).into_owned(), found.end());
        self.advance(end);
        Some(text)
    }

    /// Whether the board's last, unfinished line ends in `prompt` with nothing but blanks behind; consumes it.
    pub fn at_prompt(&mut self, prompt: &Regex) -> bool {
        let found = self.prompt_at_end(prompt).is_some();
        if found {
            self.consume();
        }
        found
    }

    /// Where in the board's last, unfinished line the `prompt` is that it ends in.
    pub fn prompt_at_end(&self, prompt: &Regex) -> Option<PromptPlace> {
        let pending = self.pending();
        let start = pending.iter().rposition(|&byte| matches!(byte, b'\n' | b'\r')).map_or(0, |end| end + 1);
        let line = pending.get(start..).unwrap_or_default();
        let found = prompt.find_iter(line).last()?;
        let (before, behind) = (line.get(..found.start())?, line.get(found.end()..)?);
        let place =
            if before.trim_ascii().is_empty() { PromptPlace::OwnLine } else { PromptPlace::BehindText };
        behind.trim_ascii().is_empty().then_some(place)
    }

    /// The last lines of what the board said, printable, for error messages.
    pub fn tail(&self) -> String {
        // Noise has the bytes of frames, too, and no agent has sent them.
        let text = if self.is_garbage() { self.text.clone() } else { self.text_without_frames() };
        let text = tail(&text, TAIL_BYTES);
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.chars().map(printable).collect::<String>().trim_end().to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    fn text_without_frames(&self) -> Vec<u8> {
        let (mut frames, mut text) = (WithoutDamagedFrames::default(), Vec::new());
        frames.push(&self.text, &mut text);
        frames.end(&mut text);
        text
    }

    /// Whether what came lately is mostly not text, as it looks with a wrong baud rate.
    pub fn is_garbage(&self) -> bool {
        self.noise.percent().is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn regex(pattern: &str) -> Regex {
        Regex::new(pattern).unwrap()
    }

    #[test]
    fn a_prompt_is_found_through_escape_sequences_and_any_split() {
        let said = b"\x1b[?2004h\x1b]0;root@debian: ~\x07root@\x1b[01;32mdebian\x1b[0m:~# ";
        for split in 0..said.len() {
            let mut scan = Scan::default();
            scan.push(&said[..split]);
            scan.push(&said[split..]);
            assert_eq!(
                scan.find(&regex("root@debian:")).as_deref(),
                Some("root@debian:"),
                "split at {split}"
            );
        }
    }

    #[test]
    fn what_was_found_is_not_found_again() {
        let mut scan = Scan::default();
        scan.push(b"=> => ");
        assert!(scan.find(&regex("=> ")).is_some());
        assert!(scan.find(&regex("=> ")).is_some());
        assert!(scan.find(&regex("=> ")).is_none());
    }

    #[test]
    fn a_prompt_must_end_the_output() {
        let mut scan = Scan::default();
        scan.push(b"boot => now");
        assert!(!scan.at_prompt(&regex("=> ?")));
        scan.push(b" =>");
        assert_eq!(scan.prompt_at_end(&regex("=> ?")), Some(PromptPlace::BehindText));
        scan.push(b"\r\n=> ");
        assert_eq!(scan.prompt_at_end(&regex("=> ?")), Some(PromptPlace::OwnLine));
        assert!(scan.at_prompt(&regex("=> ?")));
    }

    #[test]
    fn the_tail_is_printable_and_short() {
        let mut scan = Scan::default();
        for line in 0..100 {
            scan.push(format!("line {line}\x02\r\n\r\n").as_bytes());
        }
        let tail = scan.tail();
        assert_eq!(tail.lines().count(), 12);
        assert!(tail.ends_with("line 99."), "{tail}");
    }

    #[test]
    fn the_tail_has_no_part_of_a_frame_and_says_where_it_was_cut() {
        let mut scan = Scan::default();
        scan.push(b"a\n\x1etoken=s3c[    1.5] usb 1-1: new\r\nr3t\x1f\nb\n");
        let usb = "[10 bytes of a damaged frame][    1.5] usb 1-1: new";
        assert_eq!(scan.tail(), format!("a\n{usb}\n[4 bytes of a damaged frame]\nb"));
        scan.push(&[b'x'; TAIL_BYTES + 1]);
        assert_eq!(scan.tail(), format!("…{}", "x".repeat(TAIL_BYTES)));
    }

    #[test]
    fn noise_is_told_from_text() {
        let mut scan = Scan::default();
        scan.push(&[0xf8, 0x80, 0x1e, 0xe6, b'x'].repeat(32));
        assert!(scan.is_garbage());
        assert!(scan.tail().ends_with("\u{fffd}x"), "noise is not taken for frames: {}", scan.tail());
        let mut scan = Scan::default();
        scan.push(&b"U-Boot 2023.01\r\n\x1b[0m".repeat(32));
        assert!(!scan.is_garbage());
    }

    proptest! {
        #[test]
        fn memory_is_bounded_whatever_comes(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2048), 0..40)) {
            let mut scan = Scan::default();
            for chunk in &chunks {
                scan.push(chunk);
                prop_assert!(scan.text.len() <= 2 * KEPT);
                prop_assert!(scan.mark <= scan.text.len());
                let tail = scan.tail();
                prop_assert!(tail.chars().all(|character| character == '\n' || !character.is_ascii_control()));
            }
        }
    }
}
