//! One test definition: its install script, its run script, its results.

use std::slice;
use std::time::{Duration, Instant};

use protocol::agent_to_host::ExitStatus;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::action::overlay::PreparedDefinition;
use crate::event::{EventKind, Outcome};
use crate::fault::{Class, Fault};
use crate::run::{NodeContext, Phase};

use super::case_book::CaseBook;
use super::script::{Agent, Script};

/// Runs a definition. A definition that fails is not a fault: it is a result, and the next one runs.
async fn run<S: AsyncRead + AsyncWrite + Unpin + Send>(
    agent: &mut Agent<'_, S>,
    prepared: &PreparedDefinition,
) -> Result<(), Fault> {
    let mut open = Open::begin(agent.node(), agent.phase(), prepared);
    let result = run_scripts(agent, prepared, &mut open.book).await;
    open.end = Some(match &result {
        Ok(None) => (Outcome::Pass, None),
        Ok(Some(reason)) => (Outcome::Fail, Some(reason.clone())),
        Err(fault) => (Outcome::of(Some(fault)), Some(fault.message.clone())),
    });
    result.map(drop)
}

/// A definition that has begun. Its end is reported when this goes, also when the node is stopped in the midst of it.
struct Open<'a> {
    node: &'a NodeContext,
    phase: &'a Phase,
    started: Instant,
    book: CaseBook,
    /// How it ended, and why not well.
    end: Option<(Outcome, Option<String>)>,
}

impl<'a> Open<'a> {
    fn begin(node: &'a NodeContext, phase: &'a Phase, prepared: &PreparedDefinition) -> Self {
        node.emitter.emit(EventKind::DefinitionStarted { definition: prepared.name.clone() });
        let book = CaseBook::new(&prepared.name, &prepared.rules);
        Self { node, phase, started: Instant::now(), book, end: None }
    }
}

impl Drop for Open<'_> {
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

/// The definitions of a test action that have not begun. Those that are left when this goes are reported as not run.
pub(super) struct Waiting<'a> {
    node: &'a NodeContext,
    phase: &'a Phase,
    definitions: slice::Iter<'a, PreparedDefinition>,
    /// What has ended the test action, if it was no interruption.
    fault: Option<Fault>,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(
        node: &'a NodeContext,
        phase: &'a Phase,
        definitions: &'a [PreparedDefinition],
    ) -> Self {
        Self { node, phase, definitions: definitions.iter(), fault: None }
    }

    /// Runs one after the other.
    pub(super) async fn run_all<S: AsyncRead + AsyncWrite + Unpin + Send>(
        mut self,
        agent: &mut Agent<'_, S>,
    ) -> Result<(), Fault> {
        while let Some(prepared) = self.definitions.next() {
            run(agent, prepared).await.inspect_err(|fault| self.fault = Some(fault.clone()))?;
        }
        Ok(())
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        for prepared in self.definitions.by_ref() {
            let fault = self.fault.get_or_insert_with(|| self.node.cut_off(self.phase));
            let definition = prepared.name.clone();
            self.node.emitter.emit(EventKind::DefinitionStarted { definition: definition.clone() });
            let reason = Some(format!("not run: {}", fault.message));
            let (outcome, took) = (Outcome::of(Some(fault)), Duration::ZERO);
            self.node.emitter.emit(EventKind::DefinitionFinished { definition, outcome, took, reason });
        }
    }
}

/// Runs the scripts; why the definition did not run to its end, if it did not.
async fn run_scripts<S: AsyncRead + AsyncWrite + Unpin + Send>(
    agent: &mut Agent<'_, S>,
    prepared: &PreparedDefinition,
    book: &mut CaseBook,
) -> Result<Option<String>, Fault> {
    if prepared.has_install {
        let script = Script { path: &prepared.install_script(), shell: "/bin/sh", errexit: false };
        let status = agent.run_script(&script, book).await?;
        if let Some(problem) = problem(agent, "install", status)? {
            return Ok(Some(problem));
        }
    }
    let script = Script { path: &prepared.run_script(), shell: "/bin/sh", errexit: true };
    let status = agent.run_script(&script, book).await?;
    problem(agent, "run", status)
}

/// What is wrong with how a script ended.
///
/// # Errors
/// A script that was out of time has used up that of the whole test action, so that nothing can follow.
fn problem<S: AsyncRead + AsyncWrite + Unpin + Send>(
    agent: &Agent<'_, S>,
    what: &str,
    status: ExitStatus,
) -> Result<Option<String>, Fault> {
    match status {
        ExitStatus::Code(0) => Ok(None),
        ExitStatus::Code(code) => {
            let complaint = agent.complaint().map(|complaint| format!("; {complaint}"));
            Ok(Some(format!("the {what} steps ended with exit code {code}{}", complaint.unwrap_or_default())))
        }
        ExitStatus::Signal(signal) => Ok(Some(format!("the {what} steps were ended by signal {signal}"))),
        ExitStatus::Killed => Ok(Some(format!("the {what} steps were stopped"))),
        ExitStatus::TimedOut => {
            let phase = agent.phase();
            let text = format!(
                "the {what} steps were not done when the time of `{}` was over ({}), and were stopped",
                phase.name, phase.limit
            );
            Err(phase.fault(Class::Test, text))
        }
    }
}
