//! One test definition: its install script, its run script, its results.

use std::time::Instant;

use protocol::agent_to_host::ExitStatus;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::action::overlay::PreparedDefinition;
use crate::event::{EventKind, Outcome, ScriptKind};
use crate::fault::{Class, Fault};
use crate::run::{NodeContext, Phase};

use super::case_book::CaseBook;
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
    let mut open = Open::begin(agent.node(), agent.phase(), prepared);
    let result = run_scripts(agent, prepared, &mut open.book).await;
    open.end = Some(match &result {
        Ok(Went::Well) => (Outcome::Pass, None),
        Ok(Went::Badly(reason)) => (Outcome::Fail, Some(reason.clone())),
        Ok(Went::Late(fault)) | Err(fault) => (Outcome::of(Some(fault)), Some(fault.message.clone())),
    });
    Ok(match result? {
        Went::Late(fault) => Some(fault),
        Went::Well | Went::Badly(_) => None,
    })
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
        node.emitter.emit(EventKind::DefinitionStarted { definition: prepared.name.clone(), place: None });
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
    let place = step.map(|step| format!(" in `{}`", excerpt(&step.command))).unwrap_or_default();
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

/// The first line of a step, cut to what is good to read in a message.
fn excerpt(command: &str) -> String {
    let line = command.lines().next().unwrap_or_default();
    match line.char_indices().nth(MAX_EXCERPT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None if line.len() < command.trim_end().len() => format!("{line} …"),
        None => line.to_owned(),
    }
}
