//! What keeps an agent from being installed, looked at or removed.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fault::Class;
use crate::ramdisk::RamdiskError;
use crate::rootfs::RootfsError;

/// What can be a target.
const TARGETS: &str =
    "name a mounted root filesystem, a root filesystem's tar, an image of one, a RAM disk, or ssh:HOST";

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A file of this PC cannot be used.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was to be done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It is nothing that an agent can be installed in.
    #[error("it is {found}, and no directory, tar, ext4 file system, disk image or RAM disk")]
    NotATarget {
        /// What it is.
        found: String,
    },
    /// A directory, but no root filesystem.
    #[error("it has no /bin, /sbin or /usr: this is no root filesystem")]
    NotARoot,
    /// The archive is damaged.
    #[error(transparent)]
    Tar(#[from] RootfsError),
    /// A RAM disk is not what it should be, or a file is packed in a way that is not supported.
    #[error(transparent)]
    Ramdisk(RamdiskError),
    /// Something of another owner is where the agent belongs.
    #[error("/{path} is there and is not of an installation of the agent")]
    Occupied {
        /// Its path in the target.
        path: String,
    },
    /// A path in the target cannot be said to the tool that changes it.
    #[error("the directory `/{path}` has a name with more than letters, digits and `._+-`")]
    OddPath {
        /// The path.
        path: String,
    },
    /// No program in the target tells what it runs on.
    #[error("cannot tell which architecture it is for: no shell and no init is an ELF program")]
    UnknownArchitecture,
    /// There is no agent for the target.
    #[error("there is no agent for {arch}: none of {} exists", list(tried))]
    NoAgent {
        /// The architecture.
        arch: String,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// The agent's file does not say that it is one.
    #[error("{} is no agent for {arch} of this release", path.display())]
    NotAnAgent {
        /// The file.
        path: PathBuf,
        /// The architecture.
        arch: String,
    },
    /// There is not enough room.
    #[error("it has no room: {needed} bytes are needed, {free} are free")]
    NoRoom {
        /// Bytes that the agent needs.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A file system is in use.
    #[error("it is in use: {holder}")]
    InUse {
        /// By what.
        holder: String,
    },
    /// A file system was not unmounted, or has errors.
    #[error("the ext4 file system in it is not clean: {reason}")]
    Unclean {
        /// What is wrong.
        reason: &'static str,
    },
    /// A whole disk, of which one partition is meant.
    #[error("it is a whole disk{}", partitions(found))]
    WholeDisk {
        /// Its partitions: number, bytes, and whether an ext4 file system is there.
        found: Vec<(u32, u64, bool)>,
    },
    /// The disk's partition table is damaged.
    #[error("the first copy of its partition table (GPT) is damaged: {problem}")]
    PartitionTable {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A part is missing.
    #[error("{what} needs {needed} bytes, there are only {there}")]
    CutOff {
        /// Of what.
        what: &'static str,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that the disk, image or partition has.
        there: u64,
    },
    /// The disk has no such partition.
    #[error("it has no partition {number}{}", partitions(found))]
    NoPartition {
        /// What was asked for.
        number: u32,
        /// Its partitions: number, bytes, and whether an ext4 file system is there.
        found: Vec<(u32, u64, bool)>,
    },
    /// A tool cannot be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The tool.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A tool failed.
    #[error("`{program}` failed: {said}")]
    Tool {
        /// The tool.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// A tool took too long, and was killed.
    #[error("`{program}` did not end within {} s{}", limit.as_secs_f64(), last(said.as_deref()))]
    Late {
        /// The tool.
        program: &'static str,
        /// The time that it had.
        limit: Duration,
        /// The last line that it wrote, if any.
        said: Option<String>,
    },
    /// What was written is not what is read.
    #[error("what was written to /{path} reads as something else")]
    NotWritten {
        /// Its path in the target.
        path: String,
    },
    /// The board refused.
    #[error("{said}")]
    Board {
        /// What it said.
        said: String,
        /// What to do about it.
        help: Option<&'static str>,
    },
    /// An option that has no meaning with the target.
    #[error("{option} has no meaning with it")]
    Option {
        /// The option.
        option: &'static str,
    },
}

impl InstallError {
    /// Makes a function that turns an error of the system into one of `doing` something with the file at `path`.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }

    /// Whose fault it is.
    pub fn class(&self) -> Class {
        match self {
            Self::NotATarget { .. }
            | Self::NotARoot
            | Self::UnknownArchitecture
            | Self::WholeDisk { .. }
            | Self::NoPartition { .. }
            | Self::Option { .. } => Class::Usage,
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Class::Usage,
            Self::NoAgent { .. } | Self::NotAnAgent { .. } => Class::Bench,
            Self::Ramdisk(error) => error.class(),
            _ => Class::Infrastructure,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => "it is another user's: try `sudo`",
                io::ErrorKind::ReadOnlyFilesystem => "mount it for writing: `sudo mount -o remount,rw …`",
                io::ErrorKind::StorageFull => "make room there; nothing was changed",
                io::ErrorKind::NotFound => TARGETS,
                _ => return None,
            },
            Self::NotATarget { .. } => TARGETS,
            Self::Ramdisk(error) => error.help()?,
            Self::NotARoot => "name the directory that the board will have as `/`",
            Self::Occupied { .. } => "look at it, and remove it if nobody needs it",
            Self::UnknownArchitecture => "say it with `--arch`, such as `--arch armv7`",
            Self::NoAgent { .. } | Self::NotAnAgent { .. } => {
                "build it with `cargo xtask agent`, or name its directory with `--agents`"
            }
            Self::InUse { .. } => "unmount it first, or name the directory where it is mounted",
            Self::Unclean { .. } => "let it be checked first: `e2fsck -f …`, or mount and unmount it",
            Self::WholeDisk { found } | Self::NoPartition { found, .. } => {
                let number = found.iter().find(|(_, _, is_ext)| *is_ext).map_or(1, |(number, ..)| *number);
                return Some(format!("say which partition has the root filesystem: `--partition {number}`"));
            }
            Self::PartitionTable { .. } => {
                "no board would start from it; `fdisk …` and its command `w` make it anew from the second copy"
            }
            Self::CutOff { .. } => "copy all of it there, or make the partition larger",
            Self::NoRoom { .. } => "make room in it, or make it larger; nothing was changed",
            Self::Start { package, .. } => return Some(format!("install it: `sudo apt install {package}`")),
            Self::Late { program: "e2undo", .. } | Self::Tool { program: "e2undo", .. } => {
                "a part of the change is still there: let it be checked, `e2fsck -f …`, and install it again"
            }
            Self::Late { program: "ssh", .. } => {
                "try `ssh` by hand first; a slow one gets longer by `--timeout`"
            }
            Self::Late { .. } => "see whether the disk answers at all; a slow one gets longer by `--timeout`",
            Self::Board { help, .. } => (*help)?,
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// A file that cannot be used is one, whatever was to be done with it.
impl From<RamdiskError> for InstallError {
    fn from(error: RamdiskError) -> Self {
        match error {
            RamdiskError::File { doing, path, source } => Self::File { doing, path, source },
            error => Self::Ramdisk(error),
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
}

fn last(said: Option<&str>) -> String {
    said.map_or_else(String::new, |line| format!("; it said last: {line}"))
}

fn partitions(found: &[(u32, u64, bool)]) -> String {
    let each = found.iter().map(|(number, bytes, is_ext)| {
        let what = if *is_ext { ", ext4" } else { "" };
        format!("{number} ({} MiB{what})", bytes >> 20)
    });
    let all = each.collect::<Vec<_>>().join(", ");
    if all.is_empty() { ", without partitions".to_owned() } else { format!(" with the partitions {all}") }
}
