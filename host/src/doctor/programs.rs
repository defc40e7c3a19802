//! The programs that the bench file names for a board: power, console, a job's commands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::finding::{Check, Finding, Findings};
use crate::board::power::{Driver, Power};
use crate::board::{Board, ConsoleTarget};
use crate::fault::Class;
use crate::link::Target;

/// Checks that the programs of a board are there.
pub(super) fn check(board: &Board, findings: &mut Findings<'_>) {
    let named = named(board);
    if named.is_empty() {
        if matches!(board.console, ConsoleTarget::Line(_)) {
            findings.add(Finding::ok(Check::Programs, &board.name, needs_none(board)));
        }
        return;
    }
    let missing: Vec<_> = named.iter().filter(|(program, _)| find(program).is_none()).collect();
    for (program, use_) in &missing {
        let text = format!("`{program}` is not there or cannot be run; it is {use_}");
        let help = match program.contains('/') {
            true => "look at the path in the bench file, and whether the file is executable for you",
            false => "install it, or give its whole path in the bench file; looked for in PATH",
        };
        findings.add(Finding::fault(Check::Programs, &board.name, Class::Bench, text).with_help(help));
    }
    if missing.is_empty() {
        let all: Vec<_> = named.into_keys().collect();
        findings.add(Finding::ok(Check::Programs, &board.name, all.join(", ")));
    }
}

/// Why a board needs no program.
fn needs_none(board: &Board) -> String {
    match &board.power {
        Some(power) if power.is_by_hand() => {
            "none: whoever starts a run is asked to switch its power, and the run waits for that".to_owned()
        }
        Some(power) => format!("none: its power is switched {power}"),
        None => "none: its power is switched by hand; runs say when, and do not wait for it".to_owned(),
    }
}

/// The programs, each with what it is for first.
fn named(board: &Board) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    let mut add = |argv: &[String], use_: String| {
        if let Some(program) = argv.first() {
            named.entry(program.clone()).or_insert(use_);
        }
    };
    if let ConsoleTarget::Line(Target::Command(argv)) = &board.console {
        add(argv, "the console".to_owned());
    }
    if let Some(Power { driver: Driver::Uhubctl(_), .. }) = &board.power {
        add(&["uhubctl".to_owned()], "what switches the power".to_owned());
    }
    if let Some(power) = board.power.as_ref().and_then(Power::commands) {
        for (name, commands) in [("on", &power.on), ("off", &power.off), ("reset", &power.reset)] {
            commands.iter().for_each(|argv| add(argv, format!("the power command `{name}`")));
        }
        power.status.iter().for_each(|argv| add(argv, "the power command `status`".to_owned()));
    }
    for command in &board.commands {
        add(&command.run, format!("the command `{}`", command.name));
        add(&command.undo, format!("what undoes the command `{}`", command.name));
    }
    named
}

/// Where a program is that this user may run.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let may_run = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if program.contains('/') {
        return Some(Path::new(program).to_owned()).filter(may_run);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(may_run)
}
