//! One test definition: its install script, its run script, its results.

use std::time::{Duration, Instant};

use protocol::agent_to_host::ExitStatus;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::action::overlay::PreparedDefinition;
use crate::event::{EventKind, Outcome};
use crate::fault::{Class, Fault};
use crate::run::Emitter;

use super::case_book::CaseBook;
use super::script::{Agent, Script};

/// Runs a definition. A definition that fails is not a fault: it is a result, and the next one runs.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin + Send>(
    agent: &mut Agent<'_, S>,
    prepared: &PreparedDefinition,
) -> Result<(), Fault> {
    let definition = prepared.name.clone();
    let emitter = agent.emitter().clone();
    let started = Instant::now();
    emitter.emit(EventKind::DefinitionStarted { definition: definition.clone() });
    let mut book = CaseBook::new(&definition, &prepared.rules);
    let result = run_scripts(agent, prepared, &mut book).await;
    for case in book.missing() {
        emitter.emit(case);
    }
    let (outcome, reason, fault) = match result {
        Ok(None) => (Outcome::Pass, None, None),
        Ok(Some(reason)) => (Outcome::Fail, Some(reason), None),
        Err(fault) => (Outcome::of(Some(&fault)), Some(fault.message.clone()), Some(fault)),
    };
    emitter.emit(EventKind::DefinitionFinished { definition, outcome, took: started.elapsed(), reason });
    fault.map_or(Ok(()), Err)
}

/// Reports a definition that is not run because `fault` has ended the test action.
pub(super) fn skip(emitter: &Emitter, prepared: &PreparedDefinition, fault: &Fault) {
    let definition = prepared.name.clone();
    emitter.emit(EventKind::DefinitionStarted { definition: definition.clone() });
    let reason = Some(format!("not run: {}", fault.message));
    let outcome = Outcome::of(Some(fault));
    emitter.emit(EventKind::DefinitionFinished { definition, outcome, took: Duration::ZERO, reason });
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
            let refused = agent.refusal().map(|reason| format!("; a helper was refused: {reason}"));
            Ok(Some(format!("the {what} steps ended with exit code {code}{}", refused.unwrap_or_default())))
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
