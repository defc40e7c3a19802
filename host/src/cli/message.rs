//! What goes wrong before and after a run, printed for people on standard error.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use crate::cli::color;
use crate::cli::problems::render_problems;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::fault::{Class, Fault};

/// Why a subcommand could not do its work.
#[derive(Debug)]
pub(super) enum Failure {
    /// Problems of the user's files, and whose fault they are.
    Problems(Vec<Diagnostics>, Class),
    /// Anything else; at least one.
    Faults(Vec<Fault>),
}

impl Failure {
    /// Whose fault it is.
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Problems(_, class) => *class,
            Self::Faults(faults) => faults.first().map_or(Class::Bug, |fault| fault.class),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Faults(vec![fault])
    }
}

/// Prints what is wrong with the arguments, or the help that they ask for.
pub(super) fn print_usage(error: &clap::Error) -> io::Result<()> {
    let (text, has_colours) =
        (error.render(), if error.use_stderr() { color::on_stderr() } else { color::on_stdout() });
    let text = if has_colours { text.ansi().to_string() } else { text.to_string() };
    if error.use_stderr() {
        io::stderr().write_all(text.as_bytes())
    } else {
        io::stdout().write_all(text.as_bytes())
    }
}

/// Prints why a subcommand failed.
pub(super) fn print_failure(failure: &Failure) {
    match failure {
        Failure::Problems(files, class) => {
            for file in files {
                let text = render_problems(&file.source, &file.problems, color::on_stderr());
                let errors = file.problems.iter().filter(|problem| problem.is_error()).count();
                let warnings = match file.problems.len() - errors {
                    0 => String::new(),
                    count => format!(" and {}", counted(count, "warning")),
                };
                let errors = counted(errors, "problem");
                print(&format!("{text}{class} error: {errors}{warnings} in {}\n", file.source.name));
            }
        }
        Failure::Faults(faults) => faults.iter().for_each(|fault| print(&describe(fault))),
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn describe(fault: &Fault) -> String {
    let mut text = format!("{} error: {}\n", fault.class, fault.place);
    for line in fault.message.lines() {
        let _ = writeln!(text, "  {line}");
    }
    for line in fault.help.iter().flat_map(|help| help.lines()) {
        let _ = writeln!(text, "  help: {line}");
    }
    text
}

/// Prints problems that do not stop a subcommand.
pub(super) fn print_warnings(source: &Source, warnings: &[Diagnostic]) {
    print(&render_problems(source, warnings, color::on_stderr()));
}

/// Tells people why nothing is printed.
pub(super) fn note(text: &str) {
    print(&format!("{text}\n"));
}

fn print(text: &str) {
    // Nothing is left to be told if even standard error is closed.
    let _ = io::stderr().write_all(text.as_bytes());
}
