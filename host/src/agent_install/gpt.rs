//! A GUID partition table, of which the first copy has to be whole: tools fall back to the second one, Linux does not.
//!
//! Source: UEFI Specification 2.10, §5; Linux, block/partitions/efi.c, `find_valid_gpt`. All numbers have their least
//! significant byte first.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::error::InstallError;

/// Bytes of a sector in which a protective boot record is, whatever the disk's sectors have.
const RECORD: usize = 512;
/// Where the boot record's partitions begin, the bytes of each, and the type of the one that stands for all of the disk.
const RECORD_PARTITIONS: usize = 446;
const RECORD_PARTITION: usize = 16;
const PROTECTIVE: u8 = 0xee;
/// Where a partition's type is in its entry.
const TYPE: usize = 4;

/// Bytes that a sector of an image may have.
const SECTORS: [u64; 2] = [512, 4096];
const SIGNATURE: &[u8] = b"EFI PART";

/// Fields of the header: where they begin.
const HEADER_SIZE: usize = 12;
const HEADER_CRC: usize = 16;
const MY_LBA: usize = 24;
const LAST_USABLE_LBA: usize = 48;
const ENTRIES_LBA: usize = 72;
const COUNT: usize = 80;
const ENTRY_SIZE: usize = 84;
const ENTRIES_CRC: usize = 88;
/// Bytes of the header that have a meaning.
const HEADER: usize = 92;
/// Most bytes of a list of partitions: 64 times the usual.
const MAX_ENTRIES: u64 = 1 << 20;

/// Bytes of a sector of the disk at `path`, if it has such a table; `None` if it has another one or none.
///
/// # Errors
/// [`InstallError::PartitionTable`] if the table is damaged, [`InstallError::CutOff`] if the disk is shorter than it says, and
/// those of the file.
pub(super) fn sector(path: &Path) -> Result<Option<u64>, InstallError> {
    let failed = InstallError::io("read", path);
    let mut disk = File::open(path).map_err(InstallError::io("open", path))?;
    let record = bytes(&mut disk, 0, RECORD as u64).map_err(&failed)?;
    if !is_protective(&record) {
        return Ok(None);
    }
    let is_device = disk.metadata().map_err(&failed)?.file_type().is_block_device();
    let device = if is_device { rustix::fs::ioctl_blksszget(&disk).ok() } else { None };
    let mut problem = "there is no header";
    for sector in device.map_or_else(|| SECTORS.to_vec(), |sector| vec![u64::from(sector)]) {
        let header = bytes(&mut disk, sector, sector).map_err(&failed)?;
        if header.starts_with(SIGNATURE) {
            let Some(table) = Table::parse(&header) else {
                problem = "the checksum of its header is wrong";
                continue;
            };
            if let Some(found) = table.check(&mut disk, sector).map_err(&failed)? {
                problem = found;
                continue;
            }
            let there = disk.seek(SeekFrom::End(0)).map_err(&failed)?;
            let needed = table.last_usable_lba.saturating_add(1).saturating_mul(sector);
            let what = "its partition table (GPT)";
            return if needed > there {
                Err(InstallError::CutOff { what, needed, there })
            } else {
                Ok(Some(sector))
            };
        }
    }
    Err(InstallError::PartitionTable { problem })
}

fn is_protective(record: &[u8]) -> bool {
    let partitions = record.get(RECORD_PARTITIONS..RECORD - 2).unwrap_or_default();
    record.ends_with(&[0x55, 0xaa])
        && partitions.chunks_exact(RECORD_PARTITION).any(|entry| entry.get(TYPE) == Some(&PROTECTIVE))
}

/// What a header says.
struct Table {
    last_usable_lba: u64,
    entries_lba: u64,
    count: u32,
    entry_size: u32,
    entries_crc: u32,
}

impl Table {
    /// Reads the header that `sector` begins with; `None` if it is damaged.
    fn parse(sector: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(sector.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_le_bytes(sector.get(at..at + 8)?.try_into().ok()?));
        let size = usize::try_from(word(HEADER_SIZE)?).ok().filter(|size| *size >= HEADER)?;
        let mut header = sector.get(..size)?.to_vec();
        header.get_mut(HEADER_CRC..HEADER_CRC + 4)?.fill(0);
        let is_whole = crc32fast::hash(&header) == word(HEADER_CRC)? && long(MY_LBA)? == 1;
        is_whole.then_some(Self {
            last_usable_lba: long(LAST_USABLE_LBA)?,
            entries_lba: long(ENTRIES_LBA)?,
            count: word(COUNT)?,
            entry_size: word(ENTRY_SIZE)?,
            entries_crc: word(ENTRIES_CRC)?,
        })
    }

    /// What is wrong with the list of partitions; `None` if nothing is.
    fn check(&self, disk: &mut File, sector: u64) -> io::Result<Option<&'static str>> {
        let length = u64::from(self.count) * u64::from(self.entry_size);
        let Some(begin) = self.entries_lba.checked_mul(sector).filter(|_| length <= MAX_ENTRIES) else {
            return Ok(Some("its header makes no sense"));
        };
        let entries = bytes(disk, begin, length)?;
        let is_whole = entries.len() as u64 == length && crc32fast::hash(&entries) == self.entries_crc;
        Ok((!is_whole).then_some("the checksum of its list of partitions is wrong"))
    }
}

/// `length` bytes from byte `begin` on, or fewer where the disk ends.
fn bytes(disk: &mut File, begin: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    disk.seek(SeekFrom::Start(begin))?;
    disk.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk of 64 KiB with one entry, and where its parts begin.
    fn disk(sector: usize) -> Vec<u8> {
        let mut disk = vec![0; 64 << 10];
        disk[RECORD_PARTITIONS + TYPE] = PROTECTIVE;
        disk[RECORD - 2..RECORD].copy_from_slice(&[0x55, 0xaa]);
        disk[2 * sector..2 * sector + 128].fill(7);
        let mut header =
            [&b"EFI PART\0\0\x01\0\x5c\0\0\0"[..], &[0; 8], &1u64.to_le_bytes(), &[0; 16]].concat();
        header.extend((disk.len() as u64 / sector as u64 - 1).to_le_bytes());
        header.extend([0; 16]);
        header.extend(2u64.to_le_bytes());
        header.extend([1u32, 128, crc32fast::hash(&[7; 128])].iter().flat_map(|word| word.to_le_bytes()));
        let crc = crc32fast::hash(&header);
        header[HEADER_CRC..HEADER_CRC + 4].copy_from_slice(&crc.to_le_bytes());
        disk[sector..sector + HEADER].copy_from_slice(&header);
        disk
    }

    fn of(disk: &[u8]) -> Result<Option<u64>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), disk).unwrap();
        sector(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_header_tells_the_size_of_sectors() {
        assert_eq!(of(&disk(512)), Ok(Some(512)));
        assert_eq!(of(&disk(4096)), Ok(Some(4096)));
        let mut other = disk(512);
        other[RECORD_PARTITIONS + TYPE] = 0x83;
        assert_eq!(of(&other), Ok(None), "a table of another kind");
        assert_eq!(of(&disk(512)[..100]), Ok(None), "no table at all");
    }

    #[test]
    fn every_byte_of_the_table_counts() {
        for place in (512..512 + HEADER).chain(1024..1024 + 128) {
            let mut damaged = disk(512);
            damaged[place] ^= 1;
            let error = of(&damaged).unwrap_err();
            let expected = match place {
                512..520 => "there is no header",
                520..1024 => "the checksum of its header is wrong",
                _ => "the checksum of its list of partitions is wrong",
            };
            assert!(error.ends_with(expected), "byte {place}: {error}");
        }
        for length in [600, 1024, 1100] {
            assert!(of(&disk(512)[..length]).is_err(), "cut off at {length}");
        }
    }

    #[test]
    fn a_disk_is_as_long_as_its_table_says() {
        let error = of(&disk(512)[..65_535]).unwrap_err();
        assert_eq!(error, "its partition table (GPT) needs 65536 bytes, there are only 65535");
    }
}
