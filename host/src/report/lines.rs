//! What boards and test definitions print, cut into printable lines with the time at which each began.

use std::collections::BTreeMap;

use crate::event::{Direction, Event, EventKind};

/// Longest line kept in one piece, in bytes; longer ones are cut.
const MAX_LINE: usize = 8192;

/// A line that a node printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When the first of it came that is to be seen.
    pub began: jiff::Timestamp,
    /// The test definition that printed it; `None` for what came over the console beside the agent's frames.
    pub definition: Option<String>,
    /// Its text, without escape sequences and control characters.
    pub text: String,
}

/// The text of all nodes of a run.
///
/// What it keeps: the unfinished line of every console and of every definition that runs, 8 KiB each.
#[derive(Debug, Default)]
pub struct Lines {
    nodes: BTreeMap<String, NodeLines>,
}

#[derive(Debug)]
struct NodeLines {
    console: TimedLines,
    definitions: BTreeMap<String, TimedLines>,
}

impl Lines {
    /// Takes an event of any kind and returns the lines that are complete with it, all of the event's node.
    pub fn add(&mut self, event: &Event) -> Vec<Line> {
        let node = event.node.as_deref().unwrap_or_default();
        match &event.kind {
            EventKind::Console { direction: Direction::Rx, data } => {
                let console = &mut self.node(node).console;
                console.add(event.at, &data.0).into_iter().map(|line| line.of(None)).collect()
            }
            EventKind::Output { definition, data, .. } => {
                let lines = self.node(node).definitions.entry(definition.clone());
                let lines = lines.or_insert_with(|| TimedLines::new(LineSplitter::for_text()));
                lines.add(event.at, &data.0).into_iter().map(|line| line.of(Some(definition))).collect()
            }
            EventKind::DefinitionFinished { definition, .. } => {
                let lines = self.nodes.get_mut(node).and_then(|lines| lines.definitions.remove(definition));
                let rest = lines.and_then(|mut lines| lines.finish(event.at));
                rest.into_iter().map(|line| line.of(Some(definition))).collect()
            }
            EventKind::NodeFinished { .. } => self.finish(node, event.at),
            _ => Vec::new(),
        }
    }

    /// What a definition that runs on a node has printed of a line that it has not ended.
    pub fn unfinished(&self, node: &str, definition: &str) -> Option<String> {
        self.nodes.get(node)?.definitions.get(definition)?.splitter.unfinished()
    }

    /// The unfinished lines of a node that will not say more.
    pub fn finish(&mut self, node: &str, at: jiff::Timestamp) -> Vec<Line> {
        let Some(NodeLines { mut console, definitions }) = self.nodes.remove(node) else {
            return Vec::new();
        };
        let rest = console.finish(at).map(|line| line.of(None));
        let of_definitions = definitions
            .into_iter()
            .filter_map(|(definition, mut lines)| lines.finish(at).map(|line| line.of(Some(&definition))));
        rest.into_iter().chain(of_definitions).collect()
    }

    fn node(&mut self, name: &str) -> &mut NodeLines {
        self.nodes.entry(name.to_owned()).or_insert_with(|| NodeLines {
            console: TimedLines::new(LineSplitter::for_console()),
            definitions: BTreeMap::new(),
        })
    }
}

/// A line whose source is known to the caller.
struct TimedLine {
    began: jiff::Timestamp,
    text: String,
}

impl TimedLine {
    fn of(self, definition: Option<&String>) -> Line {
        Line { began: self.began, definition: definition.cloned(), text: self.text }
    }
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

    fn add(&mut self, at: jiff::Timestamp, bytes: &[u8]) -> Vec<TimedLine> {
        let lines = self.splitter.add(bytes).into_iter();
        let lines = lines.map(|text| TimedLine { began: self.began.take().unwrap_or(at), text }).collect();
        // Boards end a line with colours that they switch off, and begin one with what clears it, long before its text.
        if self.began.is_none() && self.splitter.unfinished().is_some() {
            self.began = Some(at);
        }
        lines
    }

    fn finish(&mut self, at: jiff::Timestamp) -> Option<TimedLine> {
        let began = self.began.take().unwrap_or(at);
        self.splitter.finish().map(|text| TimedLine { began, text })
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

    /// What is there of a line that has not ended, if that is to be seen.
    fn unfinished(&self) -> Option<String> {
        printable(&self.line).filter(|text| !text.trim().is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Bytes;

    fn said(second: i64, text: &str) -> Event {
        Event {
            seq: 0,
            at: jiff::Timestamp::from_second(second).unwrap(),
            elapsed: std::time::Duration::ZERO,
            node: Some("board".to_owned()),
            kind: EventKind::Console { direction: Direction::Rx, data: Bytes(text.into()) },
        }
    }

    #[test]
    fn a_line_begins_with_the_first_of_it_that_is_seen() {
        let mut lines = Lines::default();
        let parts = [(1, "login:\n\u{1b}[0m\r"), (5, " ro"), (6, "ot\n"), (7, "\u{1b}[1m"), (9, "# \n")];
        let all: Vec<_> = parts.iter().flat_map(|(at, text)| lines.add(&said(*at, text))).collect();
        let all: Vec<_> = all.iter().map(|line| (line.began.as_second(), line.text.as_str())).collect();
        assert_eq!(all, [(1, "login:"), (5, " root"), (9, "# ")]);
    }
}
