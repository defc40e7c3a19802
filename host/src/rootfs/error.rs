//! What can go wrong: with an archive or a directory of ours ([`RootfsError`]), and with an operation ([`FsError`]).

use std::io;
use std::path::PathBuf;

use super::JournalError;

/// Why a root filesystem could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    /// A file or directory on the bench PC could not be opened or made.
    #[error("cannot open {path}")]
    Open {
        /// The path on the bench PC.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The file is no tar archive, or a header in it is damaged.
    #[error("{path} is not a tar archive, or is damaged after member {after:?} (entry {index})")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Name of the last good member; empty if there was none.
        after: String,
        /// How many members were good.
        index: u64,
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// The archive holds no member at all.
    #[error("{path} holds no files: it is empty, or not a tar archive")]
    Empty {
        /// The archive.
        path: PathBuf,
    },
    /// One member is refused.
    #[error("member {member:?} of {path} {problem}")]
    Member {
        /// The archive.
        path: PathBuf,
        /// Name of the member, invalid UTF-8 replaced.
        member: String,
        /// What is wrong with it.
        problem: MemberProblem,
    },
    /// The log of a layer cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The layer was made on another root filesystem.
    #[error("the layer in {path} was made on another root filesystem")]
    OtherLower {
        /// The layer's directory.
        path: PathBuf,
    },
    /// Another process has the layer open.
    #[error(
        "another process is using the layer in {path}: a run that goes on or keeps its board on (`host-runner boards` tells), or \
             another `host-runner rootfs`"
    )]
    InUse {
        /// The layer's directory.
        path: PathBuf,
    },
    /// The archive is larger than the index can hold.
    #[error("{path} holds more than {limit} {what}")]
    TooLarge {
        /// The archive.
        path: PathBuf,
        /// What there are too many of.
        what: &'static str,
        /// How many the index can hold.
        limit: u64,
    },
}

/// Why a member of an archive is refused; reads after "member NAME of ARCHIVE".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberProblem {
    /// The name or a hard link's target climbs with `..`.
    #[error("has `..` in its name or link target")]
    ParentComponent,
    /// A name is too long, empty, or holds a NUL.
    #[error("has a name or link target that is empty, holds a NUL, or is too long")]
    BadName,
    /// The way to the member leads through a file.
    #[error("lies below something that is not a directory")]
    NotDirectory,
    /// Symbolic links on the way to the member go round in circles.
    #[error("lies behind a loop of symbolic links")]
    SymlinkLoop,
    /// A hard link whose target is nowhere in the archive, or only reached through itself.
    #[error("is a hard link to {0:?}, which is not in the archive")]
    DanglingLink(String),
    /// A hard link to a directory.
    #[error("is a hard link to a directory")]
    LinkToDirectory,
    /// The archive ends before the member's data does.
    #[error("is cut off: its {size} bytes go past the end of the archive")]
    Truncated {
        /// Size by the header, in bytes.
        size: u64,
    },
    /// A number in the header cannot be read or is out of range.
    #[error("has a bad {0} field")]
    BadField(&'static str),
    /// The map of a sparse member contradicts itself.
    #[error("has a sparse map that contradicts itself")]
    BadSparseMap,
    /// The archive has more of something than can be held, counted up to this member.
    #[error("is one too many: more than {limit} {what} are not supported")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: u64,
    },
    /// A hard link that comes before its file, as do too many links between them.
    #[error("is a hard link behind more than 40 others, all of which come before their file")]
    LinkChain,
    /// A member of a type that is not supported.
    #[error("is of type {0:?}, which is not supported; make the archive again without --multi-volume")]
    Unsupported(String),
}

/// Why an operation on the root filesystem failed: the errors of POSIX that RFC 1813 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FsError {
    /// EPERM: the caller does not own the object.
    #[error("operation not permitted")]
    NotPermitted,
    /// ENOENT.
    #[error("no such file or directory")]
    NotFound,
    /// EIO: the bench PC's disk failed.
    #[error("input/output error")]
    Io,
    /// EACCES: a permission bit is missing.
    #[error("permission denied")]
    AccessDenied,
    /// EEXIST.
    #[error("file exists")]
    Exists,
    /// ENOTDIR.
    #[error("not a directory")]
    NotDirectory,
    /// EISDIR.
    #[error("is a directory")]
    IsDirectory,
    /// EINVAL.
    #[error("invalid argument")]
    Invalid,
    /// EFBIG.
    #[error("file too large")]
    FileTooLarge,
    /// ENOSPC: the layer's budget or the disk is used up.
    #[error("no space left")]
    NoSpace,
    /// EMLINK.
    #[error("too many links")]
    TooManyLinks,
    /// ENAMETOOLONG.
    #[error("name too long")]
    NameTooLong,
    /// ENOTEMPTY.
    #[error("directory not empty")]
    NotEmpty,
    /// ELOOP: too many symbolic links on the way.
    #[error("too many levels of symbolic links")]
    Loop,
    /// ESTALE: the object is gone.
    #[error("stale file handle")]
    Stale,
    /// The guard of a SETATTR does not match (NFS3ERR_NOT_SYNC).
    #[error("the object changed meanwhile")]
    NotSync,
}
