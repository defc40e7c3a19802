//! `host-runner bisect-step`: a run whose exit code is what `git bisect run` wants to know.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum, value_parser};

use crate::action::KERNEL_FAILED;
use crate::cli::args::RunArgs;
use crate::cli::message::{note, print_failure};
use crate::cli::run::{default_out, run};
use crate::event::{EventKind, Outcome};
use crate::fault::Class;
use crate::report::jsonl::{self, ReadError};
use crate::run::OutDirectory;

pub(super) const EXAMPLES: &str = "\
Examples:
  git bisect start v6.13 v6.12
  git bisect run sh -c 'make -j8 zImage dtbs || exit 125; host-runner bisect-step job.yaml'

The job names the kernel that was built, such as `url: file:///home/me/linux/arch/arm/boot/zImage`. A board that others have
is waited for, as by `run --wait`.

Exit codes, as git-bisect(1) wants them:
  0    good: the job passed
  1    bad: a test failed, or the kernel did not come up
  125  skip: infrastructure failed, again and again: the commit is not known to be good or bad
  128  the job or the bench file is wrong: bisecting ends
  130  stopped: bisecting ends";

/// What a directory that nobody has named is called behind the time.
const DIRECTORY: &str = "bisect";

/// git-bisect(1): the commit cannot be tested.
const SKIP: u8 = 125;

/// git-bisect(1): codes from 128 on end it.
const ABORT: u8 = 128;

/// What a shell says of Ctrl-C.
const STOPPED: u8 = 130;

/// How long a board is waited for where nobody says.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// `host-runner bisect-step`.
#[derive(Debug, Args)]
pub(super) struct BisectArgs {
    #[command(flatten)]
    run: RunArgs,
    /// What a kernel that was started and does not come up to a shell makes of the commit
    #[arg(long, value_name = "VERDICT", default_value = "bad")]
    boot_failure: Verdict,
    /// How often a run is made again whose infrastructure failed
    #[arg(long, value_name = "TIMES", default_value = "1", value_parser = value_parser!(u32).range(0..=10))]
    again: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Verdict {
    Bad,
    Skip,
}

/// The help of `--out`, which says another directory than that of `run`.
pub(super) fn help_of_out() -> String {
    format!(
        "Directory for the results; it must not exist yet, and one that is made once more has -2 behind it \
         [default: runs/TIME-{DIRECTORY}, the time in UTC]"
    )
}

/// Runs the job, and tells the commit's worth.
pub(super) fn bisect_step(mut args: BisectArgs) -> ExitCode {
    let named = args.run.out.take();
    // A commit is not passed over because somebody has the board.
    args.run.wait.get_or_insert(LONGEST_WAIT);
    let mut attempt = 0;
    let (code, verdict) = loop {
        let OutDirectory { path: out, reserved: _reserved } = match &named {
            Some(out) if attempt == 0 => OutDirectory { path: out.clone(), reserved: None },
            Some(out) => OutDirectory { path: with_number(out, attempt + 1), reserved: None },
            None => default_out(DIRECTORY),
        };
        args.run.out = Some(out.clone());
        let class = run(&args.run).unwrap_or_else(|failure| {
            print_failure(&failure);
            Some(failure.class())
        });
        break match class {
            None => (0, "good"),
            Some(Class::Test) => (1, "bad: a test failed"),
            Some(Class::Infrastructure) if ended_in_kernel(&out) => match args.boot_failure {
                Verdict::Bad => (1, "bad: the kernel did not come up"),
                Verdict::Skip => (SKIP, "skipped: the kernel did not come up"),
            },
            Some(Class::Infrastructure | Class::Bug) if attempt < args.again => {
                note("bisect: the infrastructure failed: once more");
                attempt += 1;
                continue;
            }
            Some(Class::Infrastructure | Class::Bug) => (SKIP, "skipped: the infrastructure failed"),
            Some(Class::Job | Class::Bench) => (ABORT, "ended: the job or the bench file is wrong"),
            Some(Class::Usage) => (ABORT, "ended: the command line is wrong"),
            Some(Class::Cancelled) => (STOPPED, "ended: stopped"),
        };
    };
    note(&format!("bisect: {verdict}"));
    ExitCode::from(code)
}

fn with_number(out: &Path, number: u32) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(format!("-{number}"));
    PathBuf::from(name)
}

/// Whether in a stored run the system of a node was started, did not come up to a shell, and did not later either.
fn ended_in_kernel(out: &Path) -> bool {
    // Nodes whose system has just failed, and the phases that have for it.
    let mut failing = HashSet::new();
    let mut ended = HashSet::new();
    let read = jsonl::read::<ReadError>(&out.join("run.jsonl"), |event| {
        match &event.kind {
            EventKind::Note { text } if text == KERNEL_FAILED => {
                failing.insert(event.node.clone());
            }
            EventKind::PhaseFinished { phase, outcome, .. } => {
                let this = (event.node.clone(), phase.clone());
                match *outcome {
                    Outcome::Pass => ended.remove(&this),
                    _ => failing.remove(&event.node) && ended.insert(this),
                };
            }
            _ => {}
        }
        Ok(())
    });
    read.is_ok() && !ended.is_empty()
}
