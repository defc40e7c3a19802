//! `cargo xtask fuzz`: every fuzz target, run for a bounded time on the inputs that are checked in.
//!
//! libFuzzer needs neither a nightly compiler nor a sanitizer: the counters that guide it come from a pass of the stable
//! compiler. Bugs show by assertions, arithmetic that overflows, panics, time and memory.

mod build;
mod corpus;
mod figures;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(crate) use build::packages;
use tempfile::TempDir;

use self::corpus::Corpus;
use self::figures::Figures;
use crate::error::{Error, chain};
use crate::process;
use crate::workspace::Workspace;

/// Longest time that one input may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Memory that a target may use, in MiB.
const MEMORY: u32 = 1024;

/// What to do.
#[derive(Debug)]
pub(crate) struct Options {
    /// Names of targets; none means all.
    pub(crate) targets: Vec<String>,
    /// How long each one runs.
    pub(crate) duration: Duration,
    /// Whether inputs that reach something new are checked in.
    pub(crate) keep: bool,
}

impl Options {
    /// Every target for `duration`.
    pub(crate) const fn all_for(duration: Duration) -> Self {
        Self { targets: Vec::new(), duration, keep: false }
    }
}

/// Builds the targets and runs them, as many at a time as there are processors.
///
/// # Errors
/// [`Error::NoTarget`] for a name that is none's, [`Error::Fuzz`] with the input that makes a target fail; when one does
/// not compile, has no corpus, or cannot be run.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    let targets = wanted(&build::targets(workspace)?, &options.targets)?;
    let directory = build::build(workspace)?;
    let fuzzers = targets.into_iter().map(|target| {
        let corpus = Corpus::of(workspace, &target)?;
        let scratch = corpus::scratch()?;
        Ok(Fuzzer { program: directory.join(&target), target, corpus, scratch })
    });
    let fuzzers = fuzzers.collect::<Result<Vec<_>, Error>>()?;
    let mut failed = None;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    for together in fuzzers.chunks(processors) {
        let figures: Vec<_> = std::thread::scope(|scope| {
            let runs: Vec<_> =
                together.iter().map(|fuzzer| scope.spawn(|| fuzzer.run(options.duration))).collect();
            runs.into_iter()
                .map(|run| run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        for (fuzzer, figures) in together.iter().zip(figures) {
            match figures {
                Ok(figures) => println!("{:14} {figures}", fuzzer.target),
                Err(error) => {
                    println!("{:14} {}", fuzzer.target, chain(&error));
                    failed.get_or_insert(error);
                    continue;
                }
            }
            if options.keep {
                fuzzer.keep()?;
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

fn wanted(all: &[String], names: &[String]) -> Result<Vec<String>, Error> {
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        return Err(Error::NoTarget { name: unknown.clone(), targets: all.join(", ") });
    }
    Ok(all.iter().filter(|name| names.is_empty() || names.contains(name)).cloned().collect())
}

/// One target, ready to be run.
struct Fuzzer {
    target: String,
    program: PathBuf,
    corpus: Corpus,
    scratch: TempDir,
}

impl Fuzzer {
    /// Runs it for `duration`, and returns what came of it.
    fn run(&self, duration: Duration) -> Result<Figures, Error> {
        let log = self.corpus.log();
        let mut fuzzer = self.command();
        fuzzer.arg(format!("-max_total_time={}", duration.as_secs()));
        fuzzer.args(["-print_final_stats=1", &format!("-timeout={}", PATIENCE.as_secs())]);
        fuzzer.arg(prefix(&self.corpus.failures())?);
        fuzzer.arg(self.corpus.found()).arg(self.corpus.checked_in());
        let ended = process::logged(&mut fuzzer, &log);
        let text = std::fs::read(&log).map_err(Error::file("cannot read", &log))?;
        let text = String::from_utf8_lossy(&text);
        match (ended, figures::failing_input(&text)) {
            (Err(_), Some(input)) => Err(Error::Fuzz {
                target: self.target.clone(),
                why: figures::failure(&text),
                program: self.program.clone(),
                input: input.into(),
            }),
            (Err(error), None) => Err(error),
            (Ok(()), _) => Figures::parse(&text).ok_or_else(|| Error::Answer {
                program: "libFuzzer",
                found: text.chars().take(200).collect(),
            }),
        }
    }

    /// Checks in as few inputs as reach all that was reached.
    fn keep(&self) -> Result<(), Error> {
        let merged = self.corpus.merged()?;
        let mut fuzzer = self.command();
        // Whether something was reached counts, and not how often: else every other input is kept.
        fuzzer.args(["-merge=1", "-use_counters=0"]).arg(&merged);
        fuzzer.arg(self.corpus.checked_in()).arg(self.corpus.found());
        process::logged(&mut fuzzer, &self.corpus.log())?;
        self.corpus.replace(&merged)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(format!("-rss_limit_mb={MEMORY}")).env("TMPDIR", self.scratch.path());
        command
    }
}

/// libFuzzer's argument that makes it write failing inputs into `directory`.
fn prefix(directory: &Path) -> Result<String, Error> {
    std::fs::create_dir_all(directory).map_err(Error::file("cannot make", directory))?;
    Ok(format!("-artifact_prefix={}/", directory.display()))
}
