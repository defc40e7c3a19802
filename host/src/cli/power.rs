//! `host-runner power BOARD ACTION`: a board's power, by the commands of the bench file.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::board::power::PowerCommands;
use crate::board::{Bench, Board};
use crate::cli::args::BenchArgs;
use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::cli::run::{find_bench, load_bench};
use crate::cli::runtime::block_on;
use crate::diagnostic::did_you_mean;
use crate::fault::{Class, Fault};
use crate::run::take_board;

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner power bbb1 cycle
  host-runner power bbb1 off --bench lab/bench.toml
  host-runner power bbb1 status
  host-runner power bbb1 cycle --force           also while a run has the board

The commands are those of [boards.NAME.power] in the bench file: `on`, `off`, `reset`, `status`.";

/// How long the commands may take.
const LIMIT: Duration = Duration::from_secs(60);

/// `host-runner power`.
#[derive(Debug, Args)]
pub(super) struct PowerArgs {
    /// The board, by its name in the bench file
    board: String,
    /// What to do; `cycle` is `reset`, or off, one second, and on
    action: Action,
    #[command(flatten)]
    bench: BenchArgs,
    /// Switches it even while a run has the board
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    On,
    Off,
    Cycle,
    Status,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Cycle => "cycle",
            Self::Status => "status",
        }
    }

    /// Whether the bench file has the commands for it.
    const fn is_possible(self, commands: &PowerCommands) -> bool {
        match self {
            Self::On => !commands.on.is_empty(),
            Self::Off => !commands.off.is_empty(),
            Self::Cycle => true,
            Self::Status => commands.status.is_some(),
        }
    }
}

/// Switches the power, or prints whether it is on.
pub(super) fn power(args: &PowerArgs) -> Result<Option<Class>, Failure> {
    let bench = load_bench(&find_bench(&args.bench)?)?;
    let board = find_board(&bench, &args.board)?;
    let commands = commands(&bench, &board, args.action)?;
    let command = format!("host-runner power {}", args.action.name());
    let lease = match args.action {
        Action::Status => None,
        _ => match take_board(&bench, &board, command) {
            Ok(lease) => Some(lease),
            Err(_) if args.force => None,
            Err(fault) => {
                let help = "wait for that run to end, or switch it all the same with --force";
                return Err(fault.with_help(help).into());
            }
        },
    };
    let place = format!("board `{}`", board.name);
    let is_on = block_on(async |cancel| {
        let work = async {
            match args.action {
                Action::On => commands.on(LIMIT).await.map(|()| None),
                Action::Off => commands.off(LIMIT).await.map(|()| None),
                Action::Cycle => commands.reset(LIMIT).await.map(|()| None),
                Action::Status => commands.status(LIMIT).await,
            }
        };
        tokio::select! {
            done = work => done.map_err(|error| Fault::from_error(error.class(), place.clone(), &error)),
            () = cancel.cancelled() => {
                Err(Fault::new(Class::Cancelled, place.clone(), "cancelled: it may be on or off"))
            }
        }
    })?;
    drop(lease);
    let state = match (args.action, is_on) {
        (Action::On, _) | (_, Some(true)) => "on",
        (Action::Cycle, _) => "switched off and on",
        _ => "off",
    };
    print(|out| writeln!(out, "{}: {state}", board.name))
}

/// The board of that name.
pub(super) fn find_board(bench: &Bench, name: &str) -> Result<Arc<Board>, Fault> {
    let found = bench.boards.iter().find(|board| board.name == name).cloned();
    found.ok_or_else(|| {
        let names: Vec<&str> = bench.boards.iter().map(|board| board.name.as_str()).collect();
        let help = did_you_mean(name, names.iter().copied())
            .unwrap_or_else(|| format!("it has `{}`", names.join("`, `")));
        Fault::new(Class::Job, bench.path.display().to_string(), format!("there is no board `{name}`"))
            .with_help(help)
    })
}

/// The commands of a board with which `action` can be done.
fn commands(bench: &Bench, board: &Board, action: Action) -> Result<PowerCommands, Fault> {
    let name = &board.name;
    let fault = |text: String, help: String| {
        Fault::new(Class::Bench, bench.path.display().to_string(), text).with_help(help)
    };
    if board.is_virtual() {
        let text = format!("board `{name}` is a virtual one: it is on while a run has it");
        return Err(fault(text, "there is nothing to switch".to_owned()));
    }
    let commands = board.power.clone().ok_or_else(|| {
        fault(
            format!("the power of board `{name}` is switched by hand"),
            format!("`[boards.{name}.power]` is where the bench file can have commands for it"),
        )
    })?;
    if !action.is_possible(&commands) {
        let action = action.name();
        return Err(fault(
            format!("the bench file has no `{action}` command for the power of board `{name}`"),
            format!("add `{action} = [\"program\", \"argument\"]` to `[boards.{name}.power]`"),
        ));
    }
    Ok(commands)
}
