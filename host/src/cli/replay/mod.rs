//! `host-runner replay DIR`: a stored run, through the same reports, or its board on a port.

mod args;
mod console;
mod part;
mod timed;

use std::io;
use std::path::Path;

use crate::cli::message::Failure;
use crate::cli::reports;
use crate::event::{Event, EventKind};
use crate::fault::{Class, Fault};
use crate::report::jsonl::{self, ReadError};
use crate::report::output::Output;
use crate::report::{Broken, Reports};

use part::Part;

pub(super) use args::{EXAMPLES, ReplayArgs};

/// Prints what the terminal printed, and with `--out` writes every report again; with `--console`, plays a board.
///
/// The exit code is that of reading the run and writing the reports, not that of the run.
pub(super) fn replay(args: &ReplayArgs) -> Result<Option<Class>, Failure> {
    let path = args.directory.join("run.jsonl");
    if let Some((node, listen)) = args.console.as_ref().zip(args.listen.as_ref()) {
        return console::play(&path, node, listen, args.speed.0);
    }
    let part = Part::find(&path, args.from.as_ref(), args.until.as_ref())?;
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
    let view =
        reports::View { speed: args.speed.0, from: part.from, files: &args.directory, out: Output::Waiting };
    all.extend(reports::printed(&args.display, &view)?);
    let mut show =
        Show { reports: Reports::new(all), has_files: files > 0, finished: false, next: None, missing: 0 };
    let result = match args.speed.0 {
        None => {
            jsonl::read(&path, |event| if part.is_over(&event) { Err(End::Part) } else { show.event(&event) })
        }
        Some(speed) => timed::read(&path, speed, &part, |event| show.event(event)),
    };
    let result = match result {
        Ok(()) if !show.finished => show.cut_off(),
        Err(End::Part) => show.cut_off().and(Err(End::Part)),
        result => result,
    };
    match result {
        Ok(()) if show.finished && show.missing > 0 => {
            let text = format!("{} events are missing in between: this is not all of the run", show.missing);
            Err(Fault::new(Class::Infrastructure, path.display().to_string(), text).into())
        }
        Ok(()) if show.finished => Ok(None),
        Ok(()) => Err(Fault::new(
            Class::Infrastructure,
            path.display().to_string(),
            "the run was cut off: its last event is missing",
        )
        .into()),
        Err(End::Part) => Ok(None),
        // `replay … | head` is not an error.
        Err(End::Report(broken)) if broken.error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
        Err(End::Report(broken)) => {
            let place = args.out.as_ref().unwrap_or(&args.directory).display().to_string();
            Err(Fault::new(Class::Infrastructure, place, broken).into())
        }
        Err(End::Read(error)) => Err(no_run(&path, &error).into()),
        Err(End::Other(fault)) => Err(fault.into()),
    }
}

fn no_run(path: &Path, error: &ReadError) -> Fault {
    Fault::from_error(Class::Usage, path.display().to_string(), error)
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

/// The reports of a replay.
struct Show {
    reports: Reports,
    has_files: bool,
    finished: bool,
    /// Number of the event that comes next, if all are there.
    next: Option<u64>,
    /// Events that are not there.
    missing: u64,
}

impl Show {
    fn event(&mut self, event: &Event) -> Result<(), End> {
        self.finished |= matches!(event.kind, EventKind::RunFinished { .. });
        self.missing += self.next.map_or(0, |next| event.seq.saturating_sub(next));
        self.next = Some(event.seq.saturating_add(1));
        let broken = self.reports.report(event);
        self.check(broken)
    }

    fn cut_off(&mut self) -> Result<(), End> {
        let broken = self.reports.cut_off();
        self.check(broken)
    }

    /// A report that failed ends the replay; but where files are written, they do not need somebody who reads the print.
    fn check(&self, broken: Vec<Broken>) -> Result<(), End> {
        let is_read_no_more = |broken: &Broken| broken.error.kind() == io::ErrorKind::BrokenPipe;
        match broken.into_iter().find(|broken| !(self.has_files && is_read_no_more(broken))) {
            Some(broken) => Err(End::Report(broken)),
            None => Ok(()),
        }
    }
}

/// What ends a replay before the events do.
enum End {
    /// `--until`.
    Part,
    Read(ReadError),
    Report(Broken),
    Other(Fault),
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Other(fault)
    }
}
