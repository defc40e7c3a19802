//! Takes terminal escape sequences out of a byte stream.
//!
//! Source: ECMA-48 §5.4 (control sequences), §5.6 (control strings); ECMA-35 §13 (escape sequences).

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;
/// Longest sequence that is taken out; what goes on is text again, so that a lost end hides little.
const LONGEST: usize = 256;

/// The filter's state between two reads.
#[derive(Debug, Default)]
pub(in crate::dialog) struct EscapeFilter {
    state: State,
    length: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    /// ESC and intermediates, such as `ESC ( B`.
    Intermediate,
    /// CSI … final.
    Control,
    /// OSC, DCS, SOS, PM, APC … ST.
    String,
    StringEscape,
}

impl EscapeFilter {
    /// Appends to `text` what of `bytes` is not part of an escape sequence, NULs left out.
    pub(in crate::dialog) fn push(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        for &byte in bytes {
            self.length = if self.state == State::Text { 0 } else { self.length + 1 };
            if self.length > LONGEST {
                self.state = State::Text;
            }
            self.state = step(self.state, byte, text);
        }
    }
}

fn step(state: State, byte: u8, text: &mut Vec<u8>) -> State {
    match (state, byte) {
        (State::String, BELL) | (State::StringEscape, b'\\') => State::Text,
        (State::String, ESCAPE) => State::StringEscape,
        (_, ESCAPE) => State::Escape,
        (State::Text, 0) => State::Text,
        (State::Text, _) => {
            text.push(byte);
            State::Text
        }
        (_, CANCEL | SUBSTITUTE) => State::Text,
        (State::Escape | State::StringEscape, b'[') => State::Control,
        (State::Escape | State::StringEscape, b']' | b'P' | b'X' | b'^' | b'_') => State::String,
        (State::Escape | State::Intermediate, 0x20..=0x2f) => State::Intermediate,
        (State::Control, 0x20..=0x3f) => State::Control,
        (State::String, _) if byte != b'\n' => State::String,
        // ECMA-48 has control characters act in the middle of a sequence.
        (State::Escape | State::Intermediate | State::Control, 0..0x20) => {
            text.push(byte);
            state
        }
        (State::String, _) => {
            text.push(byte);
            State::Text
        }
        _ => State::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(input: &[u8]) -> String {
        let (mut filter, mut text) = (EscapeFilter::default(), Vec::new());
        for byte in input.chunks(1) {
            filter.push(byte, &mut text);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn sequences_of_every_kind_are_taken_out() {
        assert_eq!(strip(b"a\x1b[?2004hb"), "ab");
        assert_eq!(strip(b"a\x1b]0;title\x07b"), "ab");
        assert_eq!(strip(b"a\x1b]0;title\x1b\\b"), "ab");
        assert_eq!(strip(b"a\x1bP1$r0m\x1b\\b"), "ab");
        assert_eq!(strip(b"a\x1b(Bb\x1b=c\x1b7d"), "abcd");
        assert_eq!(strip(b"a\x1b[1\n;32mb"), "a\nb");
        assert_eq!(strip(b"a\x1b[12\x18b\0c"), "abc");
    }

    #[test]
    fn a_sequence_without_end_hides_little() {
        assert_eq!(strip(b"\x1b]0;never ended\nlogin: "), "\nlogin: ");
        let endless = [b"\x1b[".as_slice(), &b"1;".repeat(1000), b"m login: "].concat();
        assert!(strip(&endless).ends_with("m login: "));
    }
}
