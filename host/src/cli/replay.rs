//! `host-runner replay DIR`: a stored run, through the same terminal report.

use std::io;

use crate::cli::args::ReplayArgs;
use crate::cli::message::Failure;
use crate::event::EventKind;
use crate::fault::{Class, Fault};
use crate::report::Reporter as _;
use crate::report::jsonl::{self, ReadError};
use crate::report::terminal::Terminal;

/// Prints what the terminal printed.
///
/// The exit code is that of reading the run, not that of the run.
pub(super) fn replay(args: &ReplayArgs) -> Result<Option<Class>, Failure> {
    let path = args.directory.join("run.jsonl");
    let mut terminal = Terminal::new(Box::new(io::stdout()), args.display.terminal(false));
    let mut finished = false;
    let result = jsonl::read::<ReplayError>(&path, |event| {
        finished |= matches!(event.kind, EventKind::RunFinished { .. });
        Ok(terminal.report(&event)?)
    });
    match result {
        Ok(()) if finished => Ok(None),
        Ok(()) => Err(Fault::new(
            Class::Infrastructure,
            path.display().to_string(),
            "the run was cut off: its last event is missing",
        )
        .into()),
        // `replay … | head` is not an error.
        Err(ReplayError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
        Err(error) => Err(Fault::from_error(Class::Job, path.display().to_string(), &error)
            .with_help("give the directory that `host-runner run` wrote its results to")
            .into()),
    }
}

#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("cannot print")]
    Print(#[from] io::Error),
}
