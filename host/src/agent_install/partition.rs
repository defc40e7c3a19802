//! Partitions of a whole disk, as util-linux's `partx` reads them.

use std::path::Path;
use std::process::Command;

use super::error::InstallError;
use super::ext4;

/// Bytes of the sectors that `partx` counts in.
const SECTOR: u64 = 512;

/// Partitions of one disk that are looked at.
const MAX_PARTITIONS: usize = 256;

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    /// Its number, as in `/dev/mmcblk0p2`.
    pub(super) number: u32,
    /// Where it begins, in bytes.
    pub(super) offset: u64,
    /// Its size in bytes.
    pub(super) size: u64,
}

/// Lists the partitions of the disk or image at `path`; none where there is no partition table.
///
/// # Errors
/// When `partx` cannot be started.
pub(super) fn partitions(path: &Path) -> Result<Vec<Partition>, InstallError> {
    let output = Command::new("partx")
        .args(["--raw", "--noheadings", "--output", "NR,START,SECTORS", "--"])
        .arg(path)
        .env("LC_ALL", "C")
        .output()
        .map_err(|source| InstallError::Start { program: "partx", package: "util-linux", source })?;
    // It fails where there is no table.
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

fn parse(text: &str) -> Vec<Partition> {
    let partition = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next().and_then(Result::ok);
        let (number, start, sectors) = (next()?, next()?, next()?);
        Some(Partition {
            number: u32::try_from(number).ok()?,
            offset: start.checked_mul(SECTOR)?,
            size: sectors.checked_mul(SECTOR)?,
        })
    };
    text.lines().filter_map(partition).take(MAX_PARTITIONS).collect()
}

/// Finds partition `number` of the disk at `path`.
///
/// # Errors
/// [`InstallError::WholeDisk`] without a number, [`InstallError::NoPartition`] for one that is not there, each with what is
/// there.
pub(super) fn find(path: &Path, number: Option<u32>) -> Result<Partition, InstallError> {
    let all = partitions(path)?;
    if let Some(found) = all.iter().find(|partition| Some(partition.number) == number) {
        return Ok(found.clone());
    }
    let mut found = Vec::new();
    for partition in &all {
        found.push((partition.number, partition.size, ext4::is_at(path, partition.offset)?));
    }
    Err(match number {
        Some(number) => InstallError::NoPartition { number, found },
        None => InstallError::WholeDisk { found },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_read_in_bytes_and_rubbish_is_left_out() {
        let text =
            "1 2048 8192\n2 10240 65536\nNR START\n3 99999999999999999999 1\n4 18446744073709551615 1\n";
        let expected = [
            Partition { number: 1, offset: 1 << 20, size: 4 << 20 },
            Partition { number: 2, offset: 5 << 20, size: 32 << 20 },
        ];
        assert_eq!(parse(text), expected);
    }
}
