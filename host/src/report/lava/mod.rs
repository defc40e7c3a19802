//! `lava/NODE/…`: what LAVA leaves of a job, for tools that read LAVA's files.
//!
//! LAVA makes a job of every node of a MultiNode group, so each node has a directory. `logs.yaml` and `result.yaml` are what
//! `lava-run` writes, `results.yaml` is what LAVA's server exports. All are written as the run goes on: nothing is kept
//! of a node but its unfinished lines.

mod log;
mod record;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::event::{Direction, Event, EventKind, Node, Outcome, TestResult};
use crate::report::lines::{LineSplitter, Lines};
use crate::report::{Reporter, Results, file_name, yaml};

use log::{Level, Log, Message};
use record::{Exported, Record, Verdict};

/// Writes LAVA's files of all nodes.
pub struct LavaFiles {
    directory: PathBuf,
    job: String,
    nodes: BTreeMap<String, NodeFiles>,
    lines: Lines,
}

struct NodeFiles {
    directory: PathBuf,
    log: Log,
    results: BufWriter<File>,
    /// Records of `results.yaml` so far.
    count: u64,
    /// Length and records of `results.yaml` when the phase began that runs now.
    phase_begin: (u64, u64),
    /// Phases that have ended; LAVA numbers its actions.
    phases: u64,
    typed: LineSplitter,
}

impl LavaFiles {
    /// Will make `directory` at the start of the run.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, job: String::new(), nodes: BTreeMap::new(), lines: Lines::default() }
    }

    fn start(&mut self, event: &Event, job: &str, version: &str, nodes: &[Node]) -> io::Result<()> {
        job.clone_into(&mut self.job);
        for node in nodes {
            let mut files = NodeFiles::create(&self.directory.join(file_name(&node.name)))?;
            let text = format!("host-runner {version}: job {job}, role {} on {}", node.role, node.board);
            files.log.write(event.at, Level::Info, &text)?;
            self.nodes.insert(node.name.clone(), files);
        }
        Ok(())
    }

    /// What concerns the run as a whole is in the log of every node, as each is a job of its own to LAVA.
    fn run_event(&mut self, event: &Event) -> io::Result<()> {
        for files in self.nodes.values_mut() {
            files.say(event)?;
            if matches!(event.kind, EventKind::RunFinished { .. }) {
                files.flush()?;
            }
        }
        Ok(())
    }

    fn node_event(&mut self, node: &str, event: &Event) -> io::Result<()> {
        let lines = self.lines.add(event);
        let Some(files) = self.nodes.get_mut(node) else { return Ok(()) };
        for line in lines {
            files.log.write(event.at, Level::Target, &line.text)?;
        }
        files.say(event)?;
        match &event.kind {
            EventKind::PhaseStarted { .. } => files.begin_phase()?,
            EventKind::AttemptFailed { .. } => files.take_back()?,
            EventKind::Console { direction: Direction::Tx, data } => {
                for line in files.typed.add(&data.0) {
                    files.log.write(event.at, Level::Input, &line)?;
                }
            }
            EventKind::PhaseFinished { phase, took, outcome } => {
                files.phases += 1;
                let level = files.phases.to_string();
                files.result(&self.job, event, &Record::of_phase(phase, &level, *took, *outcome))?;
                // What LAVA's tools look at to tell a board that has booted from one that has not.
                if phase.starts_with("boot-") {
                    files.result(
                        &self.job,
                        event,
                        &Record::of_phase("login-action", &level, *took, *outcome),
                    )?;
                }
            }
            EventKind::TestCase(case) => files.result(&self.job, event, &Record::of_case(case))?,
            EventKind::DefinitionFinished { definition, outcome, took, .. } => {
                files.result(&self.job, event, &Record::of_definition(definition, *took, *outcome))?;
            }
            EventKind::NodeFinished { outcome, fault } => {
                let verdict = Verdict::new(*outcome, fault.as_ref());
                files.result(&self.job, event, &Record::of_job(&verdict))?;
                files.finish(&verdict)?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl NodeFiles {
    fn create(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let create = |name: &str| File::create_new(directory.join(name)).map(BufWriter::new);
        Ok(Self {
            log: Log::new(create("logs.yaml")?),
            results: create("results.yaml")?,
            directory: directory.to_owned(),
            count: 0,
            phase_begin: (0, 0),
            phases: 0,
            typed: LineSplitter::for_console(),
        })
    }

    /// The line of the log for an event that is told in words.
    fn say(&mut self, event: &Event) -> io::Result<()> {
        match log::line(event) {
            Some((level, text)) => self.log.write(event.at, level, &text),
            None => Ok(()),
        }
    }

    fn begin_phase(&mut self) -> io::Result<()> {
        self.results.flush()?;
        self.phase_begin = (self.results.get_mut().stream_position()?, self.count);
        Ok(())
    }

    /// Takes the results of an attempt that does not count out of the export. The log tells of them.
    fn take_back(&mut self) -> io::Result<()> {
        self.results.flush()?;
        let (end, count) = self.phase_begin;
        let file = self.results.get_mut();
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        self.count = count;
        Ok(())
    }

    /// A result: a line of the log, and a record of the export that points at it.
    fn result(&mut self, job: &str, event: &Event, record: &Record<'_>) -> io::Result<()> {
        let line = self.log.lines();
        let record = record.at_line(line);
        self.log.message(event.at, Level::Results, Message::Result(&record))?;
        self.count += 1;
        let exported = Exported::new(&record, self.count, job, event.at);
        writeln!(self.results, "- {}", yaml::to_line(&exported)?)
    }

    fn finish(&mut self, verdict: &Verdict) -> io::Result<()> {
        let text = yaml::to_line(verdict)? + "\n";
        fs::write(self.directory.join("result.yaml"), text)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.log.flush()?;
        self.results.flush()
    }
}

impl Reporter for LavaFiles {
    fn name(&self) -> &'static str {
        "lava files"
    }

    fn report(&mut self, event: &Event, _: &Results) -> io::Result<()> {
        if let EventKind::RunStarted { job, version, nodes } = &event.kind {
            return self.start(event, job, version, nodes);
        }
        match &event.node {
            Some(node) => self.node_event(node, event),
            None => self.run_event(event),
        }
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        let at = so_far.last_event();
        for (node, files) in &mut self.nodes {
            for line in self.lines.finish(node, at) {
                files.log.write(at, Level::Target, &line.text)?;
            }
            files.flush()?;
        }
        Ok(())
    }
}

/// LAVA knows two results of an action.
const fn action_result(outcome: Outcome) -> TestResult {
    match outcome {
        Outcome::Pass => TestResult::Pass,
        Outcome::Fail | Outcome::Error | Outcome::Cancelled => TestResult::Fail,
    }
}
