//! `host-runner doctor`: whether a bench is in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use console::{StyledObject, style};

use crate::board::{Bench, Board};
use crate::cli::args::{BenchArgs, seconds};
use crate::cli::completions;
use crate::cli::message::{Failure, note};
use crate::cli::output::print;
use crate::cli::run::{find_bench, find_board, load_bench};
use crate::cli::runtime::block_on;
use crate::doctor::{Check, Finding, Findings, Status, Trial, examine_bench, examine_board, examine_file};
use crate::fault::{Class, Fault};
use crate::text::without_steering;

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner doctor                  ports, addresses, consoles, disks, agents, …; no board is touched
  host-runner doctor bbb1             the same for bbb1 alone, which is reset, fetches a file by TFTP, and is switched off
  host-runner doctor --boards         the same with every board of the bench, one after the other
  host-runner doctor --json

Each check is ok, unknown (it could not be made), a warning (jobs run, but not as they could), or a fault (jobs
fail). Boards that are named must be free, as for `host-runner power`, and are left off.

Exit codes:
  0   no fault
  3   the first fault is of this PC, the network or a board
  4   the first fault is of the bench file, or of what it names
  5   cancelled";

/// `host-runner doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Boards to switch on and try, by their names in the bench file
    #[arg(value_name = "BOARD", conflicts_with = "boards", add = completions::boards())]
    names: Vec<String>,
    /// Switches on and tries all boards of the bench
    #[arg(long)]
    boards: bool,
    #[command(flatten)]
    bench: BenchArgs,
    /// How long a board may take from power on to U-Boot's prompt
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds())]
    timeout: Duration,
    /// Prints one JSON object per line
    #[arg(long)]
    json: bool,
}

/// Checks the bench; the class of the first fault.
pub(super) fn doctor(args: &DoctorArgs) -> Result<Option<Class>, Failure> {
    let path = find_bench(&args.bench)?;
    run(&path, args)
}

/// Checks the bench file at `path` without touching a board; the class of the first fault.
pub(super) fn examine(path: &Path) -> Result<Option<Class>, Failure> {
    let bench = BenchArgs { bench: Some(path.to_owned()) };
    run(path, &DoctorArgs { names: Vec::new(), boards: false, bench, timeout: Duration::ZERO, json: false })
}

fn run(path: &Path, args: &DoctorArgs) -> Result<Option<Class>, Failure> {
    let bench = match load_bench(path) {
        Ok(bench) => bench,
        Err(failure) if args.json => {
            print_finding(&unusable(path, &failure), true)?;
            return Ok(Some(failure.class()));
        }
        Err(failure) => return Err(failure),
    };
    let boards = boards(args, &bench)?;
    // Of other boards nothing is said where some are named.
    let looked_at = if boards.is_empty() { bench.boards.clone() } else { boards.clone() };
    let looked_at = Bench { boards: looked_at, ..bench.clone() };
    let mut tried = Vec::new();
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let mut printed = Ok(());
    let mut tell = |finding: &Finding| {
        if printed.is_ok() {
            printed = print_finding(finding, args.json);
        }
    };
    let mut findings = Findings::new(&mut tell);
    let is_cancelled = block_on(async |cancel| {
        examine_file(&bench, &mut findings);
        tokio::select! {
            () = examine_bench(&looked_at, &directory, &mut findings) => {}
            () = cancel.cancelled() => return Ok::<_, Fault>(true),
        }
        for board in &boards {
            // It is cancelled inside, where the board is switched off.
            let trial = Trial { patience: args.timeout, say: &note };
            if examine_board(&bench, board, trial, &cancel, &mut findings).await {
                tried.push(board.name.clone());
            }
            if cancel.is_cancelled() {
                return Ok(true);
            }
        }
        Ok(false)
    })?;
    let (first, untried) = (findings.first_fault(), untried(&boards, &bench, &tried));
    let is_whole = boards.iter().all(|board| tried.contains(&board.name));
    let summary = summary(&bench, &findings, is_whole);
    printed?;
    if is_cancelled {
        return Err(Fault::new(Class::Cancelled, "doctor", "cancelled").into());
    }
    if !args.json {
        print(|out| writeln!(out, "{summary}{untried}"))?;
    }
    Ok(first)
}

/// The boards that are to be tried.
fn boards(args: &DoctorArgs, bench: &Bench) -> Result<Vec<Arc<Board>>, Fault> {
    match args.boards {
        true => Ok(bench.boards.clone()),
        false => args.names.iter().map(|name| find_board(bench, name)).collect(),
    }
}

/// A bench file that cannot be used, as a finding.
fn unusable(path: &Path, failure: &Failure) -> Finding {
    let text = match failure {
        Failure::Problems(files, _) => files.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Failure::Faults(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    };
    Finding::fault(Check::BenchFile, "bench", failure.class(), text)
        .with_help(format!("`host-runner doctor --bench {}` without --json shows where", path.display()))
}

/// What is said of boards that were looked at and not tried.
fn untried(wanted: &[Arc<Board>], bench: &Bench, tried: &[String]) -> String {
    let names = |boards: &[Arc<Board>]| boards.iter().map(|board| board.name.clone()).collect::<Vec<_>>();
    match (names(wanted).as_slice(), names(&bench.boards).as_slice()) {
        ([], [name]) => format!("; the board was not tried: `host-runner doctor {name}` does that"),
        ([], [name, ..]) => {
            format!("; no board was tried: `host-runner doctor {name}` tries one, `--boards` all of them")
        }
        (wanted, _) => {
            let left: Vec<_> = wanted.iter().filter(|name| !tried.contains(name)).cloned().collect();
            if left.is_empty() { String::new() } else { format!("; not tried: {}", left.join(", ")) }
        }
    }
}

/// `is_whole`: whether all boards were tried that were to be.
fn summary(bench: &Bench, findings: &Findings<'_>, is_whole: bool) -> String {
    let counted = |status, what: &str| match findings.count(status) {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let all: usize =
        [Status::Ok, Status::Warning, Status::Fault].into_iter().map(|status| findings.count(status)).sum();
    let path = bench.path.display();
    let unknown = match findings.count(Status::Unknown) {
        0 => String::new(),
        count => format!("; {count} more could not be made"),
    };
    match (findings.count(Status::Fault), findings.count(Status::Warning)) {
        (0, 0) if is_whole => format!("{path}: all well, by {all} checks{unknown}"),
        (0, 0) => format!("{path}: no fault, by {all} checks{unknown}"),
        _ => format!(
            "{path}: {} and {} in {all} checks{unknown}",
            counted(Status::Fault, "fault"),
            counted(Status::Warning, "warning")
        ),
    }
}

fn print_finding(finding: &Finding, json: bool) -> Result<(), Failure> {
    let printed = match json {
        true => print(|out| {
            serde_json::to_writer(&mut *out, finding)?;
            writeln!(out)
        }),
        false => print(|out| {
            let Finding { check, about, status, message, help, .. } = finding;
            // Some of it is what boards and programs have printed.
            let clean = |line: &str| without_steering(line).unwrap_or_else(|| line.to_owned());
            let mut lines = message.lines().map(clean);
            let first = lines.next().unwrap_or_default();
            writeln!(out, "{}  {:<13}  {about}: {first}", coloured(*status), check.name())?;
            lines.try_for_each(|line| writeln!(out, "         {line}"))?;
            help.iter()
                .flat_map(|help| help.lines())
                .try_for_each(|line| writeln!(out, "         help: {}", clean(line)))
        }),
    };
    printed.map(|_| ())
}

/// A status of one width; in colour on a terminal.
fn coloured(status: Status) -> StyledObject<String> {
    let text = style(format!("{status:<7}"));
    match status {
        Status::Ok => text.green(),
        Status::Unknown => text.dim(),
        Status::Warning => text.yellow(),
        Status::Fault => text.red().bold(),
    }
}
