//! What did not go well in a run, a finding each: faults, definitions that did not run to their end, cases that failed.

use crate::event::{Outcome, TestResult};
use crate::fault::{Class, Fault};
use crate::report::Results;
use crate::report::results::NodeResults;

/// A place in a file of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    /// From 1.
    pub(crate) line: u32,
    /// From 1.
    pub(crate) column: u32,
}

impl<'a> Place<'a> {
    /// The place that `text` names: `file:line:column`, alone or in brackets at its end, as in a fault's place.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let bracketed =
            text.strip_suffix(')').and_then(|text| text.rsplit_once(" (")).map(|(_, place)| place);
        let (rest, column) = bracketed.unwrap_or(text).rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        Some(Self { file, line: line.parse().ok()?, column: column.parse().ok()? })
            .filter(|_| !file.is_empty())
    }
}

/// One thing that did not go well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding<'a> {
    /// Whose fault it is.
    pub(super) class: Class,
    /// What it is about, without what changes from run to run: `guest`, `host: 0_smoke`, `host: 0_smoke/disk.write`.
    pub(super) subject: String,
    /// What happened.
    pub(super) message: String,
    /// Where in the user's files.
    pub(super) place: Option<Place<'a>>,
    /// What of a node it is, if it is of its tests.
    pub(super) of: Option<OfTests<'a>>,
}

/// What of a node's tests failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OfTests<'a> {
    pub(super) node: &'a str,
    pub(super) part: Part,
}

/// A part of a node's results, by its index in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Definition(usize),
    Case(usize),
}

/// All findings of a run: faults first, then what failed of every node.
///
/// A node's fault that only sums up its tests is left out where the tests themselves are there.
pub(super) fn all(results: &Results) -> impl Iterator<Item = Finding<'_>> {
    let faults = distinct_faults(results).into_iter();
    let faults = faults.filter(|(node, fault)| !node.is_some_and(|node| sums_up_tests(node, fault)));
    let faults = faults.map(|(node, fault)| Finding {
        class: fault.class,
        subject: node.map_or_else(|| results.job.clone(), |node| node.name.clone()),
        message: with_help(fault),
        place: Place::parse(&fault.place),
        of: None,
    });
    faults.chain(results.nodes.iter().flat_map(|node| definitions(node).chain(cases(node))))
}

/// The faults of the nodes, and that of the run if it is none of theirs, each once.
pub(super) fn distinct_faults(results: &Results) -> Vec<(Option<&NodeResults>, &Fault)> {
    let mut told: Vec<(Option<&NodeResults>, &Fault)> = Vec::new();
    let own = results.nodes.iter().filter_map(|node| node.fault.as_ref().map(|fault| (Some(node), fault)));
    for (node, fault) in own.chain(results.fault.iter().map(|fault| (None, fault))) {
        if !told.iter().any(|(_, other)| *other == fault) {
            told.push((node, fault));
        }
    }
    told
}

/// Whether the fault of a node only sums up its tests, which tell more by themselves.
pub(super) fn sums_up_tests(node: &NodeResults, fault: &Fault) -> bool {
    fault.class == Class::Test && (definitions(node).next().is_some() || cases(node).next().is_some())
}

/// Definitions that failed by themselves; those that were not run have their reason in the fault of their node.
fn definitions(node: &NodeResults) -> impl Iterator<Item = Finding<'_>> {
    let all = node.definitions.iter().enumerate();
    let failed = all.filter(|(_, definition)| definition.outcome == Some(Outcome::Fail));
    failed.map(|(index, definition)| Finding {
        class: Class::Test,
        subject: format!("{}: {}", node.name, definition.name),
        message: definition.reason.clone().unwrap_or_else(|| "did not run to its end".to_owned()),
        place: definition.place.as_deref().and_then(Place::parse),
        of: Some(OfTests { node: &node.name, part: Part::Definition(index) }),
    })
}

fn cases(node: &NodeResults) -> impl Iterator<Item = Finding<'_>> {
    let failed = node.tests.iter().enumerate().filter(|(_, test)| test.result == TestResult::Fail);
    failed.map(|(index, test)| Finding {
        class: Class::Test,
        subject: format!("{}: {}/{}", node.name, test.definition, test.full_name()),
        message: test.comment.clone().unwrap_or_else(|| "result: fail".to_owned()),
        place: node
            .latest(&test.definition)
            .and_then(|definition| Place::parse(definition.place.as_deref()?)),
        of: Some(OfTests { node: &node.name, part: Part::Case(index) }),
    })
}

fn with_help(fault: &Fault) -> String {
    let help = fault.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    format!("{}: {}{help}", fault.place, fault.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_alone_and_in_brackets() {
        let place = |file, line, column| Some(Place { file, line, column });
        assert_eq!(Place::parse("jobs/a b.yaml:9:3"), place("jobs/a b.yaml", 9, 3));
        assert_eq!(Place::parse("guest, boot-ssh (job.yaml:9:3)"), place("job.yaml", 9, 3));
        for none in ["host", "/dev/ttyUSB0", "host, power-off", "http://host:80/x", ":1:2", "a:1:b"] {
            assert_eq!(Place::parse(none), None, "{none}");
        }
    }
}
