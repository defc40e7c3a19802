//! The reports of a run and of a replay: files in a directory, and what is printed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::args::DisplayArgs;
use crate::fault::{Class, Fault};
use crate::report::ci::{Annotations, Closing, ConsoleSections, Fence, LiveSection, Sections, StepSummary};
use crate::report::jsonl::PrintedEvents;
use crate::report::output::{Full, Output, Printer};
use crate::report::terminal::{Moment, Terminal};
use crate::report::{self, Reporter};

/// Creates the directory for the results, which must not exist yet.
pub(super) fn make_out_directory(path: &Path) -> Result<(), Fault> {
    let fault = |error: &io::Error| {
        let fault = Fault::from_error(Class::Infrastructure, path.display().to_string(), error);
        match error.kind() {
            io::ErrorKind::AlreadyExists if fs::symlink_metadata(path).is_ok() => {
                Fault::new(Class::Usage, path.display().to_string(), "it is there already").with_help(
                    "results are never overwritten; give a directory that does not exist with --out DIR",
                )
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                fault.with_help("name a directory that you may write with --out DIR")
            }
            // A file is where one of its directories would have to be, or a file system that makes none.
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::NotFound => {
                Fault::new(
                    Class::Usage,
                    path.display().to_string(),
                    "the directory that it would be in is not one, or cannot be made",
                )
                .with_help("give a directory that can be made with --out DIR")
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
    /// Nothing is printed of what came before.
    pub(super) from: Moment,
    /// The directory of the run.
    pub(super) files: &'a Path,
    /// Where it is printed.
    pub(super) out: Output,
}

/// The reports that are printed: the terminal's, and around it what the CI service shows that the program runs in.
pub(super) fn printed(display: &DisplayArgs, view: &View<'_>) -> Result<Vec<Box<dyn Reporter>>, Fault> {
    let out = || Box::new(view.out.clone());
    let terminal = Box::new(Terminal::new(out(), display.terminal(view)));
    let mut reports: Vec<Box<dyn Reporter>> = match service() {
        None => vec![terminal],
        Some(Service::GitLab) if display.quiet => vec![terminal],
        Some(Service::GitLab) => in_sections(terminal, Sections::GitLab, &view.out),
        Some(Service::GitHub) => {
            let fence = Fence::new(unguessable_word()?);
            // Annotations are for the service: nobody who wants to read little reads them.
            let mut reports = match display.quiet {
                true => vec![Box::new(Closing::new(out(), fence.clone())), terminal as Box<dyn Reporter>],
                false => in_sections(terminal, Sections::GitHub(fence.clone()), &view.out),
            };
            reports.push(Box::new(Annotations::new(out(), fence)));
            reports
        }
    };
    if let Some(path) = step_summary() {
        reports.push(Box::new(StepSummary::new(path)));
    }
    Ok(reports)
}

/// The terminal's report, and around it the sections of a service's log.
fn in_sections(terminal: Box<Terminal>, sections: Sections, out: &Output) -> Vec<Box<dyn Reporter>> {
    vec![
        Box::new(LiveSection::new(Box::new(out.clone()), sections.clone())),
        terminal,
        Box::new(ConsoleSections::new(Box::new(out.clone()), sections)),
    ]
}

/// Where GitHub wants the summary of a step.
fn step_summary() -> Option<PathBuf> {
    let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())?;
    matches!(service(), Some(Service::GitHub)).then(|| PathBuf::from(path))
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
