//! What is left of frames that somebody wrote into.
//!
//! A decoder gives a damaged frame back as text: its begin, what was written into it, its end. The message in it comes again
//! in another frame, so that its bytes are nobody's text.

use protocol::frame::{END, MAX_ENCODED, START};

use super::kernel_message;

/// Follows damaged frames through the bytes that belong to no whole one.
#[derive(Debug, Default)]
pub(crate) struct DamagedFrame {
    /// Bytes since the begin of the one that is open.
    length: usize,
}

impl DamagedFrame {
    /// Whether `byte` may belong to a damaged frame, also as what was written into it: all does from a frame's begin to
    /// its end. Where that is missing, a frame is taken to be as long as the longest.
    pub(crate) fn covers(&mut self, byte: u8) -> bool {
        let covered = byte == START || (self.length > 0 && self.length < MAX_ENCODED);
        self.length = match byte {
            START => 1,
            END => 0,
            _ if covered => self.length + 1,
            _ => 0,
        };
        covered
    }
}

/// Takes damaged frames out of text, and leaves what the kernel wrote into them.
#[derive(Debug, Default)]
pub(crate) struct WithoutDamagedFrames {
    /// Whether a frame is open.
    is_open: bool,
    /// Bytes that were taken out since its begin.
    taken: usize,
    /// Of these, those that the text does not tell of yet.
    untold: usize,
    /// The line that has begun in it.
    line: Vec<u8>,
}

impl WithoutDamagedFrames {
    /// Appends to `text` what of `bytes` belongs to no damaged frame; in place of one stands how long it was.
    ///
    /// Of the lines in a frame, what follows the kernel's time is the kernel's: a frame has no line's end of its own.
    pub(crate) fn push(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        for &byte in bytes {
            if byte == START {
                self.end(text);
                self.is_open = true;
            }
            if !self.is_open {
                text.push(byte);
                continue;
            }
            self.line.push(byte);
            if byte == b'\n' {
                self.end_line(text);
            } else if byte == END || self.taken + self.line.len() >= MAX_ENCODED {
                self.end(text);
            }
        }
    }

    /// A whole frame came, or no more text does: none is open.
    pub(crate) fn end(&mut self, text: &mut Vec<u8>) {
        self.take(self.line.len());
        self.line.clear();
        self.tell(text);
        (self.is_open, self.taken) = (false, 0);
    }

    fn end_line(&mut self, text: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        let (frame, kernel) = line.split_at(kernel_message(&line).unwrap_or(line.len()));
        self.take(frame.len());
        if !kernel.is_empty() {
            self.tell(text);
            text.extend_from_slice(kernel);
        }
    }

    fn take(&mut self, count: usize) {
        self.taken += count;
        self.untold += count;
    }

    fn tell(&mut self, text: &mut Vec<u8>) {
        let untold = std::mem::take(&mut self.untold);
        if untold > 0 {
            text.extend_from_slice(format!("[{untold} bytes of a damaged frame]").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(pieces: &[&[u8]]) -> String {
        let (mut filter, mut text) = (WithoutDamagedFrames::default(), Vec::new());
        pieces.iter().for_each(|piece| filter.push(piece, &mut text));
        filter.end(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_damaged_frame_goes_from_its_begin_to_its_end() {
        assert_eq!(without(&[b"a\x1e0", b"12\r\n34\x1f", b"b"]), "a[9 bytes of a damaged frame]b");
        assert_eq!(
            without(&[b"\x1e01\x1e0123\x1f"]),
            "[3 bytes of a damaged frame][6 bytes of a damaged frame]"
        );
        assert_eq!(without(&[b"\x1f text \x1e"]), "\x1f text [1 bytes of a damaged frame]");
    }

    #[test]
    fn what_the_kernel_wrote_into_a_frame_is_text() {
        let line = b"a\x1etoken=s3c[   12.345678] usb 1-1: new\r\nr3t[   12.5][  T17] usb 1-1: old\r\n;\x1fb";
        let text = "a[10 bytes of a damaged frame][   12.345678] usb 1-1: new\r\n\
                    [3 bytes of a damaged frame][   12.5][  T17] usb 1-1: old\r\n[2 bytes of a damaged frame]b";
        for size in 1..line.len() {
            assert_eq!(without(&line.chunks(size).collect::<Vec<_>>()), text, "in pieces of {size}");
        }
    }

    #[test]
    fn one_without_an_end_hides_no_more_than_the_longest_frame() {
        let line = [&[START][..], &[b'x'; MAX_ENCODED + 10]].concat();
        assert_eq!(without(&[&line]), format!("[{MAX_ENCODED} bytes of a damaged frame]xxxxxxxxxxx"));
    }

    #[test]
    fn a_byte_is_covered_from_a_begin_to_an_end() {
        let mut frame = DamagedFrame::default();
        let covered: Vec<_> = b"a\x1eb\x1f\x1fc".iter().map(|&byte| frame.covers(byte)).collect();
        assert_eq!(covered, [false, true, true, true, false, false]);
        assert!(frame.covers(START));
        assert_eq!((0..2 * MAX_ENCODED).filter(|_| frame.covers(b'x')).count(), MAX_ENCODED - 1);
    }
}
