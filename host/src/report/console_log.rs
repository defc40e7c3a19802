//! `console/<node>.log`, `.raw` and `.timing`: what the board said.
//!
//! The log has a line of text per line of the console, with the time at which it began; frames of the agent are left
//! out and the output of test scripts that they carried is put in. The raw file holds every byte as it arrived, and the timing file
//! has the delay and length of each chunk, so that `scriptreplay --timing NODE.timing NODE.raw` plays it back.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::event::{Direction, Event, EventKind};
use crate::report::{Reporter, file_name};

/// Longest line kept in one piece, in bytes; longer ones are cut.
const MAX_LINE: usize = 8192;

/// Writes the console files of all nodes.
#[derive(Debug)]
pub struct ConsoleLogs {
    directory: PathBuf,
    nodes: HashMap<String, NodeFiles>,
}

#[derive(Debug)]
struct NodeFiles {
    log: BufWriter<File>,
    raw: BufWriter<File>,
    timing: BufWriter<File>,
    last_chunk: Duration,
    console: TimedLines,
    outputs: HashMap<String, TimedLines>,
}

/// Lines of one source, with the time at which each began.
#[derive(Debug)]
struct TimedLines {
    splitter: LineSplitter,
    began: Option<jiff::Timestamp>,
}

impl TimedLines {
    fn new(splitter: LineSplitter) -> Self {
        Self { splitter, began: None }
    }

    fn add(&mut self, at: jiff::Timestamp, bytes: &[u8]) -> Vec<(jiff::Timestamp, String)> {
        let lines = self.splitter.add(bytes).into_iter();
        let lines = lines.map(|line| (self.began.take().unwrap_or(at), line)).collect();
        if !self.splitter.line.is_empty() {
            self.began.get_or_insert(at);
        }
        lines
    }

    fn finish(&mut self, at: jiff::Timestamp) -> Vec<(jiff::Timestamp, String)> {
        let began = self.began.take().unwrap_or(at);
        self.splitter.finish().into_iter().map(|line| (began, line)).collect()
    }
}

impl ConsoleLogs {
    /// Will write into `directory`, which must exist.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, nodes: HashMap::new() }
    }

    fn node(&mut self, name: &str) -> io::Result<&mut NodeFiles> {
        let file_name = file_name(name);
        match self.nodes.entry(name.to_owned()) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let create = |extension: &str| {
                    File::create_new(self.directory.join(format!("{file_name}.{extension}")))
                        .map(BufWriter::new)
                };
                Ok(entry.insert(NodeFiles {
                    log: create("log")?,
                    raw: create("raw")?,
                    timing: create("timing")?,
                    last_chunk: Duration::ZERO,
                    console: TimedLines::new(LineSplitter::for_console()),
                    outputs: HashMap::new(),
                }))
            }
        }
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
        self.raw.write_all(bytes)?;
        let lines = self.console.add(event.at, bytes);
        self.write_lines("", &lines)
    }

    fn output(&mut self, event: &Event, definition: &str, bytes: &[u8]) -> io::Result<()> {
        let lines = self
            .outputs
            .entry(definition.to_owned())
            .or_insert_with(|| TimedLines::new(LineSplitter::for_text()))
            .add(event.at, bytes);
        self.write_lines(definition, &lines)
    }

    fn write_lines(&mut self, source: &str, lines: &[(jiff::Timestamp, String)]) -> io::Result<()> {
        let source = if source.is_empty() { String::new() } else { format!("{source}| ") };
        lines.iter().try_for_each(|(began, line)| {
            writeln!(self.log, "{} {source}{line}", began.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
        })
    }

    fn finish(&mut self, event: &Event) -> io::Result<()> {
        let rest = self.console.finish(event.at);
        self.write_lines("", &rest)?;
        let outputs = std::mem::take(&mut self.outputs);
        for (definition, mut lines) in outputs {
            let rest = lines.finish(event.at);
            self.write_lines(&definition, &rest)?;
        }
        Ok(())
    }
}

impl Reporter for ConsoleLogs {
    fn name(&self) -> &'static str {
        "console logs"
    }

    fn report(&mut self, event: &Event) -> io::Result<()> {
        let node = event.node.as_deref().unwrap_or("run");
        match &event.kind {
            EventKind::Console { direction: Direction::Rx, data } => {
                self.node(node)?.received(event, &data.0)
            }
            EventKind::Output { definition, data, .. } => self.node(node)?.output(event, definition, &data.0),
            EventKind::NodeFinished { .. } => {
                if let Some(files) = self.nodes.get_mut(node) {
                    files.finish(event)?;
                }
                self.flush()
            }
            EventKind::PhaseFinished { .. } | EventKind::RunFinished { .. } => self.flush(),
            _ => Ok(()),
        }
    }
}

/// Cuts a stream of bytes into printable lines: frames of the agent and escape sequences are left out.
#[derive(Debug)]
pub struct LineSplitter {
    frames: Option<protocol::frame::Decoder>,
    line: Vec<u8>,
}

impl LineSplitter {
    /// For a console, whose bytes may hold frames.
    pub fn for_console() -> Self {
        Self { frames: Some(protocol::frame::Decoder::new()), line: Vec::new() }
    }

    /// For bytes that are text throughout.
    pub fn for_text() -> Self {
        Self { frames: None, line: Vec::new() }
    }

    /// Adds bytes and returns the lines that are complete now.
    pub fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let line = &mut self.line;
        let mut text = |bytes: &[u8]| {
            for &byte in bytes {
                if byte == b'\n' || line.len() >= MAX_LINE {
                    lines.extend(printable(&std::mem::take(line)));
                }
                if byte != b'\n' {
                    line.push(byte);
                }
            }
        };
        match &mut self.frames {
            None => text(bytes),
            Some(frames) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    // Frames are for the agent's link; what is between them is text.
                    let _ = frames.decode(&mut rest, &mut text);
                }
            }
        }
        lines
    }

    /// Returns the last line if it was not ended.
    pub fn finish(&mut self) -> Option<String> {
        if self.line.is_empty() {
            return None;
        }
        printable(&std::mem::take(&mut self.line))
    }
}

/// A line without escape sequences and control characters; `None` if nothing is left of one that had some.
fn printable(line: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(line);
    let text = console::strip_ansi_codes(text.trim_end_matches('\r'));
    let clean: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
    (!clean.is_empty() || line.iter().all(u8::is_ascii_whitespace)).then_some(clean)
}
