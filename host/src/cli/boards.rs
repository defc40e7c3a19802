//! `host-runner boards`: what the boards of a bench are doing.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::timeout;

use crate::board::lease::{Held, Holder};
use crate::board::power::States;
use crate::board::{Bench, Board, ConsoleTarget};
use crate::cli::args::BenchArgs;
use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::cli::run::{find_bench, load_bench};
use crate::cli::runtime::block_on;
use crate::fault::{Chain, Class, Fault};
use crate::link::{Target, check_serial};
use crate::run::{LastRun, Queue, board_held};
use crate::text::{minute, without_steering};

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner boards
  host-runner boards --bench lab/bench.toml --json

Nothing is typed to a board, and none is switched: `host-runner power BOARD on` does that. A last run that was cut off was
killed, or this PC went down: its board may still be on. With --json its `finished` and `outcome` are null.";

/// How long the commands may take that tell whether boards are on.
const STATUS_LIMIT: Duration = Duration::from_secs(10);

/// How long a person waits for the next of them.
const PATIENCE: Duration = Duration::from_secs(4);

/// `host-runner boards`.
#[derive(Debug, Args)]
pub(super) struct BoardsArgs {
    #[command(flatten)]
    bench: BenchArgs,
    /// Prints one JSON object per line
    #[arg(long)]
    json: bool,
}

/// What a board is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Nobody has it, and its serial port, if it has one, can be opened.
    Free,
    /// A run or command has it.
    Used,
    /// Its serial port cannot be opened.
    Broken,
}

/// One board, as `--json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    board_type: &'a str,
    device_types: &'a [String],
    tags: &'a [String],
    /// What its console is on.
    console: String,
    address: Option<std::net::IpAddr>,
    state: State,
    /// Who has it.
    holder: Option<Holder>,
    /// The last run on it that ended or was cut off.
    last_run: Option<LastRun>,
    /// Who waits for it, in their order.
    waiting: Vec<Holder>,
    /// Why its serial port cannot be opened, or why it is not known who has it or whether it is on.
    problem: Option<String>,
    /// Whether its power is on, if the bench file names something that tells.
    is_on: Option<bool>,
}

/// Whether a board is on, or why that is not known.
type Told = Result<Option<bool>, String>;

/// Lists the boards in the order of the bench file, each as soon as it is known whether it is on.
pub(super) fn boards(args: &BoardsArgs) -> Result<Option<Class>, Failure> {
    let bench = load_bench(&find_bench(&args.bench)?)?;
    let table = Table::of(&bench);
    if !args.json {
        print(|out| table.head(out))?;
    }
    block_on(async |cancel| {
        tokio::select! {
            listed = list(args, &bench, &table) => listed,
            () = cancel.cancelled() => Err(Fault::new(Class::Cancelled, "boards", "cancelled").into()),
        }
    })
}

async fn list(args: &BoardsArgs, bench: &Bench, table: &Table) -> Result<Option<Class>, Failure> {
    let queue = Queue::read(bench)?;
    let mut asked = States::ask(&bench.boards, STATUS_LIMIT);
    let mut told: Vec<Option<Told>> = bench.boards.iter().map(|_| None).collect();
    let mut boards = bench.boards.iter().enumerate();
    let Some(mut next) = boards.next() else { return Ok(None) };
    let mut is_over = false;
    loop {
        let (index, board) = next;
        let silent =
            || Err(format!("whether it is on is not known: nothing was told for {} s", PATIENCE.as_secs()));
        if let Some(told) = told.get_mut(index).and_then(Option::take).or_else(|| is_over.then(silent)) {
            let line = line(bench, board, &queue, told)?;
            print(|out| match args.json {
                true => {
                    serde_json::to_writer(&mut *out, &line)?;
                    writeln!(out)
                }
                false => table.row(out, &line),
            })?;
            match boards.next() {
                Some(board) => next = board,
                None => return Ok(None),
            }
            continue;
        }
        // A program gets what is known in the end; a person does not wait for a switch that is dead.
        let answer = match args.json {
            true => asked.next().await,
            false => timeout(PATIENCE, asked.next()).await.ok().flatten(),
        };
        match answer {
            Some((index, state)) => {
                if let Some(told) = told.get_mut(index) {
                    *told = Some(state.map_err(|error| Chain(&error).to_string()));
                }
            }
            None => is_over = true,
        }
    }
}

fn line<'b>(bench: &Bench, board: &'b Board, queue: &Queue, power: Told) -> Result<Line<'b>, Fault> {
    let begun = LastRun::begun(bench, board)?;
    let held = board_held(bench, board)?;
    let broken = match &board.console {
        // Whoever has it has opened it.
        ConsoleTarget::Line(Target::Serial { path, .. }) if held == Held::Free => check_serial(path).err(),
        _ => None,
    };
    let (state, problem, holder) = match (held, broken) {
        (Held::By(holder), _) => (State::Used, None, Some(holder)),
        (Held::Silent(process), _) => {
            let who = process.map_or_else(|| "the process".to_owned(), |process| process.to_string());
            let text = format!("{who} has it and does not answer, perhaps because it is stopped");
            (State::Used, Some(text), None)
        }
        (Held::Free, Some(error)) => (State::Broken, Some(error.to_string()), None),
        (Held::Free, None) => (State::Free, None, None),
    };
    // A console, or another command without a job, is no run.
    let is_run = state == State::Used && holder.as_ref().is_none_or(|holder| !holder.job.is_empty());
    // A run may have begun or ended since it was asked who has the board.
    let cut_off =
        begun.filter(|begun| !is_run && LastRun::begun(bench, board).ok().flatten().as_ref() == Some(begun));
    let (is_on, unknown) = match power {
        Ok(is_on) => (is_on, None),
        Err(why) => (None, Some(why)),
    };
    Ok(Line {
        name: &board.name,
        board_type: &board.board_type,
        device_types: &board.device_types,
        tags: &board.tags,
        console: console(board),
        address: board.address,
        state,
        holder,
        last_run: cut_off.map_or_else(|| LastRun::ended(bench, board), |run| Ok(Some(run)))?,
        waiting: queue.waiting_for(bench, board)?,
        problem: Some([problem, unknown].into_iter().flatten().collect::<Vec<_>>().join("\n"))
            .filter(|text| !text.is_empty()),
        is_on,
    })
}

/// What a board's console is on.
fn console(board: &Board) -> String {
    match &board.console {
        ConsoleTarget::None => "none: SSH".to_owned(),
        ConsoleTarget::Qemu(_) => "emulator".to_owned(),
        ConsoleTarget::Line(Target::Serial { path, baud }) => format!("{}, {baud} baud", path.display()),
        ConsoleTarget::Line(Target::Tcp { host, port }) => network_url("tcp", host, *port),
        ConsoleTarget::Line(Target::Telnet { host, port }) => network_url("telnet", host, *port),
        ConsoleTarget::Line(Target::Command(words)) => words.join(" "),
    }
}

/// A console in the network, as the bench file names it.
fn network_url(scheme: &str, host: &str, port: u16) -> String {
    // Colons within are those of an IPv6 address.
    if host.contains(':') {
        format!("{scheme}://[{host}]:{port}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}

/// The widths of a table; what is said of a board's state stands below it.
struct Table {
    names: usize,
    types: usize,
}

impl Table {
    fn of(bench: &Bench) -> Self {
        let width = |text: fn(&Board) -> usize| {
            bench.boards.iter().map(|board| text(board)).max().unwrap_or_default()
        };
        Self {
            names: width(|board| board.name.len()).max(5),
            types: width(|board| board.board_type.len()).max(4),
        }
    }

    fn head(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { names, types } = *self;
        writeln!(out, "{:<names$}  {:<6}  {:<5}  {:<types$}  console", "board", "state", "power", "type")
    }

    fn row(&self, out: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
        let Self { names, types } = *self;
        let state = match line.state {
            State::Free => "free",
            State::Used => "used",
            State::Broken => "BROKEN",
        };
        let power = match line.is_on {
            Some(true) => "on",
            Some(false) => "off",
            None => "-",
        };
        let Line { name, board_type, console, .. } = line;
        writeln!(out, "{name:<names$}  {state:<6}  {power:<5}  {board_type:<types$}  {console}")?;
        if !line.tags.is_empty() {
            writeln!(out, "{:<names$}  tags: {}", "", line.tags.join(", "))?;
        }
        if let Some(holder) = &line.holder {
            writeln!(out, "{:<names$}  by {holder}", "")?;
        }
        if let Some(LastRun { directory, job, started, finished, outcome, .. }) = &line.last_run {
            let (directory, at) = (directory.display(), minute(finished.unwrap_or(*started)));
            let how = outcome.map_or_else(|| "CUT OFF, begun".to_owned(), |outcome| format!("{outcome},"));
            writeln!(out, "{:<names$}  last: job `{job}`, {how} {at}, {directory}", "")?;
        }
        for waiter in &line.waiting {
            writeln!(out, "{:<names$}  {waiter} waits for it", "")?;
        }
        // It may be what a program of the bench has printed.
        for text in line.problem.iter().flat_map(|problem| problem.lines()) {
            writeln!(out, "{:<names$}  {}", "", without_steering(text).as_deref().unwrap_or(text))?;
        }
        Ok(())
    }
}
