//! The five packets of TFTP and the option acknowledgement, as bytes.
//!
//! ```text
//! RRQ/WRQ  | 1/2 | file name | 0 | mode | 0 | (option | 0 | value | 0)*
//! DATA     |  3  | block number | 0..=65464 bytes
//! ACK      |  4  | block number |
//! ERROR    |  5  | code | message | 0 |
//! OACK     |  6  | (option | 0 | value | 0)*
//! ```
//!
//! Numbers are 16 bits, big-endian. Source: RFC 1350 §5, RFC 2347.

use std::fmt;

/// Largest block size that an option can ask for, in bytes (RFC 2348).
pub const MAX_BLOCK_SIZE: u16 = 65464;
/// Block size without an option, in bytes (RFC 1350).
pub const DEFAULT_BLOCK_SIZE: u16 = 512;
/// Longest file name that is accepted, in bytes.
pub const MAX_NAME: usize = 255;

const READ_REQUEST: u16 = 1;
const WRITE_REQUEST: u16 = 2;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OPTION_ACK: u16 = 6;

/// One packet; `DATA` borrows its payload from the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Asks to read a file.
    ReadRequest(Request),
    /// Asks to write a file.
    WriteRequest(Request),
    /// One block of the file.
    Data {
        /// Block number, from 1, modulo 65536.
        block: u16,
        /// The block; shorter than the block size in the last one.
        payload: &'a [u8],
    },
    /// Acknowledges a block, or an option acknowledgement (block 0).
    Ack {
        /// Block number.
        block: u16,
    },
    /// Ends the transfer.
    Error {
        /// What kind.
        code: ErrorCode,
        /// For humans.
        message: String,
    },
    /// Names the options that the server accepted.
    OptionAck(Options),
}

/// A read or write request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// File name as sent, 1..=[`MAX_NAME`] bytes of UTF-8.
    pub name: String,
    /// Transfer mode.
    pub mode: Mode,
    /// The options that are known and in range; others are not options for us (RFC 2347).
    pub options: Options,
}

/// Transfer mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Text with CR LF line ends.
    Netascii,
    /// Bytes as they are.
    Octet,
}

/// Options of a request or of an option acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `blksize`, bytes, 8..=65464 (RFC 2348).
    pub block_size: Option<u16>,
    /// `tsize`, bytes; 0 in a read request (RFC 2349).
    pub transfer_size: Option<u64>,
    /// `timeout`, seconds, 1..=255 (RFC 2349).
    pub timeout: Option<u8>,
    /// `windowsize`, blocks, 1..=65535 (RFC 7440).
    pub window_size: Option<u16>,
}

impl Options {
    /// Returns whether there is no option.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes over one option; unknown ones and values out of range are left out.
    fn set(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("blksize") {
            self.block_size = value.parse().ok().filter(|size| (8..=MAX_BLOCK_SIZE).contains(size));
        } else if name.eq_ignore_ascii_case("tsize") {
            self.transfer_size = value.parse().ok();
        } else if name.eq_ignore_ascii_case("timeout") {
            self.timeout = value.parse().ok().filter(|seconds| *seconds > 0);
        } else if name.eq_ignore_ascii_case("windowsize") {
            self.window_size = value.parse().ok().filter(|blocks| *blocks > 0);
        }
    }

    fn emit(&self, out: &mut Vec<u8>) {
        let values = [
            ("blksize", self.block_size.map(u64::from)),
            ("tsize", self.transfer_size),
            ("timeout", self.timeout.map(u64::from)),
            ("windowsize", self.window_size.map(u64::from)),
        ];
        for (name, value) in values {
            if let Some(value) = value {
                emit_string(out, name);
                emit_string(out, &value.to_string());
            }
        }
    }
}

/// Error codes (RFC 1350 §5, RFC 2347).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// 0: see the message.
    NotDefined,
    /// 1.
    FileNotFound,
    /// 2.
    AccessViolation,
    /// 3.
    DiskFull,
    /// 4.
    IllegalOperation,
    /// 5.
    UnknownTransferId,
    /// 6.
    FileExists,
    /// 7.
    NoSuchUser,
    /// 8: the options were refused.
    OptionsRefused,
    /// Any other.
    Other(u16),
}

impl From<u16> for ErrorCode {
    fn from(code: u16) -> Self {
        match code {
            0 => Self::NotDefined,
            1 => Self::FileNotFound,
            2 => Self::AccessViolation,
            3 => Self::DiskFull,
            4 => Self::IllegalOperation,
            5 => Self::UnknownTransferId,
            6 => Self::FileExists,
            7 => Self::NoSuchUser,
            8 => Self::OptionsRefused,
            other => Self::Other(other),
        }
    }
}

impl From<ErrorCode> for u16 {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::NotDefined => 0,
            ErrorCode::FileNotFound => 1,
            ErrorCode::AccessViolation => 2,
            ErrorCode::DiskFull => 3,
            ErrorCode::IllegalOperation => 4,
            ErrorCode::UnknownTransferId => 5,
            ErrorCode::FileExists => 6,
            ErrorCode::NoSuchUser => 7,
            ErrorCode::OptionsRefused => 8,
            ErrorCode::Other(other) => other,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", u16::from(*self))
    }
}

/// Why a datagram is not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The datagram ended inside a number.
    #[error("the packet is too short")]
    Truncated,
    /// The opcode is none of 1..=6.
    #[error("the opcode {0} does not exist")]
    Opcode(u16),
    /// The file name is empty, too long or not UTF-8.
    #[error("the file name is empty, longer than 255 bytes or not UTF-8")]
    Name,
    /// The mode is neither `octet` nor `netascii`.
    #[error("the mode is neither octet nor netascii")]
    Mode,
}

impl<'a> Packet<'a> {
    /// Reads one packet from `datagram`, a whole UDP payload.
    ///
    /// A last string may lack its NUL; an option without a value is ignored: clients in boot ROMs do both.
    ///
    /// # Errors
    /// [`PacketError`] says what is wrong; nothing is ever read outside `datagram`.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let (opcode, rest) = parse_number(datagram)?;
        match opcode {
            READ_REQUEST => Request::parse(rest).map(Self::ReadRequest),
            WRITE_REQUEST => Request::parse(rest).map(Self::WriteRequest),
            DATA => {
                let (block, payload) = parse_number(rest)?;
                Ok(Self::Data { block, payload })
            }
            ACK => Ok(Self::Ack { block: parse_number(rest)?.0 }),
            ERROR => {
                let (code, message) = parse_number(rest)?;
                let message = Strings(message).next().unwrap_or_default();
                Ok(Self::Error { code: code.into(), message: String::from_utf8_lossy(message).into_owned() })
            }
            OPTION_ACK => Ok(Self::OptionAck(parse_options(&mut Strings(rest)))),
            other => Err(PacketError::Opcode(other)),
        }
    }

    /// Appends the packet's bytes to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::ReadRequest(request) => request.emit(READ_REQUEST, out),
            Self::WriteRequest(request) => request.emit(WRITE_REQUEST, out),
            Self::Data { block, payload } => {
                emit_data_header(*block, out);
                out.extend_from_slice(payload);
            }
            Self::Ack { block } => {
                out.extend_from_slice(&ACK.to_be_bytes());
                out.extend_from_slice(&block.to_be_bytes());
            }
            Self::Error { code, message } => {
                out.extend_from_slice(&ERROR.to_be_bytes());
                out.extend_from_slice(&u16::from(*code).to_be_bytes());
                emit_string(out, message);
            }
            Self::OptionAck(options) => {
                out.extend_from_slice(&OPTION_ACK.to_be_bytes());
                options.emit(out);
            }
        }
    }

    /// Returns the packet's bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.emit(&mut out);
        out
    }
}

/// Whether `datagram` is an ERROR, even one that is cut or garbled: none is ever answered (RFC 1350 §7).
pub fn is_error(datagram: &[u8]) -> bool {
    datagram.starts_with(&ERROR.to_be_bytes())
}

/// Appends the four bytes before the payload of block `block`.
pub fn emit_data_header(block: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&DATA.to_be_bytes());
    out.extend_from_slice(&block.to_be_bytes());
}

impl Request {
    fn parse(bytes: &[u8]) -> Result<Self, PacketError> {
        let mut strings = Strings(bytes);
        let name = strings
            .next()
            .filter(|name| (1..=MAX_NAME).contains(&name.len()))
            .and_then(|name| str::from_utf8(name).ok())
            .ok_or(PacketError::Name)?;
        let mode = match strings.next() {
            Some(mode) if mode.eq_ignore_ascii_case(b"octet") => Mode::Octet,
            Some(mode) if mode.eq_ignore_ascii_case(b"netascii") => Mode::Netascii,
            _ => return Err(PacketError::Mode),
        };
        Ok(Self { name: name.to_owned(), mode, options: parse_options(&mut strings) })
    }

    fn emit(&self, opcode: u16, out: &mut Vec<u8>) {
        out.extend_from_slice(&opcode.to_be_bytes());
        emit_string(out, &self.name);
        emit_string(
            out,
            match self.mode {
                Mode::Netascii => "netascii",
                Mode::Octet => "octet",
            },
        );
        self.options.emit(out);
    }
}

/// The NUL-terminated strings of a packet, in order.
struct Strings<'a>(&'a [u8]);

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|byte| *byte == 0);
        let (string, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.get(1..).unwrap_or_default();
        Some(string)
    }
}

fn parse_options(strings: &mut Strings<'_>) -> Options {
    let mut options = Options::default();
    while let (Some(name), Some(value)) = (strings.next(), strings.next()) {
        if let (Ok(name), Ok(value)) = (str::from_utf8(name), str::from_utf8(value)) {
            options.set(name, value);
        }
    }
    options
}

fn parse_number(bytes: &[u8]) -> Result<(u16, &[u8]), PacketError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(PacketError::Truncated)?;
    Ok((u16::from_be_bytes(*number), rest))
}

/// Appends `text` and its NUL; a NUL inside would end the string early and is left out.
fn emit_string(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().filter(|byte| *byte != 0));
    out.push(0);
}

#[cfg(test)]
mod tests;
