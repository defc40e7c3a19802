//! The steps of an upload, and how one leads to the next.

use super::{Checksum, Decoder};

/// What is awaited; candidates are those that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Decoder(Decoder),
    Unpacker(&'static str),
    Checksum(Checksum),
    /// Index of the directory.
    Place(usize),
    DefineReceiver,
    StartReceiver,
    Sending,
    Assemble,
    Check,
    CleanUp,
    Finished,
}

impl Step {
    /// What the shell is to do.
    pub(super) const fn work(self) -> &'static str {
        match self {
            Self::DefineReceiver => "define the receiver of an upload",
            Self::StartReceiver => "start the receiver of an upload",
            Self::Assemble => "put the pieces of an upload together",
            Self::Check => "check an upload",
            Self::CleanUp => "remove the pieces of an upload",
            _ => "try what it has",
        }
    }
}

/// The exit status that an answer begins with.
pub(super) fn status(value: &str) -> Option<&str> {
    let status = value.split(' ').next().unwrap_or_default();
    (!status.is_empty() && status.bytes().all(|byte| byte.is_ascii_digit())).then_some(status)
}

/// The one of `all` that follows `this`.
pub(super) fn after<T: PartialEq + Copy>(all: &[T], this: &T) -> Option<T> {
    all.iter().skip_while(|one| *one != this).nth(1).copied()
}
