//! One test definition: its install script, its run script, its results.

use protocol::agent_to_host::ExitStatus;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::action::overlay::PreparedDefinition;
use crate::event::{Outcome, ScriptKind};
use crate::fault::{Class, Fault};

use super::case_book::CaseBook;
use super::reported::Reported;
use super::script::{Agent, Ran, Script};

/// Characters of a step in a message.
const MAX_EXCERPT: usize = 60;

/// How a definition went.
enum Went {
    /// It ran to its end.
    Well,
    /// It did not, for this reason. The next one runs.
    Badly(String),
    /// It has used up the time of the whole test action, so that nothing can follow. The agent has stopped it, and waits.
    Late(Fault),
}

/// Runs a definition. A definition that fails is not a fault: it is a result, and the next one runs.
async fn run<S: AsyncRead + AsyncWrite + Unpin + Send>(
    agent: &mut Agent<'_, S>,
    prepared: &PreparedDefinition,
) -> Result<Option<Fault>, Fault> {
    let mut reported = Reported::begin(agent.node(), agent.phase(), &prepared.name, &prepared.rules);
    let result = run_scripts(agent, prepared, reported.book()).await;
    match &result {
        Ok(Went::Well) => reported.end(Outcome::Pass, None),
        Ok(Went::Badly(reason)) => reported.end(Outcome::Fail, Some(reason.clone())),
        Ok(Went::Late(fault)) | Err(fault) => reported.end_with(fault),
    }
    Ok(match result? {
        Went::Late(fault) => Some(fault),
        Went::Well | Went::Badly(_) => None,
    })
}

/// Runs the definitions of a test action, one after the other, until their time is over: the fault that says so. The agent can
/// still be spoken to then.
///
/// # Errors
/// The agent, or the board, is beyond reach.
pub(super) async fn run_all<S: AsyncRead + AsyncWrite + Unpin + Send>(
    agent: &mut Agent<'_, S>,
    definitions: &[PreparedDefinition],
) -> Result<Option<Fault>, Fault> {
    for prepared in definitions {
        let late = run(agent, prepared).await?;
        if late.is_some() {
            return Ok(late);
        }
    }
    Ok(None)
}

/// Runs the scripts.
async fn run_scripts<S: AsyncRead + AsyncWrite + Unpin + Send>(
    agent: &mut Agent<'_, S>,
    prepared: &PreparedDefinition,
    book: &mut CaseBook,
) -> Result<Went, Fault> {
    agent.begin_definition();
    let whole = agent.phase().part(prepared.timeout.as_ref());
    let install = prepared.install.as_ref().map(|install| (ScriptKind::Install, install));
    for (kind, prepared) in install.into_iter().chain([(ScriptKind::Run, &prepared.run)]) {
        let time = whole.part(prepared.timeout.as_ref());
        // As in LAVA, only the last step of an installation decides.
        let errexit = kind == ScriptKind::Run;
        let script = Script { kind, prepared, shell: "/bin/sh", errexit, time: &time };
        let ran = agent.run_script(&script, book).await?;
        match went(agent, &script, ran) {
            Went::Well => {}
            other => return Ok(other),
        }
    }
    Ok(Went::Well)
}

/// What the end of a script means for its definition.
fn went<S: AsyncRead + AsyncWrite + Unpin + Send>(
    agent: &Agent<'_, S>,
    script: &Script<'_>,
    Ran { status, step }: Ran,
) -> Went {
    let (kind, phase) = (script.kind, agent.phase());
    let index = step.map(|number| usize::from(number).wrapping_sub(1));
    let step = index.and_then(|index| script.prepared.steps.get(index));
    let place = place_of(step.map(|step| step.command.as_str()));
    match status {
        ExitStatus::Code(0) => Went::Well,
        ExitStatus::Code(code) => {
            // An installation goes on after a step that fails: which one it was is not known.
            let place = if script.errexit { place.as_str() } else { "" };
            let complaint = agent.complaint().map(|complaint| format!("; {complaint}")).unwrap_or_default();
            Went::Badly(format!("the {kind} steps ended with exit code {code}{place}{complaint}"))
        }
        ExitStatus::Signal(signal) => {
            Went::Badly(format!("the {kind} steps were ended by signal {signal}{place}"))
        }
        ExitStatus::Killed => Went::Badly(format!("the {kind} steps were stopped{place}")),
        ExitStatus::StepTimedOut => {
            let limit = step.and_then(|step| step.timeout.as_ref()).map(|limit| format!(" ({limit})"));
            let limit = limit.unwrap_or_default();
            Went::Badly(format!(
                "a step of the {kind} was not done in its time{limit}{place}, and was stopped"
            ))
        }
        ExitStatus::TimedOut if script.time.deadline < phase.deadline => Went::Badly(format!(
            "the {kind} steps were not done when their time was over ({}){place}, and were stopped",
            script.time.limit
        )),
        ExitStatus::TimedOut => {
            let text = format!(
                "the {kind} steps were not done when the time of `{}` was over ({}){place}, and were stopped",
                phase.name, phase.limit
            );
            Went::Late(phase.fault(Class::Test, text))
        }
    }
}

/// The step in which something happened, by its command, if that is known.
pub(super) fn place_of(command: Option<&str>) -> String {
    command.map(|command| format!(" in `{}`", excerpt(command))).unwrap_or_default()
}

/// The first line of a step, cut to what is good to read in a message.
fn excerpt(command: &str) -> String {
    let line = command.lines().next().unwrap_or_default();
    match line.char_indices().nth(MAX_EXCERPT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None if line.len() < command.trim_end().len() => format!("{line} …"),
        None => line.to_owned(),
    }
}
