//! Bytes as text that a terminal passes on unchanged, and the programs of a target that turn it back.

use std::fmt;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::escape::{FILTER, escape};

/// Longest line of text, in characters: whole lines of 64, which is what old decoders take.
const LINE: usize = 960;

/// A program, or a word of the shell itself, that turns text back into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// coreutils' or BusyBox' own name.
    Base64,
    /// BusyBox without links to it.
    BusyboxBase64,
    /// OpenSSL's command line.
    Openssl,
    /// That of sharutils, or BusyBox' own name.
    Uudecode,
    /// Python 3.
    Python,
    /// Perl without modules.
    Perl,
    /// Octal escapes, which the shell itself knows.
    Printf,
}

impl Decoder {
    /// All, in the order in which they are asked for: fast ones first, the shell itself last.
    pub const ALL: [Self; 7] = [
        Self::Base64,
        Self::BusyboxBase64,
        Self::Openssl,
        Self::Uudecode,
        Self::Python,
        Self::Perl,
        Self::Printf,
    ];

    /// The name by which a shell knows whether it is there.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::BusyboxBase64 => "busybox",
            Self::Openssl => "openssl",
            Self::Uudecode => "uudecode",
            Self::Python => "python3",
            Self::Perl => "perl",
            Self::Printf => "printf",
        }
    }

    /// A filter in the shell's language: lines of text in, bytes out.
    pub(super) const fn filter(self) -> &'static str {
        match self {
            Self::Base64 => "base64 -d",
            Self::BusyboxBase64 => "busybox base64 -d",
            // Without its `-A`, which has lost what is longer than a kilobyte.
            Self::Openssl => "fold -w 64|openssl base64 -d",
            Self::Uudecode => "{ echo begin-base64 644 x;cat;echo ====;}|uudecode -o /dev/stdout",
            Self::Python => {
                "python3 -c 'import sys,base64;sys.stdout.buffer.write(base64.b64decode(sys.stdin.read()))'"
            }
            // From the alphabet of base64 to that of uuencode, which Perl's own unpack reads; MIME::Base64 may be absent.
            Self::Perl => {
                "perl -ne 'chomp;s/=+$//;tr#A-Za-z0-9+/# -_#;while(s/^(.{1,60})//){print unpack\"u\",chr(32+length($1)*3/4).$1}'"
            }
            Self::Printf => FILTER,
        }
    }

    /// A command that prints each of `words`, quoted as the shell wants them, on a line; in them may be what this decoder
    /// reads.
    pub(super) fn print(self, words: &[String]) -> String {
        match self {
            // Some shells' echo knows escapes of its own.
            Self::Printf => format!("printf '%s\\n' {}", words.join(" ")),
            _ => words.iter().map(|word| format!("echo {word}")).collect::<Vec<_>>().join(";"),
        }
    }

    /// `bytes` as lines of text, without their ends: printable ASCII, no blanks at the ends, none longer
    /// than [`LINE`].
    pub(super) fn encode(self, bytes: &[u8]) -> Vec<String> {
        match self {
            Self::Printf => escape(bytes, LINE),
            _ => bytes.chunks(LINE / 4 * 3).map(|chunk| BASE64.encode(chunk)).collect(),
        }
    }
}

impl fmt::Display for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base64 => "base64",
            Self::BusyboxBase64 => "busybox base64",
            Self::Openssl => "openssl",
            Self::Uudecode => "uudecode",
            Self::Python => "python3",
            Self::Perl => "perl",
            Self::Printf => "printf",
        })
    }
}

/// `bytes` in gzip's format, as small as it gets.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = packer.write_all(bytes);
    packer.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_printable_and_short(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
            for decoder in Decoder::ALL {
                for line in decoder.encode(&bytes) {
                    prop_assert!(!line.is_empty() && line.len() <= LINE);
                    prop_assert!(line.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{line}");
                    prop_assert!(line.trim() == line && !line.contains(['"', '`', '\'', '!']), "{line}");
                }
            }
        }
    }
}
