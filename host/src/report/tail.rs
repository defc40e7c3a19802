//! The last lines of every node, for reports that show them at the end.

use std::collections::{BTreeMap, VecDeque};

use crate::event::Event;
use crate::report::lines::{Line, Lines};

/// How much is kept of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) lines: usize,
    pub(super) bytes: usize,
}

/// The last lines of every node of a run.
#[derive(Debug)]
pub(super) struct Tails {
    limit: Limit,
    lines: Lines,
    nodes: BTreeMap<String, Tail>,
}

/// The last lines of one node.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<Line>,
    bytes: usize,
    left_out: u64,
}

impl Tails {
    pub(super) fn new(limit: Limit) -> Self {
        Self { limit, lines: Lines::default(), nodes: BTreeMap::new() }
    }

    /// Takes an event of any kind; returns the lines that are complete with it.
    pub(super) fn add(&mut self, event: &Event) -> Vec<Line> {
        let lines = self.lines.add(event);
        if let Some(node) = event.node.as_ref().filter(|_| !lines.is_empty()) {
            self.extend(node, &lines);
        }
        lines
    }

    /// All lines as they come, of which some have not ended.
    pub(super) const fn lines(&self) -> &Lines {
        &self.lines
    }

    /// No more events come, though the nodes have not ended.
    pub(super) fn cut_off(&mut self, at: jiff::Timestamp) {
        for node in self.nodes.keys().cloned().collect::<Vec<_>>() {
            let rest = self.lines.finish(&node, at);
            self.extend(&node, &rest);
        }
    }

    /// What is kept of a node; `None` if it has said nothing.
    pub(super) fn of(&self, node: &str) -> Option<&Tail> {
        self.nodes.get(node)
    }

    fn extend(&mut self, node: &str, lines: &[Line]) {
        let tail = self.nodes.entry(node.to_owned()).or_default();
        for line in lines {
            tail.bytes += line.text.len();
            tail.lines.push_back(line.clone());
            while tail.lines.len() > self.limit.lines || tail.bytes > self.limit.bytes {
                let Some(first) = tail.lines.pop_front() else { break };
                tail.bytes -= first.text.len();
                tail.left_out += 1;
            }
        }
    }
}

impl Tail {
    /// The lines that are kept, in order.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter()
    }

    /// The last `count` of them.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = &Line> {
        self.lines.iter().skip(self.lines.len().saturating_sub(count))
    }

    /// How many lines came before those that are kept.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{Bytes, Direction, EventKind};

    #[test]
    fn the_last_lines_are_kept_within_lines_and_bytes() {
        let text = |limit: Limit, text: &str| {
            let mut tails = Tails::new(limit);
            let data = Bytes(text.as_bytes().to_vec());
            tails.add(&Event {
                seq: 0,
                at: jiff::Timestamp::UNIX_EPOCH,
                elapsed: Duration::ZERO,
                node: Some("host".to_owned()),
                kind: EventKind::Console { direction: Direction::Rx, data },
            });
            let tail = tails.of("host").unwrap();
            (tail.lines().map(|line| line.text.clone()).collect::<Vec<_>>(), tail.left_out())
        };
        assert_eq!(text(Limit { lines: 2, bytes: 100 }, "a\nb\nc\n"), (vec!["b".into(), "c".into()], 1));
        assert_eq!(
            text(Limit { lines: 9, bytes: 5 }, "aaa\nbbb\ncc\n"),
            (vec!["bbb".into(), "cc".into()], 1)
        );
        assert_eq!(text(Limit { lines: 9, bytes: 2 }, "aaa\n"), (vec![], 1));
    }
}
