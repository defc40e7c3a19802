//! Why an artifact cannot be had.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::checksum::{MalformedChecksum, Mismatch};
use super::decompress::Compression;
use crate::fault::Class;

/// An artifact that cannot be had; the source says why.
#[derive(Debug, thiserror::Error)]
#[error("cannot get {url}{}", Mirrored(mirrored.as_deref()))]
pub struct ArtifactError {
    /// The URL, as in the job.
    pub url: String,
    /// Where a mirror rule led, if one matched.
    pub mirrored: Option<String>,
    /// What went wrong.
    #[source]
    pub reason: Reason,
}

impl ArtifactError {
    /// Whether time was over.
    pub const fn is_late(&self) -> bool {
        self.reason.is_late()
    }

    /// Says whose fault it is.
    pub const fn class(&self) -> Class {
        self.reason.class()
    }

    /// What to do about it, where that can be said.
    pub fn help(&self) -> Option<String> {
        let place =
            if self.mirrored.is_some() { "where the `[[mirror]]` of the bench file leads" } else { "there" };
        self.reason.help(place)
    }
}

/// Shows the mirrored URL behind the original one.
pub(super) struct Mirrored<'a>(pub(super) Option<&'a str>);

impl fmt::Display for Mirrored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |to| write!(f, " (mirrored to {to})"))
    }
}

/// What went wrong with an artifact.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The URL is of a kind that cannot be fetched.
    #[error("only http://, https://, scp://, file:// and absolute paths can be fetched")]
    UnsupportedUrl,
    /// A checksum of the job cannot be one.
    #[error(transparent)]
    MalformedChecksum(#[from] MalformedChecksum),
    /// The file is another one than the job means.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// A local file cannot be read.
    #[error("cannot read {}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A local file is being written to.
    #[error("{} changed each of the {copies} times that it was copied", path.display())]
    Changing {
        /// The file.
        path: PathBuf,
        /// How often it was copied.
        copies: u32,
    },
    /// The path is that of a directory or device.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// The server answered, but not with the file.
    #[error("the server answered {status}")]
    Status {
        /// Code and name, such as `404 Not Found`.
        status: String,
    },
    /// The server cannot be reached, or broke off.
    #[error("the download failed")]
    Http(#[source] Box<ureq::Error>),
    /// `ssh` cannot be run.
    #[error("`ssh` cannot be run (Debian package openssh-client)")]
    Ssh(#[source] io::Error),
    /// `ssh`, or `cat` on the other side, failed.
    #[error("ssh ended with {status}: {words}")]
    Remote {
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        words: String,
    },
    /// The server broke off in the file.
    #[error("the download broke off after {got} of {} bytes", Total(*total))]
    BrokenOff {
        /// Bytes that came.
        got: u64,
        /// Bytes that were announced.
        total: Option<u64>,
        /// What the connection said.
        #[source]
        source: io::Error,
    },
    /// It went wrong more than once.
    #[error("given up after {attempts} attempts")]
    Attempts {
        /// How many.
        attempts: u32,
        /// The last one's reason.
        #[source]
        last: Box<Self>,
    },
    /// The file is larger than the limit.
    #[error("it is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is not compressed as the job says.
    #[error("not a valid {compression} file: begins with {begins}")]
    NotCompressed {
        /// What the job says.
        compression: Compression,
        /// The first bytes, hexadecimal and as text.
        begins: String,
    },
    /// The compressed data is damaged.
    #[error("damaged {compression} file")]
    Damaged {
        /// What the job says.
        compression: Compression,
        /// The decoder's error.
        #[source]
        source: io::Error,
    },
    /// An archive that is to have one file has another number of them, or a directory.
    #[error("it has to be one file, but the {0}")]
    NotOneFile(Members),
    /// The cache cannot be written or read.
    #[error("the cache cannot use {}", path.display())]
    Cache {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Another run works on the same artifact.
    #[error("another run has been fetching the same for {waited:.0?}")]
    Locked {
        /// How long it was waited for.
        waited: Duration,
    },
    /// Time is over.
    #[error("not there after {waited:.1?}")]
    Timeout {
        /// How long it took.
        waited: Duration,
        /// What went wrong before, if anything.
        #[source]
        last: Option<Box<Self>>,
    },
    /// Nobody wants it any more.
    #[error("cancelled")]
    Cancelled,
    /// The system has no thread left.
    #[error("no thread for the download")]
    Thread(#[source] io::Error),
    /// The fetching thread panicked.
    #[error("fetching panicked")]
    Panicked,
}

impl Reason {
    /// Whether time was over.
    pub const fn is_late(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Locked { .. })
    }

    /// What to do about it; `place` is where it was looked for.
    fn help(&self, place: &str) -> Option<String> {
        Some(match self {
            Self::Attempts { last, .. } => return last.help(place),
            Self::UnsupportedUrl | Self::MalformedChecksum(_) | Self::Cancelled | Self::Panicked => return None,
            Self::Mismatch(_) => {
                "if the file was made anew, give the job its new checksum; if it was not, it is damaged or another one"
                    .to_owned()
            }
            Self::Status { .. } => format!(
                "is it {place}, under that name, and open for this PC? `curl -I URL` shows what a server says"
            ),
            Self::Local { .. } => format!("is it {place}, under that name, and may this user read it?"),
            Self::NotAFile(_) => format!("is it {place}, under that name, and a file?"),
            Self::Http(_) | Self::BrokenOff { .. } | Self::Timeout { .. } => {
                "does this PC reach that server (`curl -I URL`)? A `[[mirror]]` of the bench file takes it from elsewhere; \
                 with a checksum in the job, a file that is in the cache needs no server"
                    .to_owned()
            }
            // Of ssh itself (ssh(1), EXIT STATUS); others are those of the command there.
            Self::Remote { status, .. } if status.code() == Some(255) => {
                "`ssh HOST true` must work for this user without a question; its ssh_config(5) says how".to_owned()
            }
            Self::Remote { .. } => format!("is it {place}, under that name, and may that user read it?"),
            Self::NotCompressed { .. } | Self::Damaged { .. } => {
                "does `compression` of the job fit the file (`file NAME`), and is the file whole?".to_owned()
            }
            Self::Cache { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "`host-runner doctor` shows the room that the cache has, `host-runner cache prune` makes some".to_owned()
            }
            Self::Ssh(_)
            | Self::Cache { .. }
            | Self::Changing { .. }
            | Self::TooLarge { .. }
            | Self::NotOneFile(_)
            | Self::Locked { .. }
            | Self::Thread(_) => return None,
        })
    }

    /// Says whose fault it is: the job's if it asks for something impossible, else the infrastructure's.
    pub const fn class(&self) -> Class {
        match self {
            Self::UnsupportedUrl | Self::MalformedChecksum(_) => Class::Job,
            Self::Cancelled => Class::Cancelled,
            Self::Panicked => Class::Bug,
            _ => Class::Infrastructure,
        }
    }
}

/// How many names of an archive are told.
const MAX_NAMES: usize = 10;

/// What is in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    archive: &'static str,
    files: u64,
    others: u64,
    /// The first ones, as far as they are told.
    names: Vec<String>,
}

impl Members {
    /// Nothing is in an `archive`, such as a `zip archive`.
    pub(super) const fn new(archive: &'static str) -> Self {
        Self { archive, files: 0, others: 0, names: Vec::new() }
    }

    /// Counts a member, which is a regular file or not.
    pub(super) fn add(&mut self, name: &[u8], is_file: bool) {
        *(if is_file { &mut self.files } else { &mut self.others }) += 1;
        if self.names.len() < MAX_NAMES {
            self.names.push(String::from_utf8_lossy(name).into_owned());
        }
    }

    /// Whether one file is in it, and nothing else.
    pub(super) const fn is_one_file(&self) -> bool {
        self.files == 1 && self.others == 0
    }
}

/// `tar has 12: a, b, … and 2 more`.
impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.files + self.others;
        write!(f, "{} has {}", self.archive, if count == 0 { "none".to_owned() } else { count.to_string() })?;
        let more = count - self.names.len() as u64;
        for (index, name) in self.names.iter().enumerate() {
            write!(f, "{}`{}`", if index == 0 { ": " } else { ", " }, name.escape_debug())?;
        }
        if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
    }
}

/// Shows a length that may be unknown.
struct Total(Option<u64>);

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(total) => total.fmt(f),
            None => f.write_str("an unknown number of"),
        }
    }
}
