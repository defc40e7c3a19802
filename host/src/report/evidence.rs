//! The last lines before something failed, kept for those who are told of it.

use std::collections::{BTreeMap, VecDeque};

use crate::event::{Direction, Event, EventKind, Outcome, TestResult};
use crate::report::Results;
use crate::report::finding::{OfTests, Part};
use crate::report::lines::{Line, Lines};
use crate::report::results::NodeResults;

/// Lines that are kept before a failure.
const LINES: usize = 8;
/// The first and the last failures of a node, for which lines are kept: a page shows those, and a terminal these.
const FIRST: usize = 50;
const LATEST: usize = 10;

/// The last lines of all nodes, definitions and cases that failed.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    nodes: BTreeMap<String, NodeEvidence>,
}

#[derive(Debug, Default)]
struct NodeEvidence {
    /// Whether anything came of it: it has a console log then.
    has_spoken: bool,
    /// The last lines of its console and of its definitions.
    tail: VecDeque<Line>,
    /// Of every definition that runs.
    running: BTreeMap<String, Tail>,
    /// What stood before a case failed, by the case's index.
    cases: BTreeMap<usize, Vec<String>>,
    /// What a definition that failed said last, by its index.
    definitions: BTreeMap<usize, Vec<String>>,
}

/// What a definition printed last.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
    /// How many of them came since the last case.
    fresh: usize,
}

impl Evidence {
    /// Takes the next event and the lines that are complete with it; `all` has those that are not.
    pub(super) fn add(&mut self, event: &Event, lines: &[Line], all: &Lines, so_far: &Results) {
        let Some(name) = &event.node else { return };
        let node = self.nodes.entry(name.clone()).or_default();
        node.has_spoken |= matches!(
            event.kind,
            EventKind::Console { direction: Direction::Rx, .. } | EventKind::Output { .. }
        );
        lines.iter().for_each(|line| node.line(line));
        if let Some(results) = so_far.nodes.iter().find(|results| results.name == *name) {
            let unfinished = |definition: &str| all.unfinished(name, definition);
            node.add(&event.kind, unfinished, results);
        }
    }

    /// Whether the node, or a test on it, has printed anything.
    pub(super) fn has_spoken(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(|node| node.has_spoken)
    }

    /// The last lines of a node, each with its definition in front.
    pub(super) fn of_node(&self, node: &str) -> Vec<String> {
        let text = |line: &Line| match &line.definition {
            Some(definition) => format!("{definition} │ {}", line.text),
            None => format!("│ {}", line.text),
        };
        self.nodes.get(node).map(|node| node.tail.iter().map(text).collect()).unwrap_or_default()
    }

    /// What the definition of a case printed before that failed, or what a definition that failed printed last.
    pub(super) fn of_tests(&self, of: OfTests<'_>) -> &[String] {
        let lines = self.nodes.get(of.node).and_then(|node| match of.part {
            Part::Definition(index) => node.definitions.get(&index),
            Part::Case(index) => node.cases.get(&index),
        });
        lines.map_or(&[], Vec::as_slice)
    }
}

impl NodeEvidence {
    fn line(&mut self, line: &Line) {
        if let Some(definition) = &line.definition {
            let tail = self.running.entry(definition.clone()).or_default();
            keep(&mut tail.lines, line.text.clone());
            tail.fresh = (tail.fresh + 1).min(LINES);
        }
        keep(&mut self.tail, line.clone());
    }

    fn add(&mut self, kind: &EventKind, unfinished: impl Fn(&str) -> Option<String>, results: &NodeResults) {
        match kind {
            EventKind::TestCase(case) => {
                let tail = self.running.entry(case.definition.clone()).or_default();
                let fresh = std::mem::take(&mut tail.fresh);
                if case.result == TestResult::Fail {
                    let skipped = tail.lines.len().saturating_sub(fresh);
                    let lines = tail.lines.iter().skip(skipped).cloned();
                    let lines = lines.chain(unfinished(&case.definition)).collect();
                    keep_failure(&mut self.cases, results.tests.len().saturating_sub(1), lines);
                }
            }
            EventKind::DefinitionFinished { definition, outcome, .. } => {
                let tail = self.running.remove(definition).unwrap_or_default();
                let index = results.definitions.iter().rposition(|result| result.name == *definition);
                if let Some(index) = index.filter(|_| *outcome == Outcome::Fail) {
                    keep_failure(&mut self.definitions, index, tail.lines.into());
                }
            }
            // What it has reported does not count.
            EventKind::AttemptFailed { .. } => {
                self.cases.retain(|index, _| *index < results.tests.len());
                self.definitions.retain(|index, _| *index < results.definitions.len());
            }
            _ => {}
        }
    }
}

fn keep_failure(failures: &mut BTreeMap<usize, Vec<String>>, index: usize, lines: Vec<String>) {
    failures.insert(index, lines);
    if failures.len() > FIRST + LATEST
        && let Some(between) = failures.keys().nth(FIRST).copied()
    {
        failures.remove(&between);
    }
}

fn keep<T>(lines: &mut VecDeque<T>, line: T) {
    if lines.len() == LINES {
        lines.pop_front();
    }
    lines.push_back(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_of_the_first_failures_and_of_the_latest() {
        let mut failures = BTreeMap::new();
        for index in 0..1000 {
            keep_failure(&mut failures, index, vec![index.to_string()]);
        }
        let kept: Vec<usize> = failures.into_keys().collect();
        let expected: Vec<usize> = (0..FIRST).chain(1000 - LATEST..1000).collect();
        assert_eq!(kept, expected);
    }
}
