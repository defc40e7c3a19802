//! `host-runner power BOARD ACTION`: a board's power, by what the bench file names.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::board::lease::Key;
use crate::board::power::{Driver, Power, Switch};
use crate::board::{Bench, Board};
use crate::cli::args::BenchArgs;
use crate::cli::completions;
use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::cli::run::{find_bench, find_board, load_bench};
use crate::cli::runtime::block_on;
use crate::fault::{Class, Fault};
use crate::link::control;
use crate::run::{power_of, take_board};

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner power bbb1 cycle
  host-runner power bbb1 off --bench lab/bench.toml
  host-runner power bbb1 status
  host-runner power bbb1 cycle --force           also while a run has the board, which then warns of it

What switches it is in [boards.NAME.power] of the bench file: commands, or a `driver` such as `uhubctl`, `snmp`,
`tasmota`, `shelly`, `gpio` or `ask` (docs/power.md). What can be asked whether it obeys is asked.";

/// How long a person may take.
pub(super) const PERSON_LIMIT: Duration = Duration::from_secs(600);

/// `host-runner power`.
#[derive(Debug, Args)]
pub(super) struct PowerArgs {
    /// The board, by its name in the bench file
    #[arg(add = completions::boards())]
    board: String,
    /// What to do; `cycle` is the bench file's `reset`, or off, a while (`off_s`, else one second), and on
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

    const fn switch(self) -> Switch {
        match self {
            Self::On => Switch::On,
            Self::Off => Switch::Off,
            Self::Cycle => Switch::Reset,
            Self::Status => Switch::Status,
        }
    }
}

/// Switches the power, or prints whether it is on.
pub(super) fn power(args: &PowerArgs) -> Result<Option<Class>, Failure> {
    let bench = load_bench(&find_bench(&args.bench)?)?;
    let board = find_board(&bench, &args.board)?;
    let power = power_of(&bench, &board, args.action.switch())?;
    let command = format!("host-runner power {}", args.action.name());
    let lease = match args.action {
        Action::Status => None,
        _ => match take_board(&bench, &board, command) {
            Ok(lease) => Some(lease),
            Err(refusal) => {
                if let Some(text) = ask_owner(&bench, &board, &power, args)? {
                    return print(|out| writeln!(out, "{}: {text}", board.name));
                }
                if !args.force {
                    let help = "wait for that run to end, or switch it all the same with --force";
                    return Err(refusal.with_help(help).into());
                }
                None
            }
        },
    };
    let place = format!("board `{}`", board.name);
    let is_on = block_on(async |cancel| {
        let limit = power.usual_limit().unwrap_or(PERSON_LIMIT);
        let say = |text: &str| {
            // Nobody is asked where nobody can be told.
            let _ = writeln!(io::stderr(), "{text}");
        };
        tokio::select! {
            done = power.run(args.action.switch(), limit, &say) => done.map_err(|error| {
                Fault::from_error(error.class(), place.clone(), &error).with_optional_help(error.help())
            }),
            () = cancel.cancelled() => {
                Err(Fault::new(Class::Cancelled, place.clone(), "cancelled: it may be on or off"))
            }
        }
    })?;
    drop(lease);
    let state = match (power.change(args.action.switch()), is_on) {
        (Some(change), _) => change.done(),
        (None, Some(true)) => "on",
        (None, _) => "off",
    };
    print(|out| writeln!(out, "{}: {state}", board.name))
}

/// Has whoever has the board's console switch it: a person's console, and with `--force` a run, so that it is told there.
/// What is said of it; nothing where nobody does it.
fn ask_owner(bench: &Bench, board: &Board, power: &Power, args: &PowerArgs) -> Result<Option<String>, Fault> {
    // The person at this terminal is the one to be asked.
    if matches!(power.driver, Driver::Ask(_)) {
        return Ok(None);
    }
    let Ok(key) = Key::board(&bench.path, &board.name) else { return Ok(None) };
    let name = key.console_name();
    match control::attached(&name) {
        Ok(list) if list.gives || args.force => {}
        _ => return Ok(None),
    }
    let limit = power.usual_limit().unwrap_or(PERSON_LIMIT);
    control::switch(&name, args.action.switch(), limit)
        .map(Some)
        .map_err(|error| Fault::from_error(Class::Infrastructure, format!("board `{}`", board.name), &error))
}
