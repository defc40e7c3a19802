//! One test definition: its install script, its run script, its results.

use std::time::Instant;

use protocol::agent_to_host::ExitStatus;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::action::overlay::PreparedDefinition;
use crate::event::{EventKind, Outcome};
use crate::fault::Fault;

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

/// Runs the scripts; why the definition did not run to its end, if it did not.
async fn run_scripts<S: AsyncRead + AsyncWrite + Unpin + Send>(
    agent: &mut Agent<'_, S>,
    prepared: &PreparedDefinition,
    book: &mut CaseBook,
) -> Result<Option<String>, Fault> {
    if prepared.has_install {
        let script = Script { path: &prepared.install_script(), shell: "/bin/sh", errexit: false };
        if let Some(problem) = problem("install", agent.run_script(&script, book).await?) {
            return Ok(Some(problem));
        }
    }
    let script = Script { path: &prepared.run_script(), shell: "/bin/sh", errexit: true };
    Ok(problem("run", agent.run_script(&script, book).await?))
}

/// What is wrong with how a script ended.
fn problem(what: &str, status: ExitStatus) -> Option<String> {
    match status {
        ExitStatus::Code(0) => None,
        ExitStatus::Code(code) => Some(format!("the {what} steps ended with exit code {code}")),
        ExitStatus::Signal(signal) => Some(format!("the {what} steps were ended by signal {signal}")),
        ExitStatus::TimedOut => Some(format!("the {what} steps were not done in time and were stopped")),
        ExitStatus::Killed => Some(format!("the {what} steps were stopped")),
    }
}
