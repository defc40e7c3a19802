//! `console/<node>.log`, `.raw` and `.timing`: what the board said.
//!
//! The log has a line of text per line of the console, with the time at which it began; frames of the agent are left
//! out and the output of test scripts that they carried is put in. The raw file holds every byte as it arrived, and the timing file
//! has the delay and length of each chunk, so that `scriptreplay --timing NODE.timing NODE.raw` plays it back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::event::{Direction, Event, EventKind};
use crate::report::lines::{Line, Lines};
use crate::report::{Reporter, Results, file_name};

/// Writes the console files of all nodes.
#[derive(Debug)]
pub struct ConsoleLogs {
    directory: PathBuf,
    nodes: BTreeMap<String, NodeFiles>,
    lines: Lines,
}

#[derive(Debug)]
struct NodeFiles {
    log: BufWriter<File>,
    raw: BufWriter<File>,
    timing: BufWriter<File>,
    last_chunk: Duration,
}

impl ConsoleLogs {
    /// Will write into `directory`, which must exist.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, nodes: BTreeMap::new(), lines: Lines::default() }
    }

    fn node(&mut self, name: &str) -> io::Result<&mut NodeFiles> {
        let file_name = file_name(name);
        match self.nodes.entry(name.to_owned()) {
            std::collections::btree_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let create = |extension: &str| {
                    File::create_new(self.directory.join(format!("{file_name}.{extension}")))
                        .map(BufWriter::new)
                };
                Ok(entry.insert(NodeFiles {
                    log: create("log")?,
                    raw: create("raw")?,
                    timing: create("timing")?,
                    last_chunk: Duration::ZERO,
                }))
            }
        }
    }

    fn write_lines(&mut self, node: &str, lines: &[Line]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.node(node)?.write_lines(lines)
    }

    fn flush(&mut self) -> io::Result<()> {
        for files in self.nodes.values_mut() {
            files.log.flush()?;
            files.raw.flush()?;
            files.timing.flush()?;
        }
        Ok(())
    }
}

impl NodeFiles {
    fn received(&mut self, event: &Event, bytes: &[u8]) -> io::Result<()> {
        let delay = event.elapsed.saturating_sub(self.last_chunk).as_secs_f64();
        self.last_chunk = event.elapsed;
        writeln!(self.timing, "{delay:.6} {}", bytes.len())?;
        self.raw.write_all(bytes)
    }

    fn write_lines(&mut self, lines: &[Line]) -> io::Result<()> {
        lines.iter().try_for_each(|Line { began, definition, text }| {
            let source = definition.as_ref().map(|name| format!("{name}| ")).unwrap_or_default();
            writeln!(self.log, "{} {source}{text}", began.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
        })
    }
}

impl Reporter for ConsoleLogs {
    fn name(&self) -> &'static str {
        "console logs"
    }

    fn report(&mut self, event: &Event, _: &Results) -> io::Result<()> {
        let node = event.node.as_deref().unwrap_or("run");
        match &event.kind {
            EventKind::Console { direction: Direction::Rx, data } => {
                self.node(node)?.received(event, &data.0)?;
            }
            // The files are there as soon as the node has said something.
            EventKind::Output { .. } => {
                self.node(node)?;
            }
            _ => {}
        }
        let lines = self.lines.add(event);
        self.write_lines(node, &lines)?;
        match &event.kind {
            EventKind::NodeFinished { .. }
            | EventKind::PhaseFinished { .. }
            | EventKind::RunFinished { .. } => self.flush(),
            _ => Ok(()),
        }
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        let at = so_far.last_event();
        for node in self.nodes.keys().cloned().collect::<Vec<_>>() {
            let rest = self.lines.finish(&node, at);
            self.write_lines(&node, &rest)?;
        }
        self.flush()
    }
}
