//! What a target can say about a file, so that it can be compared with the one that was sent.

use std::fmt;

use crc::{CRC_32_CKSUM, Crc};
use md5::Md5;
use sha2::{Digest as _, Sha256};

/// A way to check a file on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// `sha256sum`.
    Sha256,
    /// `md5sum`.
    Md5,
    /// `cksum`.
    Cksum,
    /// There is no program for it: every line is sent back, and of the file its length is checked.
    ReadBack,
}

impl Checksum {
    /// Those that a program calculates, best first.
    pub(super) const PROGRAMS: [Self; 3] = [Self::Sha256, Self::Md5, Self::Cksum];

    /// The command, which reads a file from standard input; its first words are what [`of`](Self::of) says.
    pub(super) const fn command(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256sum",
            Self::Md5 => "md5sum",
            Self::Cksum => "cksum",
            Self::ReadBack => "wc -c",
        }
    }

    /// What the command says of a file with `bytes`.
    pub(super) fn of(self, bytes: &[u8]) -> String {
        match self {
            Self::Sha256 => digits(&Sha256::digest(bytes)),
            Self::Md5 => digits(&Md5::digest(bytes)),
            Self::Cksum => format!("{} {}", cksum(bytes), bytes.len()),
            Self::ReadBack => bytes.len().to_string(),
        }
    }

    /// Whether the target's words `said` begin with what is `expected`.
    pub(super) fn agrees(expected: &str, said: &str) -> bool {
        said.strip_prefix(expected).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadBack => "reading back",
            program => program.command(),
        })
    }
}

fn digits(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// POSIX' CRC: of the bytes, then of their number, low byte first, without leading zeros.
fn cksum(bytes: &[u8]) -> u32 {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_CKSUM);
    let mut digest = CRC.digest();
    digest.update(bytes);
    let length = bytes.len().to_le_bytes();
    let used = length.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    digest.update(length.get(..used).unwrap_or_default());
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_programs() {
        // As coreutils print them.
        assert_eq!(Checksum::Cksum.of(b""), "4294967295 0");
        assert_eq!(Checksum::Cksum.of(b"AB\n"), CKSUM_AB);
        assert_eq!(Checksum::Md5.of(b"AB\n"), MD5_AB);
        assert!(Checksum::agrees(MD5_AB, &format!("{MD5_AB} -")));
        assert!(!Checksum::agrees("12", "123"));
        assert!(!Checksum::agrees("12", ""));
    }

    const CKSUM_AB: &str = "2699195991 3";
    const MD5_AB: &str = "7b0ded95031647702b8bed17dce7698a";
}
