//! What a node and a run came to, and which fault decided it. Pure.

use crate::event::{Outcome, TestResult};
use crate::fault::{Class, Fault};
use crate::report::results::{DefinitionResult, NodeResults};

/// Why a phase with these definitions is to be tried again, if so: one of them did not run to its end. Cases that fail are
/// results, which another attempt would only hide.
pub(crate) fn unfinished(definitions: &[DefinitionResult], place: &str) -> Option<Fault> {
    let unfinished = definitions.iter().find(|definition| definition.outcome != Some(Outcome::Pass))?;
    let reason = unfinished.reason.as_deref().unwrap_or("it did not run to its end");
    Some(Fault::new(Class::Test, place, format!("definition {}: {reason}", unfinished.name)))
}

/// What a node's tests say, if nothing else went wrong with it.
///
/// A node passes only if every definition ran to its end and no case failed.
pub(crate) fn node(results: &NodeResults) -> Option<Fault> {
    let unfinished = results.definitions.iter().filter(|d| d.outcome != Some(Outcome::Pass));
    let mut reasons: Vec<String> = unfinished
        .map(|definition| match &definition.reason {
            Some(reason) => format!("definition {}: {reason}", definition.name),
            None => format!("definition {} did not run to its end", definition.name),
        })
        .collect();
    let failed = results.tests.iter().filter(|test| test.result == TestResult::Fail);
    let failed: Vec<String> = failed.map(|test| format!("{}/{}", test.definition, test.case)).collect();
    if !failed.is_empty() {
        let (count, all) = (failed.len(), results.tests.len());
        reasons.push(format!("{count} of {all} test cases failed: {}", failed.join(", ")));
    }
    (!reasons.is_empty()).then(|| Fault::new(Class::Test, results.name.clone(), reasons.join("\n")))
}

/// How the tests ended that a node has run between `before` and `after`.
pub(crate) fn tests_since(before: &NodeResults, after: &NodeResults) -> Outcome {
    let definitions = after.definitions.iter().skip(before.definitions.len());
    let cases = after.tests.iter().skip(before.tests.len());
    let failed = definitions.filter(|definition| definition.outcome != Some(Outcome::Pass)).count()
        + cases.filter(|case| case.result == TestResult::Fail).count();
    if failed == 0 { Outcome::Pass } else { Outcome::Fail }
}

/// The fault that decides a run, of those of its nodes in the order in which they happened.
///
/// A bug of ours comes first, then the user's wish to stop; then the earliest fault that is not a test's, because the
/// later ones are its consequences and because a run that could not be done says nothing about the tests.
pub(crate) fn run(faults: &[Fault]) -> Option<&Fault> {
    let first = |wanted: fn(Class) -> bool| faults.iter().find(|fault| wanted(fault.class));
    first(|class| class == Class::Bug)
        .or_else(|| first(|class| class == Class::Cancelled))
        .or_else(|| first(|class| class != Class::Test))
        .or(faults.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(class: Class, text: &str) -> Fault {
        Fault::new(class, "somewhere", text)
    }

    #[test]
    fn the_earliest_fault_that_is_not_a_tests_decides() {
        let faults = [
            fault(Class::Test, "a case failed"),
            fault(Class::Infrastructure, "panic"),
            fault(Class::Job, "nobody sends it"),
        ];
        assert_eq!(run(&faults), Some(&faults[1]));
        assert_eq!(run(&faults[..1]), Some(&faults[0]));
        assert_eq!(run(&[]), None);
    }

    #[test]
    fn a_bug_of_ours_is_never_hidden_and_a_cancelled_run_is_called_cancelled() {
        let faults = [
            fault(Class::Infrastructure, "gone"),
            fault(Class::Cancelled, "stopped"),
            fault(Class::Bug, "panicked"),
        ];
        assert_eq!(run(&faults), Some(&faults[2]));
        assert_eq!(run(&faults[..2]), Some(&faults[1]));
    }
}
