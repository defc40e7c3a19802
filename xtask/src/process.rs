//! Running other programs: with their output shown, kept in a file, or taken as an answer.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::error::Error;

/// Lines of a failed program's output that go into the error.
const TAIL_LINES: usize = 15;

/// Runs `command` with this program's terminal.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn show(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|source| Error::Start { program: program(command), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { command: line(command), status, log: String::new() })
}

/// Runs `command` with its output in the file `log`, whose end becomes part of the error.
///
/// # Errors
/// When the log cannot be made, or the command cannot be started or fails.
pub(crate) fn logged(command: &mut Command, log: &Path) -> Result<(), Error> {
    if let Some(directory) = log.parent() {
        fs::create_dir_all(directory).map_err(Error::file("cannot make", directory))?;
    }
    let out = File::create(log).map_err(Error::file("cannot write", log))?;
    let err = out.try_clone().map_err(Error::file("cannot write", log))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .status()
        .map_err(|source| Error::Start { program: program(command), source })?;
    if status.success() {
        return Ok(());
    }
    let text = fs::read(log).unwrap_or_default();
    let tail = format!("{}\n(all of it: {})", tail(&String::from_utf8_lossy(&text)), log.display());
    Err(Error::Failed { command: line(command), status, log: tail })
}

/// Runs `command` and returns what it wrote, success or not.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn output(command: &mut Command) -> Result<Output, Error> {
    command.stdin(Stdio::null()).output().map_err(|source| Error::Start { program: program(command), source })
}

/// Runs `command` and returns its standard output.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn answer(command: &mut Command) -> Result<String, Error> {
    let output = output(command)?;
    if !output.status.success() {
        let log = tail(&String::from_utf8_lossy(&output.stderr));
        return Err(Error::Failed { command: line(command), status: output.status, log });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    let words = command.get_args().map(|word| word.to_string_lossy());
    std::iter::once(command.get_program().to_string_lossy()).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_the_command_and_the_end_of_its_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log/step.log");
        let error = logged(Command::new("sh").args(["-c", "seq 100; exit 3"]), &log).unwrap_err().to_string();
        assert!(
            error.starts_with("sh -c seq 100; exit 3 failed (exit status: 3); it ended with:\n86\n"),
            "{error}"
        );
        assert!(error.contains("\n100\n(all of it: "), "{error}");
        assert!(fs::read_to_string(&log).unwrap().starts_with("1\n2\n"));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = answer(&mut Command::new("/nonexistent/program")).unwrap_err();
        assert_eq!(error.to_string(), "/nonexistent/program cannot be started");
    }
}
