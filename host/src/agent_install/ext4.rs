//! An ext2, ext3 or ext4 file system: an image, a partition, or a partition of a whole disk.
//!
//! e2fsprogs' `debugfs` changes it without mounting, and so without root where the file is the user's. What `debugfs` does is
//! recorded for `e2undo`: when one step fails, or what is read afterwards is not what was written, all is taken back.

mod debugfs;
mod superblock;

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags};

use self::debugfs::{Debugfs, quoted};
use self::superblock::Superblock;
use super::error::InstallError;
use super::layout::split;
use super::partition::Partition;
use super::tree::{Change, Found, Tree};

/// Blocks that directories may grow by, beside one for each change.
const SPARE_BLOCKS: u64 = 16;

/// Where the kernel tells which files are loop devices.
const SYS_BLOCK: &str = "/sys/block";

/// A file system as a root filesystem.
#[derive(Debug)]
pub(super) struct Ext4 {
    path: PathBuf,
    offset: u64,
    /// Bytes of the partition that it is in, if it is in one.
    size: Option<u64>,
    debugfs: Debugfs,
}

/// Whether an ext2, ext3 or ext4 file system begins at byte `offset` of the file at `path`.
///
/// # Errors
/// Those of the file.
pub(super) fn is_at(path: &Path, offset: u64) -> Result<bool, InstallError> {
    Ok(Superblock::read(path, offset)?.is_some())
}

impl Ext4 {
    /// Takes the file system that the file at `path` is, or that is in its partition `partition`. One run of a tool may take as long as `limit`.
    ///
    /// # Errors
    /// [`InstallError::NotATarget`] if none is there.
    pub(super) fn open(
        path: &Path,
        partition: Option<&Partition>,
        limit: Duration,
    ) -> Result<Self, InstallError> {
        let offset = partition.map_or(0, |partition| partition.offset);
        if !is_at(path, offset)? {
            return Err(InstallError::NotATarget {
                found: "a partition without an ext4 file system".to_owned(),
            });
        }
        let path = path.canonicalize().map_err(InstallError::io("find", path))?;
        // What follows is taken for options by e2fsprogs.
        if path.as_os_str().as_bytes().contains(&b'?') {
            return Err(InstallError::NotATarget { found: "a file with `?` in its path".to_owned() });
        }
        let debugfs = Debugfs::new(&path, offset, limit)?;
        Ok(Self { path, offset, size: partition.map(|partition| partition.size), debugfs })
    }

    /// Makes sure that nobody else has the file system, and that it can be changed as it lies on the disk. It is held as long as the
    /// file is open.
    fn claim(&self, changes: &[Change]) -> Result<File, InstallError> {
        let failed = InstallError::io("write", &self.path);
        let kind = std::fs::metadata(&self.path).map_err(&failed)?.file_type();
        // Of a device that is mounted, or has a mounted partition, the kernel says so.
        let flags = if kind.is_block_device() { OFlags::EXCL } else { OFlags::empty() };
        let flags = flags.bits().cast_signed();
        let file = File::options().read(true).write(true).custom_flags(flags).open(&self.path);
        let in_use = |holder: &str| InstallError::InUse { holder: holder.to_owned() };
        let mut file = file.map_err(|error| match error.kind() {
            std::io::ErrorKind::ResourceBusy => in_use("it is mounted"),
            _ => failed(error),
        })?;
        if let Some(device) = loop_device(Path::new(SYS_BLOCK), &self.path) {
            return Err(in_use(&format!("{device} is attached to it")));
        }
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| in_use("another program has locked it"))?;
        let superblock = Superblock::read(&self.path, self.offset)?;
        let superblock = superblock.ok_or(InstallError::Unclean { reason: "it has just gone" })?;
        let end = file.seek(SeekFrom::End(0)).map_err(&failed)?;
        superblock.check(end.saturating_sub(self.offset).min(self.size.unwrap_or(u64::MAX)))?;
        let block = superblock.block_size;
        let blocks = changes.iter().map(|change| match change {
            Change::Write { content, .. } => (content.len() as u64).div_ceil(block),
            Change::MakeDirectory(_) => 1,
            _ => 0,
        });
        let needed = (blocks.sum::<u64>() + SPARE_BLOCKS) * block;
        let is_made =
            |change: &&Change| !matches!(change, Change::RemoveFile(_) | Change::RemoveDirectory(_));
        let inodes = changes.iter().filter(is_made).count() as u64;
        let free = superblock.free_blocks.saturating_mul(block);
        if inodes > 0 && (needed > free || inodes > superblock.free_inodes) {
            return Err(InstallError::NoRoom { needed, free });
        }
        Ok(file)
    }

    /// The commands that make one change; `index` names the file with what is to be written.
    fn commands(&mut self, index: usize, change: &Change) -> Result<Vec<String>, InstallError> {
        let path = quoted(change.path())?;
        let is_there = self.look(change.path())?.is_some();
        let remove = is_there.then(|| format!("rm {path}"));
        let own = |path: &str, mode: u32| {
            [("mode", format!("0{mode:o}")), ("uid", "0".to_owned()), ("gid", "0".to_owned())]
                .map(|(field, value)| format!("set_inode_field {path} {field} {value}"))
        };
        let mut commands = Vec::new();
        match change {
            Change::MakeDirectory(_) => {
                commands.push(format!("mkdir {path}"));
                commands.extend(own(&path, 0o040_755));
            }
            Change::Write { mode, .. } => {
                commands.extend(remove);
                commands.push(format!("write {} {path}", Debugfs::content(index)));
                commands.extend(own(&path, 0o100_000 | mode));
            }
            Change::Link { target, .. } => {
                commands.extend(remove);
                commands.push(format!("symlink {path} {target}"));
            }
            Change::RemoveFile(_) => commands.extend(remove),
            Change::RemoveDirectory(_) => commands.push(format!("rmdir {path}")),
        }
        Ok(commands)
    }

    fn check(&mut self, changes: &[Change]) -> Result<(), InstallError> {
        for change in changes {
            let path = change.path();
            let is_right = match change {
                Change::Write { content, .. } => self.read(path, content.len() + 1)? == *content,
                Change::Link { target, .. } => self.look(path)? == Some(Found::Link(target.clone())),
                Change::MakeDirectory(_) => self.look(path)? == Some(Found::Directory),
                Change::RemoveFile(_) | Change::RemoveDirectory(_) => self.look(path)?.is_none(),
            };
            if !is_right {
                return Err(InstallError::NotWritten { path: path.to_owned() });
            }
        }
        Ok(())
    }
}

/// The loop device that the file at `path` is attached to, as `blocks` (`/sys/block`) tells.
fn loop_device(blocks: &Path, path: &Path) -> Option<String> {
    let devices = std::fs::read_dir(blocks).ok()?;
    devices.filter_map(Result::ok).find_map(|device| {
        let backing = std::fs::read_to_string(device.path().join("loop/backing_file")).ok()?;
        (Path::new(backing.trim_end_matches('\n')) == path)
            .then(|| format!("/dev/{}", device.file_name().to_string_lossy()))
    })
}

impl Tree for Ext4 {
    fn look(&mut self, path: &str) -> Result<Option<Found>, InstallError> {
        if path.is_empty() {
            return Ok(Some(Found::Directory));
        }
        let (parent, name) = split(path);
        let entry = self.debugfs.list(parent)?.into_iter().find(|entry| entry.name == name);
        let Some(entry) = entry else { return Ok(None) };
        // The types of stat(2).
        Ok(Some(match entry.mode & 0o170_000 {
            0o040_000 => Found::Directory,
            0o100_000 => Found::File { size: entry.size, mode: entry.mode & 0o7777 },
            0o120_000 => self.debugfs.read_link(path)?.map_or(Found::Other, Found::Link),
            _ => Found::Other,
        }))
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, InstallError> {
        Ok(self.debugfs.list(path)?.into_iter().map(|entry| entry.name).collect())
    }

    fn read(&mut self, path: &str, limit: usize) -> Result<Vec<u8>, InstallError> {
        self.debugfs.read(path, limit)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), InstallError> {
        let claimed = self.claim(changes)?;
        let mut commands = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            commands.extend(self.commands(index, change)?);
        }
        let contents = changes.iter().enumerate().filter_map(|(index, change)| match change {
            Change::Write { content, .. } => Some((index, content.as_slice())),
            _ => None,
        });
        self.debugfs.change(contents, &commands)?;
        let checked = self.check(changes);
        if checked.is_err() {
            self.debugfs.undo()?;
        }
        claimed.sync_all().map_err(InstallError::io("write", &self.path))?;
        checked
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_was_done_before_a_failure_is_taken_back() {
        for offset in [0, 1 << 20] {
            let directory = tempfile::tempdir().unwrap();
            let image = directory.path().join("image");
            File::create(&image).unwrap().set_len(offset + (4 << 20)).unwrap();
            let mke2fs = ["/usr/sbin/mke2fs", "mke2fs"].into_iter().find(|path| Path::new(path).exists());
            let made = Command::new(mke2fs.unwrap_or("mke2fs"))
                .args(["-q", "-F", "-t", "ext4", "-E", &format!("offset={offset}")])
                .arg(&image)
                .arg("4M")
                .status();
            assert!(made.expect("mke2fs (Debian package e2fsprogs)").success());
            let before = std::fs::read(&image).unwrap();
            let partition = Partition { number: 1, offset, size: 4 << 20 };
            let mut ext4 = Ext4::open(&image, Some(&partition), Duration::from_secs(60)).unwrap();
            let commands = ["mkdir /a", "write content-0 /a/b", "rm /nothing"].map(str::to_owned);
            let contents = [(0, &b"new"[..])].into_iter();
            let error = ext4.debugfs.change(contents, &commands).unwrap_err();
            assert!(error.to_string().contains("File not found"), "{error}");
            assert!(std::fs::read(&image).unwrap() == before, "the image has changed");

            ext4.debugfs.change([(0, &b"new"[..])].into_iter(), &commands[..2]).unwrap();
            assert_eq!(ext4.read("a/b", 9).unwrap(), b"new");
            ext4.debugfs.undo().unwrap();
            assert!(std::fs::read(&image).unwrap() == before, "the image has changed");
        }
    }

    #[test]
    fn a_loop_device_of_the_image_is_found() {
        let sys = tempfile::tempdir().unwrap();
        for (device, file) in [("loop0", "/srv/other.img"), ("loop7", "/srv/board.img"), ("sda", "")] {
            let directory = sys.path().join(device).join("loop");
            std::fs::create_dir_all(&directory).unwrap();
            if !file.is_empty() {
                std::fs::write(directory.join("backing_file"), format!("{file}\n")).unwrap();
            }
        }
        let device = |path: &str| loop_device(sys.path(), Path::new(path));
        assert_eq!(device("/srv/board.img").as_deref(), Some("/dev/loop7"));
        assert_eq!(device("/srv/board"), None);
    }
}
