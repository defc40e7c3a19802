//! Partitions of a whole disk, as util-linux's `partx` reads them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::error::InstallError;
use super::ext4;
use super::gpt;
use super::tool::Tool;

/// Bytes of the sectors that `partx` counts in, whatever the disk's have.
const SECTOR: u64 = 512;

/// Most of an answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

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

/// Lists the partitions of the disk or image at `path`; none where there is no partition table. `partx` may take as long as
/// `limit`.
///
/// # Errors
/// [`InstallError::PartitionTable`] if the table is damaged; when `partx` cannot be started or takes longer.
pub(super) fn partitions(path: &Path, limit: Duration) -> Result<Vec<Partition>, InstallError> {
    let mut command = Command::new("partx");
    command.args(["--raw", "--noheadings", "--output", "NR,START,SECTORS"]).env("LC_ALL", "C");
    if let Some(sector) = gpt::sector(path)? {
        command.args(["--sector-size", &sector.to_string()]);
    }
    command.arg("--").arg(path);
    let tool =
        Tool { name: "partx", package: "util-linux", limit, most: MAX_ANSWER, input: &[], asks: false };
    // It fails where there is no table.
    Ok(parse(&String::from_utf8_lossy(&tool.run(command)?.stdout)))
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
pub(super) fn find(path: &Path, number: Option<u32>, limit: Duration) -> Result<Partition, InstallError> {
    let all = partitions(path, limit)?;
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
