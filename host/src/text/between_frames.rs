//! What people are to see of a console on which an agent speaks: all but its frames.
//!
//! Other than for the recording, and for what keeps secrets out of it, nothing that may be a board's own word is held back
//! here for longer than a line: a board that restarts in the middle of a frame is seen to.

use protocol::frame::{END, ESCAPE, MAX_ENCODED, START};

use super::kernel_message;

/// Takes frames out of what a console says, whole ones and those that somebody wrote into.
#[derive(Debug, Default)]
pub(crate) struct BetweenFrames {
    open: Option<OpenFrame>,
}

/// A frame that has begun.
#[derive(Debug, Default)]
struct OpenFrame {
    /// Bytes since its begin.
    length: usize,
    /// Those since the last one that is not the agent's.
    held: Vec<u8>,
    /// Whether somebody has written into it: what is held may be the rest of it, or a line of somebody else's.
    is_interrupted: bool,
}

impl OpenFrame {
    /// Takes a byte of somebody else's, and gives what of the line before it is not the agent's.
    fn interrupt(&mut self, byte: u8, text: &mut Vec<u8>) {
        let all = if self.is_interrupted { 0 } else { self.held.len() };
        let from = kernel_message(&self.held).unwrap_or(all);
        text.extend(self.held.drain(..).skip(from));
        text.push(byte);
        self.is_interrupted = true;
    }
}

impl BetweenFrames {
    /// What of `bytes`, and of what was held back before, is text.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.push_byte(byte, &mut text);
        }
        text
    }

    fn push_byte(&mut self, byte: u8, text: &mut Vec<u8>) {
        if byte == START {
            // One that is open has broken off.
            self.open = Some(OpenFrame::default());
            return;
        }
        let Some(frame) = &mut self.open else { return text.push(byte) };
        frame.length += 1;
        // In a frame, every other control byte proves that somebody else wrote it (`protocol::frame`).
        let is_foreign = byte != ESCAPE && (byte < 0x20 || byte == 0x7f || byte == 0xff);
        match byte {
            END => self.open = None,
            _ if is_foreign => frame.interrupt(byte, text),
            _ => frame.held.push(byte),
        }
        if let Some(frame) = self.open.take_if(|frame| frame.length >= MAX_ENCODED) {
            // No frame is that long.
            text.extend(frame.held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of `bytes`, however they are split.
    fn shown(bytes: &[u8]) -> String {
        let whole = BetweenFrames::default().push(bytes);
        for size in 1..bytes.len().min(50) {
            let mut filter = BetweenFrames::default();
            let pieces: Vec<u8> = bytes.chunks(size).flat_map(|piece| filter.push(piece)).collect();
            assert_eq!(pieces, whole, "in pieces of {size}");
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn frames_are_left_out_and_what_is_between_them_is_not() {
        assert_eq!(
            shown(b"# lava\r\n\x1e01d\x10Jx\x1f[  1.0] usb\r\n\x1e1\x1e2\x1fend # "),
            "# lava\r\n[  1.0] usb\r\nend # "
        );
    }

    #[test]
    fn what_the_kernel_wrote_into_a_frame_is_shown_and_the_frame_is_not() {
        let bytes =
            b"a\x1e01d[   12.345678] usb 1-1: new\r\nx\x10Jy[   12.5][  T17] usb 1-1: old\r\nrest\x1fb";
        assert_eq!(shown(bytes), "a[   12.345678] usb 1-1: new\r\n[   12.5][  T17] usb 1-1: old\r\nb");
    }

    #[test]
    fn a_board_that_restarts_in_a_frame_is_seen_to() {
        let bytes =
            b"\x1e01dabc\r\n\r\nU-Boot SPL 2025.01\r\nHit any key to stop autoboot:  2 \x08\x08\x08 1\r\n";
        assert_eq!(
            shown(bytes),
            "\r\n\r\nU-Boot SPL 2025.01\r\nHit any key to stop autoboot:  2 \x08\x08\x08 1\r\n"
        );
    }

    #[test]
    fn what_is_too_long_for_a_frame_is_text() {
        let bytes = [&[START][..], &[b'x'; 2 * MAX_ENCODED]].concat();
        assert_eq!(shown(&bytes), "x".repeat(2 * MAX_ENCODED));
        let prompt = [b"\x1eab\r\n", &[b'y'; MAX_ENCODED][..]].concat();
        assert_eq!(shown(&prompt), format!("\r\n{}", "y".repeat(MAX_ENCODED)));
    }
}
