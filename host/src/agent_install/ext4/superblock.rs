//! What the superblock says of a file system.
//!
//! Source: Linux, Documentation/filesystems/ext4/super.rst. All numbers have their least significant byte first.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::agent_install::error::InstallError;

/// Where the superblock begins in a file system, and its size, in bytes.
pub(super) const PLACE: u64 = 1024;
const SIZE: usize = 1024;

const MAGIC: u16 = 0xef53;
/// `s_state`: unmounted in order; errors were found.
const CLEAN: u16 = 1;
const ERRORS: u16 = 2;
/// `s_feature_incompat`: the journal has to be replayed.
const RECOVER: u32 = 4;
/// `s_feature_incompat`: counts of blocks have 64 bits.
const WIDE: u32 = 0x80;
/// Largest logarithm of a block's KiB: 64 KiB.
const MAX_LOG_BLOCK: u32 = 6;

/// What an installer wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    /// Bytes of a block.
    pub(super) block_size: u64,
    /// Blocks of the file system.
    blocks: u64,
    /// Blocks that are free.
    pub(super) free_blocks: u64,
    /// Files that can still be made.
    pub(super) free_inodes: u64,
    state: u16,
    incompatible: u32,
}

impl Superblock {
    /// Reads the superblock of a file system that begins at byte `offset` of the file at `path`; `None` if there is none.
    ///
    /// # Errors
    /// Those of the file.
    pub(super) fn read(path: &Path, offset: u64) -> Result<Option<Self>, InstallError> {
        match bytes(path, offset) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(InstallError::File { source, .. }) if source.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8; SIZE]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let half = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let log_block = word(0x18)?;
        if half(0x38)? != MAGIC || log_block > MAX_LOG_BLOCK {
            return None;
        }
        let incompatible = word(0x60)?;
        let count = |low: usize, high: usize| {
            let high = if incompatible & WIDE != 0 { word(high)? } else { 0 };
            Some(u64::from(high) << 32 | u64::from(word(low)?))
        };
        Some(Self {
            block_size: 1024 << log_block,
            blocks: count(0x4, 0x150)?,
            free_blocks: count(0xc, 0x158)?,
            free_inodes: u64::from(word(0x10)?),
            state: half(0x3a)?,
            incompatible,
        })
    }

    /// Makes sure that what is on the disk is all of the file system; `there` is how many bytes it may have.
    ///
    /// # Errors
    /// [`InstallError::CutOff`], [`InstallError::Unclean`].
    pub(super) fn check(&self, there: u64) -> Result<(), InstallError> {
        let needed = self.blocks.saturating_mul(self.block_size);
        if needed > there {
            return Err(InstallError::CutOff { what: "the ext4 file system in it", needed, there });
        }
        let reason = if self.incompatible & RECOVER != 0 {
            "it was not unmounted, its journal has to be replayed"
        } else if self.state & ERRORS != 0 {
            "the kernel has found errors in it"
        } else if self.state & CLEAN == 0 {
            "it was not unmounted"
        } else {
            return Ok(());
        };
        Err(InstallError::Unclean { reason })
    }
}

/// The superblock of a file system that begins at byte `offset` of the file at `path`, as it is.
///
/// # Errors
/// Those of the file; `UnexpectedEof` if it ends before.
pub(super) fn bytes(path: &Path, offset: u64) -> Result<[u8; SIZE], InstallError> {
    let mut bytes = [0; SIZE];
    let file = File::open(path).map_err(InstallError::io("open", path))?;
    file.read_exact_at(&mut bytes, offset.saturating_add(PLACE)).map_err(InstallError::io("read", path))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(state: u16, incompatible: u32) -> Superblock {
        let mut bytes = [0; SIZE];
        bytes[0x4..0x8].copy_from_slice(&10u32.to_le_bytes());
        bytes[0xc..0x10].copy_from_slice(&7u32.to_le_bytes());
        bytes[0x10..0x14].copy_from_slice(&9u32.to_le_bytes());
        bytes[0x18..0x1c].copy_from_slice(&2u32.to_le_bytes());
        bytes[0x38..0x3a].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[0x3a..0x3c].copy_from_slice(&state.to_le_bytes());
        bytes[0x60..0x64].copy_from_slice(&incompatible.to_le_bytes());
        bytes[0x158] = 1;
        Superblock::parse(&bytes).unwrap()
    }

    #[test]
    fn room_is_told_in_blocks() {
        let narrow = block(CLEAN, 0);
        assert_eq!((narrow.block_size, narrow.free_blocks, narrow.free_inodes), (4096, 7, 9));
        assert_eq!(block(CLEAN, WIDE).free_blocks, 7 + (1 << 32));
        assert_eq!(Superblock::parse(&[0; SIZE]), None);
    }

    #[test]
    fn a_file_system_is_no_larger_than_what_it_is_in() {
        assert!(block(CLEAN, 0).check(40_960).is_ok());
        let error = block(CLEAN, 0).check(40_959).unwrap_err();
        assert!(matches!(error, InstallError::CutOff { needed: 40_960, there: 40_959, .. }), "{error}");
    }

    #[test]
    fn only_what_was_unmounted_without_errors_is_clean() {
        assert!(block(CLEAN, WIDE).check(u64::MAX).is_ok());
        for (state, incompatible, said) in
            [(CLEAN, RECOVER, "journal"), (CLEAN | ERRORS, 0, "errors"), (0, 0, "not unmounted")]
        {
            let error = block(state, incompatible).check(u64::MAX).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
