//! Frames: checked, numbered units on a byte stream that others write to as well.
//!
//! ```text
//!   START  body, byte-stuffed                                                          END
//!   0x1E   version u8 · kind u8 · session u32 · seq u16 · ack u16 · payload · CRC-32    0x1F
//! ```
//!
//! Numbers are big-endian; the CRC (ISO-HDLC) covers header and payload. In the body every byte of 0x00–0x1F, 0x7F
//! and 0xFF is sent as [`ESCAPE`] and the byte XOR 0x40, after the asynchronous HDLC framing of RFC 1662 §4.2 with
//! every control character in the map. So a control byte between the delimiters that is not part of the stuffing proves that
//! someone else (the kernel, a daemon, a shell) wrote into the frame.
//!
//! What cannot be a frame is text: [`Decoder`] hands it on as it came, to the last byte, and looks for the next START.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use heapless::Vec;

use crate::limits::MAX_MESSAGE;

/// Begins a frame (ASCII RS).
pub const START: u8 = 0x1E;

/// Ends a frame (ASCII US).
pub const END: u8 = 0x1F;

/// Precedes a stuffed byte (ASCII DLE).
pub const ESCAPE: u8 = 0x10;

const FLIP: u8 = 0x40;
const HEADER: usize = 10;
const CHECK: usize = 4;

/// Longest body before byte stuffing, in bytes.
pub const MAX_BODY: usize = HEADER + MAX_MESSAGE + CHECK;

/// Longest frame on the wire, in bytes; a buffer of this size holds any frame.
pub const MAX_ENCODED: usize = 2 + 2 * MAX_BODY;

/// The frames' check, bit by bit: a table would be quicker than any line, and take up 1 KiB of the agent.
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// An end of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// host-runner.
    Runner,
    /// The agent on the board.
    Agent,
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// First frame both ways; its layout is the same in every protocol version.
    Hello,
    /// One message. Numbered, acknowledged, resent.
    Data,
    /// Acknowledgement alone; also the sign of life of an idle end.
    Ack,
    /// No message follows. Numbered, acknowledged, resent.
    Close,
    /// The sender's [`Close`](Self::Close) was acknowledged and it is gone. Sent once.
    Bye,
}

impl Kind {
    /// The kind's byte: a capital from the runner, a small letter from the agent, so that a line which echoes what
    /// is written to it cannot pass for the other end.
    const fn to_wire(self, from: Side) -> u8 {
        let letter = match self {
            Self::Hello => b'H',
            Self::Data => b'D',
            Self::Ack => b'A',
            Self::Close => b'C',
            Self::Bye => b'B',
        };
        match from {
            Side::Runner => letter,
            Side::Agent => letter.to_ascii_lowercase(),
        }
    }

    const fn from_wire(byte: u8) -> Option<(Self, Side)> {
        let from = if byte.is_ascii_lowercase() { Side::Agent } else { Side::Runner };
        let kind = match byte.to_ascii_uppercase() {
            b'H' => Self::Hello,
            b'D' => Self::Data,
            b'A' => Self::Ack,
            b'C' => Self::Close,
            b'B' => Self::Bye,
            _ => return None,
        };
        Some((kind, from))
    }
}

/// What precedes a frame's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Protocol version of the frame.
    pub version: u8,
    /// What the frame is for.
    pub kind: Kind,
    /// Who sent it.
    pub from: Side,
    /// The session; in a [`Kind::Hello`] the sender's own id.
    pub session: u32,
    /// Number of a [`Kind::Data`] or [`Kind::Close`] frame, from 0, wrapping; 0 in others.
    pub seq: u16,
    /// Number of the frame that the sender of this one wants next.
    pub ack: u16,
}

/// One frame whose check was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    /// At most [`MAX_MESSAGE`] bytes.
    pub payload: &'a [u8],
}

/// Writes one frame to the start of `out` and returns its length in bytes.
///
/// `None` if `out` is too short; [`MAX_ENCODED`] bytes are enough for any `payload` of up to [`MAX_MESSAGE`] bytes.
pub fn encode(header: &Header, payload: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut head = [0; HEADER];
    head[0] = header.version;
    head[1] = header.kind.to_wire(header.from);
    head[2..6].copy_from_slice(&header.session.to_be_bytes());
    head[6..8].copy_from_slice(&header.seq.to_be_bytes());
    head[8..10].copy_from_slice(&header.ack.to_be_bytes());
    let mut digest = CRC.digest();
    digest.update(&head);
    digest.update(payload);
    let check = digest.finalize().to_be_bytes();

    let mut length = 0;
    let mut put = |byte: u8| {
        *out.get_mut(length)? = byte;
        length += 1;
        Some(())
    };
    put(START)?;
    for &byte in head.iter().chain(payload).chain(&check) {
        if is_stuffed(byte) {
            put(ESCAPE)?;
            put(byte ^ FLIP)?;
        } else {
            put(byte)?;
        }
    }
    put(END)?;
    Some(length)
}

/// Whether `byte` is sent escaped inside a frame.
const fn is_stuffed(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7F || byte == 0xFF
}

/// How many things on the line were not frames of ours, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejects {
    /// Frames that someone else wrote into, or that broke off.
    pub foreign: u32,
    /// Frames that ended with a wrong check.
    pub check: u32,
    /// Frames without an end.
    pub too_long: u32,
    /// Frames with a right check and a kind that this version does not know.
    pub unknown: u32,
}

/// Finds the frames in a byte stream and hands everything else on.
#[derive(Debug, Default)]
pub struct Decoder {
    body: Vec<u8, MAX_BODY>,
    state: DecoderState,
    rejects: Rejects,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum DecoderState {
    #[default]
    Text,
    Frame,
    Escaped,
    /// The body is a frame that was returned.
    Complete,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub const fn new() -> Self {
        Self {
            body: Vec::new(),
            state: DecoderState::Text,
            rejects: Rejects { foreign: 0, check: 0, too_long: 0, unknown: 0 },
        }
    }

    /// What was not a frame so far.
    pub const fn rejects(&self) -> Rejects {
        self.rejects
    }

    /// Takes bytes from the front of `input` until a frame is complete or `input` is empty.
    ///
    /// `passthrough` is given all bytes that belong to no frame, in order, in pieces of any length.
    pub fn decode(&mut self, input: &mut &[u8], passthrough: &mut impl FnMut(&[u8])) -> Option<Frame<'_>> {
        loop {
            if matches!(self.state, DecoderState::Text | DecoderState::Complete) {
                self.body.clear();
                let text = input.iter().position(|&byte| byte == START).unwrap_or(input.len());
                let (text, rest) = input.split_at(text);
                if !text.is_empty() {
                    passthrough(text);
                }
                *input = rest;
                self.state = DecoderState::Text;
            }
            let (&byte, rest) = input.split_first()?;
            *input = rest;
            if self.push(byte, passthrough) {
                if let Some((header, length)) = self.finish(passthrough) {
                    return Some(Frame { header, payload: self.body.get(HEADER..HEADER + length)? });
                }
            }
        }
    }

    /// Hands on what is held back as the beginning of a frame; the stream has ended.
    pub fn flush(&mut self, passthrough: &mut impl FnMut(&[u8])) {
        if matches!(self.state, DecoderState::Frame | DecoderState::Escaped) {
            self.rejects.foreign += 1;
            self.abandon(None, passthrough);
        }
    }

    /// Takes one byte; true if it is the end of a frame.
    fn push(&mut self, byte: u8, passthrough: &mut impl FnMut(&[u8])) -> bool {
        let content = match (self.state, byte) {
            (DecoderState::Text | DecoderState::Complete, _) => {
                // `decode` has handed on everything in front of START.
                self.state = DecoderState::Frame;
                return false;
            }
            (DecoderState::Frame, END) => return true,
            (DecoderState::Frame, ESCAPE) => {
                self.state = DecoderState::Escaped;
                return false;
            }
            (DecoderState::Frame, _) if !is_stuffed(byte) => byte,
            (DecoderState::Escaped, _) if !is_stuffed(byte) && is_stuffed(byte ^ FLIP) => byte ^ FLIP,
            _ => {
                self.rejects.foreign += 1;
                self.abandon(Some(byte), passthrough);
                return false;
            }
        };
        if self.body.push(content).is_ok() {
            self.state = DecoderState::Frame;
        } else {
            self.rejects.too_long += 1;
            self.abandon(Some(byte), passthrough);
        }
        false
    }

    /// Checks the body that END completed; its header and the length of its payload.
    fn finish(&mut self, passthrough: &mut impl FnMut(&[u8])) -> Option<(Header, usize)> {
        let parsed = check(&self.body);
        match parsed {
            Some(Checked::Known(header, length)) => {
                self.state = DecoderState::Complete;
                Some((header, length))
            }
            Some(Checked::UnknownKind) => {
                self.rejects.unknown += 1;
                self.state = DecoderState::Complete;
                None
            }
            None => {
                self.rejects.check += 1;
                self.abandon(Some(END), passthrough);
                None
            }
        }
    }

    /// Gives START and what followed it to `passthrough` as it came. `last` is the byte that showed it was no frame.
    fn abandon(&mut self, last: Option<u8>, passthrough: &mut impl FnMut(&[u8])) {
        passthrough(&[START]);
        // Only bytes that must be stuffed were accepted as stuffed, so stuffing again gives the bytes that came.
        let mut start = 0;
        for (index, &byte) in self.body.iter().enumerate() {
            if is_stuffed(byte) {
                pass(self.body.get(start..index), passthrough);
                passthrough(&[ESCAPE, byte ^ FLIP]);
                start = index + 1;
            }
        }
        pass(self.body.get(start..), passthrough);
        if self.state == DecoderState::Escaped {
            passthrough(&[ESCAPE]);
        }
        self.body.clear();
        self.state = match last {
            Some(START) => DecoderState::Frame,
            Some(byte) => {
                passthrough(&[byte]);
                DecoderState::Text
            }
            None => DecoderState::Text,
        };
    }
}

fn pass(text: Option<&[u8]>, passthrough: &mut impl FnMut(&[u8])) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        passthrough(text);
    }
}

enum Checked {
    Known(Header, usize),
    UnknownKind,
}

/// Splits a body into header and payload; `None` if it is too short or its check is wrong.
fn check(body: &[u8]) -> Option<Checked> {
    let (covered, check) = body.split_last_chunk::<CHECK>()?;
    let (head, payload) = covered.split_first_chunk::<HEADER>()?;
    if CRC.checksum(covered) != u32::from_be_bytes(*check) {
        return None;
    }
    let [version, kind, s0, s1, s2, s3, seq0, seq1, ack0, ack1] = *head;
    let Some((kind, from)) = Kind::from_wire(kind) else {
        return Some(Checked::UnknownKind);
    };
    let header = Header {
        version,
        kind,
        from,
        session: u32::from_be_bytes([s0, s1, s2, s3]),
        seq: u16::from_be_bytes([seq0, seq1]),
        ack: u16::from_be_bytes([ack0, ack1]),
    };
    Some(Checked::Known(header, payload.len()))
}
