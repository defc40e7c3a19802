//! The results of a test that runs on a connection alone, as events.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::event::{EventKind, Outcome, TestCase, TestResult};
use crate::fault::Fault;
use crate::run::{NodeContext, Phase};

/// A script or monitor that has begun. Its end is reported when this goes, also when the node is stopped in the midst of it.
pub(super) struct Reported<'a> {
    node: &'a NodeContext,
    phase: &'a Phase,
    definition: String,
    /// Cases that must be reported, and that alone may pass.
    expected: Option<&'a [String]>,
    seen: BTreeSet<String>,
    started: Instant,
    end: Option<(Outcome, Option<String>)>,
}

impl<'a> Reported<'a> {
    /// The test `name` begins.
    pub(super) fn begin(
        node: &'a NodeContext,
        phase: &'a Phase,
        name: &str,
        expected: Option<&'a [String]>,
    ) -> Self {
        let definition = name.to_owned();
        node.emitter.emit(EventKind::DefinitionStarted { definition: definition.clone() });
        Self { node, phase, definition, expected, seen: BTreeSet::new(), started: Instant::now(), end: None }
    }

    /// Its name.
    pub(super) fn definition(&self) -> &str {
        &self.definition
    }

    /// A result. One that the job does not expect fails, as in LAVA.
    pub(super) fn case(&mut self, mut case: TestCase) {
        self.seen.insert(case.case.clone());
        if self.expected.is_some_and(|expected| !expected.contains(&case.case)) {
            case.result = TestResult::Fail;
            case.comment = Some("it is not one of the `expected` cases".to_owned());
        }
        self.node.emitter.emit(EventKind::TestCase(case));
    }

    /// The test has ended.
    pub(super) fn end(&mut self, result: &Result<(), Fault>) {
        self.end = Some(match result {
            Ok(()) => (Outcome::Pass, None),
            Err(fault) => (Outcome::of(Some(fault)), Some(fault.message.clone())),
        });
    }
}

impl Drop for Reported<'_> {
    fn drop(&mut self) {
        let definition = self.definition.clone();
        for case in self.expected.unwrap_or_default() {
            if self.seen.contains(case) {
                continue;
            }
            self.node.emitter.emit(EventKind::TestCase(TestCase {
                definition: definition.clone(),
                case: case.clone(),
                result: TestResult::Fail,
                set: None,
                measurement: None,
                units: None,
                reference: None,
                comment: Some("it was expected, and not reported".to_owned()),
            }));
        }
        let (outcome, reason) = self.end.take().unwrap_or_else(|| {
            let fault = self.node.cut_off(self.phase);
            (Outcome::of(Some(&fault)), Some(fault.message))
        });
        let took = self.started.elapsed();
        self.node.emitter.emit(EventKind::DefinitionFinished { definition, outcome, took, reason });
    }
}
