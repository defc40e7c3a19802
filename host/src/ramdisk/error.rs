//! Why a RAM disk cannot be read, changed or written.

use std::io;
use std::path::{Path, PathBuf};

use super::cpio::CpioError;
use super::uimage::ImageError;
use crate::codec::Codec;
use crate::fault::Class;
use crate::rootfs::FsError;

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub enum RamdiskError {
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
    /// It is packed, or is an archive, of a kind that is not supported.
    #[error("it is {found}, which is not supported")]
    Unsupported {
        /// What it is.
        found: &'static str,
        /// What to do about it.
        help: &'static str,
    },
    /// It is something else.
    #[error("what begins with \"{begin}\" is no cpio archive")]
    NotAnArchive {
        /// Its first bytes, those that are no characters escaped.
        begin: String,
    },
    /// An archive in it is damaged.
    #[error(transparent)]
    Archive(#[from] CpioError),
    /// An archive begins where the kernel finds none.
    #[error("an archive begins at byte {at}, which is no multiple of {} bytes", super::cpio::ALIGNMENT)]
    Unaligned {
        /// Where.
        at: usize,
    },
    /// What it is packed with is damaged.
    #[error("its {codec} data is damaged or cut off")]
    Packed {
        /// How it is packed.
        codec: Codec,
        /// The decoder's reason.
        #[source]
        source: io::Error,
    },
    /// What it is packed with is damaged.
    #[error("its LZ4 data is damaged or cut off at byte {at}")]
    Lz4 {
        /// Where.
        at: usize,
    },
    /// It is larger than what a board has memory for, now or with what is put into it.
    #[error("it is larger than {limit} bytes when unpacked")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// It has, or would have, more files than can be looked at, or longer ways to them.
    #[error("it has too many files, or too long ways to them")]
    TooComplex,
    /// U-Boot's header is not as it should be.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// U-Boot's header is before something else.
    #[error("U-Boot's header is that of another image than a RAM disk")]
    OtherImage,
    /// A directory is where a file is to be put, or what is removed is not empty.
    #[error("/{path} is a directory in the RAM disk")]
    IsDirectory {
        /// Its path in the RAM disk.
        path: String,
    },
    /// Something else is where a directory is needed.
    #[error("/{path} is no directory in the RAM disk")]
    NotDirectory {
        /// Its path in the RAM disk.
        path: String,
    },
    /// Too many symbolic links lead to each other.
    #[error("the way to /{path} leads through too many symbolic links of the RAM disk")]
    Links {
        /// The path.
        path: String,
    },
    /// A path that an archive cannot hold.
    #[error("`{path}` is too long for a RAM disk, or has a NUL in it")]
    BadPath {
        /// The path, or a link's target.
        path: String,
    },
    /// What is to be put into it cannot be read.
    #[error("cannot read the tar of {path}")]
    Tar {
        /// The member's path in the tar.
        path: String,
        /// Why not.
        #[source]
        source: FsError,
    },
    /// It cannot be packed.
    #[error("cannot pack the RAM disk")]
    Pack(#[from] io::Error),
}

impl RamdiskError {
    /// Makes a function that turns an error of the system into one of `doing` something with the file at `path`.
    pub(super) fn file(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }

    /// Whose fault it is: the job's if it names what is not supported or has no place, else the infrastructure's.
    pub const fn class(&self) -> Class {
        match self {
            Self::Unsupported { .. }
            | Self::IsDirectory { .. }
            | Self::NotDirectory { .. }
            | Self::BadPath { .. } => Class::Job,
            _ => Class::Infrastructure,
        }
    }

    /// Whether it may be a good RAM disk that only a board can read, and not one that is damaged.
    pub const fn is_of_other_kind(&self) -> bool {
        matches!(self, Self::Unsupported { .. } | Self::NotAnArchive { .. } | Self::TooLarge { .. })
    }

    /// What to do about it.
    pub const fn help(&self) -> Option<&'static str> {
        match self {
            Self::Unsupported { help, .. } => Some(help),
            _ => None,
        }
    }
}
