//! The programs that the bench file names for a board: power, console, a job's commands.

use std::collections::BTreeMap;

use super::power::{Driver, Power, UHUBCTL};
use super::{BenchCommand, Board, ConsoleTarget};
use crate::fault::{Class, Fault};
use crate::link::Target;
use crate::program::find;

/// Programs, each with what it is for first.
#[derive(Debug, Default)]
pub(crate) struct Programs(BTreeMap<String, String>);

impl Programs {
    /// All of `board`.
    pub(crate) fn of(board: &Board) -> Self {
        let mut programs = Self::default();
        programs.add_console(board);
        programs.add_power(board);
        for BenchCommand { name, run, undo } in &board.commands {
            programs.add_command(name, run, undo);
        }
        programs
    }

    /// Adds what the console of `board` is, if it is a program.
    pub(crate) fn add_console(&mut self, board: &Board) {
        if let ConsoleTarget::Line(Target::Command(argv)) = &board.console {
            self.add(argv, "the console".to_owned());
        }
    }

    /// Adds what switches `board`.
    pub(crate) fn add_power(&mut self, board: &Board) {
        if let Some(Power { driver: Driver::Uhubctl(_), .. }) = &board.power {
            self.add(&[UHUBCTL.to_owned()], "what switches the power".to_owned());
        }
        let Some(power) = board.power.as_ref().and_then(Power::commands) else { return };
        for (name, commands) in [("on", &power.on), ("off", &power.off), ("reset", &power.reset)] {
            commands.iter().for_each(|argv| self.add(argv, format!("the power command `{name}`")));
        }
        power.status.iter().for_each(|argv| self.add(argv, "the power command `status`".to_owned()));
    }

    /// Adds a command that jobs name.
    pub(crate) fn add_command(&mut self, name: &str, run: &[String], undo: &[String]) {
        self.add(run, format!("the command `{name}`"));
        self.add(undo, format!("what undoes the command `{name}`"));
    }

    fn add(&mut self, argv: &[String], use_: String) {
        if let Some(program) = argv.first() {
            self.0.entry(program.clone()).or_insert(use_);
        }
    }

    /// A fault at `place` for each that is not there or that this user may not run.
    pub(crate) fn missing(&self, place: &str) -> Vec<Fault> {
        let missing = self.0.iter().filter(|(program, _)| find(program).is_none());
        let faults = missing.map(|(program, use_)| {
            let text = format!("`{program}` is not there or cannot be run; it is {use_}");
            let help = match program.contains('/') {
                true => "look at the path in the bench file, and whether the file is executable for you",
                false => "install it, or give its whole path in the bench file; looked for in PATH",
            };
            Fault::new(Class::Bench, place, text).with_help(help)
        });
        faults.collect()
    }

    /// Their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
