//! The begin, the results and the end of a definition, script or monitor, as events.

use std::time::Instant;

use crate::event::{EventKind, Outcome};
use crate::fault::Fault;
use crate::run::{NodeContext, Phase};

use super::case_book::{CaseBook, Report, ResultRules};

/// A definition, script or monitor that has begun. Its end is reported when this goes, also when the node is stopped in the midst of it.
pub(super) struct Reported<'a> {
    node: &'a NodeContext,
    phase: &'a Phase,
    book: CaseBook,
    started: Instant,
    end: Option<(Outcome, Option<String>)>,
}

impl<'a> Reported<'a> {
    /// The test `name` begins.
    pub(super) fn begin(node: &'a NodeContext, phase: &'a Phase, name: &str, rules: &ResultRules) -> Self {
        node.emitter.emit(EventKind::DefinitionStarted { definition: name.to_owned(), place: None });
        Self { node, phase, book: CaseBook::new(name, rules), started: Instant::now(), end: None }
    }

    /// Its results.
    pub(super) fn book(&mut self) -> &mut CaseBook {
        &mut self.book
    }

    /// Its name.
    pub(super) fn definition(&self) -> &str {
        self.book.definition()
    }

    /// A result, with a word about it.
    pub(super) fn case(&mut self, report: Report<'_>, comment: Option<&str>) {
        // Of those that are too many only the number is kept, and told at the end.
        let Ok(mut event) = self.book.case(report) else { return };
        if let (EventKind::TestCase(case), Some(comment)) = (&mut event, comment) {
            case.comment = Some(match case.comment.take() {
                Some(problem) => format!("{comment}; {problem}"),
                None => comment.to_owned(),
            });
        }
        self.node.emitter.emit(event);
    }

    /// Something that should have been a result of the case `id`.
    pub(super) fn failed(&mut self, id: &str, problem: &str) {
        if let Ok(event) = self.book.failed(id, problem.to_owned()) {
            self.node.emitter.emit(event);
        }
    }

    /// The test has ended, and why not well.
    pub(super) fn end(&mut self, outcome: Outcome, reason: Option<String>) {
        self.end = Some((outcome, reason));
    }

    /// The test has ended with a fault.
    pub(super) fn end_with(&mut self, fault: &Fault) {
        self.end(Outcome::of(Some(fault)), Some(fault.message.clone()));
    }

    /// The test has ended so.
    pub(super) fn end_as(&mut self, result: &Result<(), Fault>) {
        match result {
            Ok(()) => self.end(Outcome::Pass, None),
            Err(fault) => self.end_with(fault),
        }
    }
}

impl Drop for Reported<'_> {
    fn drop(&mut self) {
        for case in self.book.missing() {
            self.node.emitter.emit(case);
        }
        let (outcome, reason) = self.end.take().unwrap_or_else(|| {
            let fault = self.node.cut_off(self.phase);
            (Outcome::of(Some(&fault)), Some(fault.message))
        });
        let (definition, took) = (self.book.definition().to_owned(), self.started.elapsed());
        self.node.emitter.emit(EventKind::DefinitionFinished { definition, outcome, took, reason });
    }
}
