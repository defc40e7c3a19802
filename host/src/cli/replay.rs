//! `host-runner replay DIR`: a stored run, through the same reports.

use std::io;
use std::path::Path;

use crate::cli::args::ReplayArgs;
use crate::cli::message::Failure;
use crate::cli::reports;
use crate::event::EventKind;
use crate::fault::{Class, Fault};
use crate::report::jsonl::{self, ReadError};
use crate::report::{Broken, Reports};

/// Prints what the terminal printed, and with `--out` writes every report again.
///
/// The exit code is that of reading the run and writing the reports, not that of the run.
pub(super) fn replay(args: &ReplayArgs) -> Result<Option<Class>, Failure> {
    let path = args.directory.join("run.jsonl");
    let mut all = Vec::new();
    if let Some(out) = &args.out {
        // Nothing is made for what is no run.
        match jsonl::read(&path, |_| Err(First::Event)) {
            Ok(()) | Err(First::Event) => {}
            Err(First::Read(error)) => return Err(no_run(&path, &error).into()),
        }
        reports::make_out_directory(out)?;
        all = reports::files(out)?;
    }
    let files = all.len();
    all.extend(reports::printed(&args.display, None, &args.directory)?);
    let mut reports = Reports::new(all);
    let mut finished = false;
    let result = jsonl::read::<ReplayError>(&path, |event| {
        finished |= matches!(event.kind, EventKind::RunFinished { .. });
        check(reports.report(&event), files > 0)
    });
    let result = match result {
        Ok(()) if !finished => check(reports.cut_off(), files > 0),
        result => result,
    };
    match result {
        Ok(()) if finished => Ok(None),
        Ok(()) => Err(Fault::new(
            Class::Infrastructure,
            path.display().to_string(),
            "the run was cut off: its last event is missing",
        )
        .into()),
        // `replay … | head` is not an error.
        Err(ReplayError::Report(broken)) if broken.error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
        Err(ReplayError::Report(broken)) => {
            let place = args.out.as_ref().unwrap_or(&args.directory).display().to_string();
            Err(Fault::new(Class::Infrastructure, place, broken).into())
        }
        Err(ReplayError::Read(error)) => Err(no_run(&path, &error).into()),
    }
}

fn no_run(path: &Path, error: &ReadError) -> Fault {
    Fault::from_error(Class::Job, path.display().to_string(), error)
        .with_help("give the directory that `host-runner run` wrote its results to")
}

/// How the reading of the first event ends.
enum First {
    Event,
    Read(ReadError),
}

impl From<ReadError> for First {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// A report that failed ends the replay; but where files are written, they do not need somebody who reads the print.
fn check(broken: Vec<Broken>, has_files: bool) -> Result<(), ReplayError> {
    let is_read_no_more = |broken: &Broken| broken.error.kind() == io::ErrorKind::BrokenPipe;
    match broken.into_iter().find(|broken| !(has_files && is_read_no_more(broken))) {
        Some(broken) => Err(ReplayError::Report(broken)),
        None => Ok(()),
    }
}

enum ReplayError {
    Read(ReadError),
    Report(Broken),
}

impl From<ReadError> for ReplayError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}
