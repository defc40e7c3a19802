//! The reports of a run and of a replay: files in a directory, and what is printed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::args::DisplayArgs;
use crate::fault::{Class, Fault};
use crate::report::ci::{Annotations, ConsoleSections, Fence, LiveSection, Sections, StepSummary};
use crate::report::jsonl::PrintedEvents;
use crate::report::output::{Full, Output, Printer};
use crate::report::terminal::Terminal;
use crate::report::{self, Reporter};

/// Creates the directory for the results, which must not exist yet.
pub(super) fn make_out_directory(path: &Path) -> Result<(), Fault> {
    let fault = |error: &io::Error| {
        let fault = Fault::from_error(Class::Infrastructure, path.display().to_string(), error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => Fault { class: Class::Usage, ..fault }.with_help(
                "results are never overwritten; give a directory that does not exist with --out DIR",
            ),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                fault.with_help("name a directory that you may write with --out DIR")
            }
            _ => fault,
        }
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| fault(&error))?;
    }
    fs::create_dir(path).map_err(|error| fault(&error))
}

/// The reports that are files, in the directory of the results.
pub(super) fn files(out: &Path) -> Result<Vec<Box<dyn Reporter>>, Fault> {
    report::files(out)
        .map_err(|error| Fault::from_error(Class::Infrastructure, out.display().to_string(), &error))
}

/// The events as JSON on standard output, for a program that reads them while the run goes on.
pub(super) fn json(out: Output) -> Box<dyn Reporter> {
    Box::new(PrintedEvents::new(Box::new(out)))
}

/// Standard output for a run, which must not wait for it.
pub(super) fn detached(full: Full) -> Result<Output, Fault> {
    let started = Printer::start(io::stdout(), full);
    started
        .map(Output::Detached)
        .map_err(|error| Fault::from_error(Class::Infrastructure, "standard output", &error))
}

/// What of a run the terminal shows.
pub(super) struct View<'a> {
    /// A live view is drawn, in which time goes that many times as fast as ours.
    pub(super) speed: Option<f64>,
    /// Nothing is printed of what came before, in time since the run's start.
    pub(super) from: Duration,
    /// The directory of the run.
    pub(super) files: &'a Path,
    /// Where it is printed.
    pub(super) out: Output,
}

/// The reports that are printed: the terminal's, and around it what the CI service shows that the program runs in.
pub(super) fn printed(display: &DisplayArgs, view: &View<'_>) -> Result<Vec<Box<dyn Reporter>>, Fault> {
    let out = || Box::new(view.out.clone());
    let terminal = Terminal::new(out(), display.terminal(view));
    let (sections, fence) = match service() {
        None => return Ok(vec![Box::new(terminal)]),
        Some(_) if display.quiet => return Ok(vec![Box::new(terminal)]),
        Some(Service::GitLab) => (Sections::GitLab, None),
        Some(Service::GitHub) => {
            let fence = Fence::new(unguessable_word()?);
            (Sections::GitHub(fence.clone()), Some(fence))
        }
    };
    let mut reports: Vec<Box<dyn Reporter>> = vec![
        Box::new(LiveSection::new(out(), sections.clone())),
        Box::new(terminal),
        Box::new(ConsoleSections::new(out(), sections)),
    ];
    if let Some(fence) = fence {
        reports.push(Box::new(Annotations::new(out(), fence)));
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
            reports.push(Box::new(StepSummary::new(PathBuf::from(path))));
        }
    }
    Ok(reports)
}

enum Service {
    GitHub,
    GitLab,
}

/// The CI service that the program runs in, by the variables that each sets in all its jobs.
fn service() -> Option<Service> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| value == "true");
    if is_set("GITHUB_ACTIONS") {
        Some(Service::GitHub)
    } else if is_set("GITLAB_CI") {
        Some(Service::GitLab)
    } else {
        None
    }
}

fn unguessable_word() -> Result<String, Fault> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| Fault::from_error(Class::Infrastructure, "random numbers of the system", &error))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
