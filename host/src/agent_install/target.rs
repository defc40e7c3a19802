//! Which kind of target something is, by what is in it.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::time::Duration;

use super::directory::Directory;
use super::error::InstallError;
use super::ext4::{self, Ext4};
use super::partition;
use super::ramdisk::RamdiskTree;
use super::ssh::SshTarget;
use super::tar::Tar;
use super::tree::Tree;
use crate::codec::Codec;
use crate::ramdisk::{begins_ramdisk, unsupported};
use crate::rootfs::begins_tar;

/// Bytes that tell what a file is: a header of a tar, and the boot sector of a disk.
const BEGIN: u64 = 512;

/// The last bytes of a boot sector.
const BOOT_SIGNATURE: &[u8] = &[0x55, 0xaa];

/// What the command line says of a target beside its name.
#[derive(Clone, Debug)]
pub struct Options {
    /// The partition of a whole disk.
    pub partition: Option<u32>,
    /// The root filesystem on a board that is reached over SSH, if not its own.
    pub root: Option<String>,
    /// How long one run of a tool may take: of `ssh`, `partx`, `debugfs` or `e2undo`.
    pub limit: Duration,
}

/// What an agent can be installed in.
pub enum Target {
    /// A board.
    Ssh(SshTarget),
    /// A root filesystem that this PC can read.
    Files(Files),
}

/// A root filesystem that this PC can read.
pub struct Files {
    pub(super) tree: Box<dyn Tree>,
}

impl Target {
    /// Finds out what `name` is: `ssh:HOST`, or a path.
    ///
    /// # Errors
    /// [`InstallError::NotATarget`] if it is nothing of the kind, or what keeps it from being read.
    pub fn open(name: &str, options: &Options) -> Result<Self, InstallError> {
        if let Some(board) = SshTarget::parse(name, options.limit) {
            if options.partition.is_some() {
                return Err(InstallError::Option { option: "--partition" });
            }
            return match &options.root {
                Some(root) => board.with_root(root).map(Self::Ssh),
                None => Ok(Self::Ssh(board)),
            };
        }
        if options.root.is_some() {
            return Err(InstallError::Option { option: "--root" });
        }
        let tree = tree(Path::new(name), options)?;
        Ok(Self::Files(Files { tree }))
    }
}

fn tree(path: &Path, options: &Options) -> Result<Box<dyn Tree>, InstallError> {
    let limit = options.limit;
    let kind = std::fs::metadata(path).map_err(InstallError::io("open", path))?.file_type();
    let refuse = |found: &str| InstallError::NotATarget { found: found.to_owned() };
    if options.partition.is_some() {
        if !kind.is_file() && !kind.is_block_device() {
            return Err(InstallError::Option { option: "--partition" });
        }
        let partition = partition::find(path, options.partition, limit)?;
        return Ok(Box::new(Ext4::open(path, Some(&partition), limit)?));
    }
    if kind.is_dir() {
        return Ok(Box::new(Directory::open(path)?));
    }
    if !kind.is_file() && !kind.is_block_device() {
        return Err(refuse("a device, a pipe or a socket"));
    }
    if ext4::is_at(path, 0)? {
        return Ok(Box::new(Ext4::open(path, None, limit)?));
    }
    let begin = beginning(path)?;
    let may_be_disk = kind.is_block_device() || begin.get(510..) == Some(BOOT_SIGNATURE);
    if may_be_disk && !partition::partitions(path, limit)?.is_empty() {
        // Says which partitions there are.
        partition::find(path, None, limit)?;
    }
    if kind.is_block_device() {
        return Err(refuse("a disk without an ext4 file system and without partitions"));
    }
    if begins_tar(&begin) {
        return Ok(Box::new(Tar::open(path, None)?));
    }
    if begins_ramdisk(&begin) {
        return Ok(Box::new(RamdiskTree::open(path)?));
    }
    if let Some(error) = unsupported(&begin) {
        return Err(error.into());
    }
    let Some(codec) = Codec::of(&begin) else {
        return Err(refuse(&match begin.get(..8) {
            Some(begin) => format!("a file that begins with \"{}\"", begin.escape_ascii()),
            None => "an empty file, or nearly".to_owned(),
        }));
    };
    let inside = beginning_inside(path, codec)?;
    if begins_tar(&inside) {
        Ok(Box::new(Tar::open(path, Some(codec))?))
    } else if begins_ramdisk(&inside) {
        Ok(Box::new(RamdiskTree::open(path)?))
    } else {
        Err(refuse(&format!("a file packed with {codec} with neither a tar nor a RAM disk in it")))
    }
}

fn beginning(path: &Path) -> Result<Vec<u8>, InstallError> {
    let mut begin = Vec::new();
    let file = File::open(path).map_err(InstallError::io("open", path))?;
    file.take(BEGIN).read_to_end(&mut begin).map_err(InstallError::io("read", path))?;
    Ok(begin)
}

fn beginning_inside(path: &Path, codec: Codec) -> Result<Vec<u8>, InstallError> {
    let failed = InstallError::io("decompress", path);
    let file = File::open(path).map_err(InstallError::io("open", path))?;
    let plain = codec.decoder(std::io::BufReader::new(file)).map_err(&failed)?;
    let mut begin = Vec::new();
    plain.take(BEGIN).read_to_end(&mut begin).map_err(failed)?;
    Ok(begin)
}
