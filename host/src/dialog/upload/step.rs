//! The steps of an upload, and how one leads to the next.

use super::script::{LAST, UNPACKERS};
use super::{Checksum, Decoder};

/// What is awaited; candidates are those that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Programs,
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

/// Those of `all` that follow `last`; all if that is none.
pub(super) fn after<T: PartialEq + Copy>(all: &[T], last: Option<T>) -> impl Iterator<Item = T> {
    let skipped = last.and_then(|last| all.iter().position(|one| *one == last)).map_or(0, |at| at + 1);
    all.iter().copied().skip(skipped)
}

/// The names in an answer that lists programs.
pub(super) fn listed(value: &str) -> Option<Vec<String>> {
    let mut names: Vec<String> = value.split(' ').map(str::to_owned).collect();
    (names.pop()? == LAST && names.iter().all(|name| asked_for().contains(&name.as_str()))).then_some(names)
}

/// The names of all programs that may be of use.
pub(super) fn asked_for() -> Vec<&'static str> {
    let decoders = Decoder::ALL.into_iter().map(Decoder::program);
    let unpackers = UNPACKERS.into_iter().map(program);
    let mut names: Vec<_> =
        decoders.chain(unpackers).chain(Checksum::PROGRAMS.into_iter().map(Checksum::command)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The program of a command.
pub(super) fn program(command: &'static str) -> &'static str {
    command.split(' ').next().unwrap_or_default()
}
