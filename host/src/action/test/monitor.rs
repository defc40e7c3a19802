//! `monitors`: results that are only listened for.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::action::boot_uboot::drive_fault;
use crate::dialog::{Listening, MonitorSettings};
use crate::fault::{Class, Fault};
use crate::job::Monitor;
use crate::link::{Console, drive};
use crate::plan::TestLine;
use crate::run::{NodeContext, Phase, Resources};

use super::case_book::{Report, ResultRules};
use super::reported::Reported;

/// Runs the monitors, one after the other.
pub(crate) async fn monitors(
    node: &NodeContext,
    phase: &Phase,
    test: &TestLine<Monitor>,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let Some(line) = resources.space().line.as_mut() else {
        return Err(resources.unconnected(phase, "there is nothing to listen to"));
    };
    for monitor in &test.items {
        let name = format!("{}_{}", test.stage, monitor.name);
        let rules =
            ResultRules { expected: monitor.expected.clone(), fixups: monitor.fixups.clone(), pattern: None };
        let mut reported = Reported::begin(node, phase, &name, &rules);
        let result = listen(node, phase, monitor, &mut line.console, &mut reported).await;
        reported.end_as(&result);
        result?;
    }
    Ok(())
}

async fn listen(
    node: &NodeContext,
    phase: &Phase,
    monitor: &Monitor,
    console: &mut Console,
    reported: &mut Reported<'_>,
) -> Result<(), Fault> {
    let settings = MonitorSettings {
        start: phase.pattern(&monitor.start)?,
        end: phase.pattern(&monitor.end)?,
        pattern: phase.pattern(&monitor.pattern)?,
    };
    let (sender, mut results) = mpsc::unbounded_channel();
    // It is read as fast as the line brings it.
    let on_result = Box::new(move |groups| drop(sender.send(groups)));
    let ended = {
        let listening = drive(console, Listening::new(settings, on_result, phase.end(), Instant::now()));
        tokio::pin!(listening);
        loop {
            tokio::select! {
                biased;
                Some(groups) = results.recv() => report(reported, &groups),
                ended = &mut listening => break ended,
            }
        }
    };
    while let Ok(groups) = results.try_recv() {
        report(reported, &groups);
    }
    let board = node.plan.kind.board().map(Arc::as_ref);
    ended.map_err(|error| drive_fault(phase, console, board, &error, |_| Class::Test))
}

/// A result from the named groups of a match.
fn report(reported: &mut Reported<'_>, groups: &[(String, String)]) {
    let group = |name: &str| {
        let found = groups.iter().find(|(group, _)| group == name).map(|(_, text)| text.trim());
        found.filter(|text| !text.is_empty())
    };
    let Some(id) = group("test_case_id").map(case_id) else {
        return reported.failed("unnamed", "the pattern has matched no `test_case_id`");
    };
    let report = Report {
        id: &id,
        result: group("result").unwrap_or("pass"),
        measurement: group("measurement"),
        units: group("units"),
        reference: None,
    };
    reported.case(report, None);
}

/// A test case id from a text: lower case, with `_` for all that is no part of a word, as in LAVA.
fn case_id(text: &str) -> String {
    let mut id = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match c.is_alphanumeric() || c == '_' {
            true => id.push(c),
            false if !id.ends_with('_') => id.push('_'),
            false => {}
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::case_id;

    #[test]
    fn names_of_a_test_become_ids() {
        assert_eq!(case_id("Kernel: sem - init"), "kernel_sem_init");
        assert_eq!(case_id("already_one"), "already_one");
    }
}
