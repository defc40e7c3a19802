//! Why something cannot become a root filesystem.

use std::io;
use std::path::PathBuf;

use backhand::BackhandError;

use super::ImageFormat;

/// Why a directory or an image cannot be read as a root filesystem.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or directory of this PC cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A directory is not the same at the end as it was at the beginning.
    #[error("{} changed while it was being read", path.display())]
    Changed {
        /// The first file that did.
        path: PathBuf,
    },
    /// There are more files than an index can hold.
    #[error("{} is one too many: more than {limit} files and directories are not supported", path.display())]
    TooMany {
        /// The first file beyond the limit.
        path: PathBuf,
        /// How many there may be.
        limit: usize,
    },
    /// The image is damaged, or of a kind that is not supported.
    #[error("not a usable {format} image")]
    Image {
        /// What it is.
        format: ImageFormat,
        /// What is wrong with it.
        #[source]
        problem: ImageProblem,
    },
    /// The image is of a format that is recognised, and not read.
    #[error("{format} images are not read")]
    Unsupported {
        /// What it is.
        format: ImageFormat,
    },
    /// One file of the image cannot be read.
    #[error("cannot read {member:?} of the {format} image")]
    Member {
        /// What it is.
        format: ImageFormat,
        /// The file's path in the image, invalid UTF-8 replaced.
        member: String,
        /// What is wrong with it.
        #[source]
        problem: ImageProblem,
    },
    /// The tar cannot be written.
    #[error("cannot write the tar")]
    Write(#[from] io::Error),
}

/// What is wrong with an image, or a file of it.
#[derive(Debug, thiserror::Error)]
pub enum ImageProblem {
    /// The image's own numbers contradict each other.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// It goes beyond a limit.
    #[error("more than {limit} {what} are not supported")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
    /// A table of a squashfs image is not as the library expects it.
    #[error("its tables cannot be read: damaged, or with a symbolic link of more than 255 bytes")]
    Parse(#[source] BackhandError),
    /// What else the library for squashfs says.
    #[error(transparent)]
    Squashfs(BackhandError),
    /// The system's error, or what the decoder of the data says.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<BackhandError> for ImageProblem {
    fn from(error: BackhandError) -> Self {
        match error {
            BackhandError::Deku(_) => Self::Parse(error),
            error => Self::Squashfs(error),
        }
    }
}
