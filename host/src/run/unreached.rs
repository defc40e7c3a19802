//! Tests that a node has not come to: they are reported as not run, with the reason.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{EventKind, Outcome};
use crate::fault::Fault;
use crate::plan::{Action, Step};
use crate::report::results::DefinitionResult;
use crate::run::NodeContext;

/// Reports the tests of `step` that are not among those that it has `reported`.
pub(super) fn report(node: &NodeContext, step: &Step, reported: &[DefinitionResult], fault: &Fault) {
    for name in tests_of(step) {
        if reported.iter().all(|test| test.name != name) {
            not_run(node, step, name, fault);
        }
    }
}

/// Reports the tests of all steps that the node has not come to when it has ended.
pub(super) fn report_rest(node: &NodeContext, reported: &[DefinitionResult], fault: &Fault) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for test in reported {
        *counts.entry(&test.name).or_default() += 1;
    }
    for step in &node.plan.steps {
        for name in tests_of(step) {
            // A step that is repeated has the same tests each time.
            match counts.get_mut(name.as_str()).filter(|count| **count > 0) {
                Some(count) => *count -= 1,
                None => not_run(node, step, name, fault),
            }
        }
    }
}

/// The names under which a step reports its tests.
fn tests_of(step: &Step) -> Vec<String> {
    let on_line = |stage: u32, name: &str| format!("{stage}_{name}");
    match &step.action {
        Action::Test(test) => test.definitions.iter().map(|definition| definition.dir.clone()).collect(),
        Action::Interactive(test) => test.items.iter().map(|item| on_line(test.stage, &item.name)).collect(),
        Action::Monitors(test) => test.items.iter().map(|item| on_line(test.stage, &item.name)).collect(),
        _ => Vec::new(),
    }
}

fn not_run(node: &NodeContext, step: &Step, definition: String, fault: &Fault) {
    let place = Some(step.place.clone());
    node.emitter.emit(EventKind::DefinitionStarted { definition: definition.clone(), place });
    let reason = Some(format!("not run: {}", fault.headline()));
    let (outcome, took) = (Outcome::of(Some(fault)), Duration::ZERO);
    node.emitter.emit(EventKind::DefinitionFinished { definition, outcome, took, reason });
}
