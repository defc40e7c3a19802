//! `test`: runs test definitions through the agent, on the console or over the secondary connection.
//!
//! ```text
//! start the agent ─▶ for each definition: install.sh ─▶ run.sh ─▶ DefinitionFinished ─▶ agent ends, shell is back
//!                                           └── output, results and calls of helpers meanwhile ──┘
//! ```

mod calls;
mod case_book;
mod definition;
mod script;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::action::Overlay;
use crate::action::overlay::Stage;
use crate::agent_link::{AgentLinkError, AgentSession, Config};
use crate::event::Direction;
use crate::fault::{Class, Fault};
use crate::plan::{NodeKind, TestAction};
use crate::run::{NodeContext, Phase, Resources};
use crate::ssh::SshSession;

use script::Agent;

/// How long after a script's deadline the agent may take to say that it has stopped it.
const AGENT_GRACE: Duration = Duration::from_secs(1);

/// Runs the definitions of one test step.
pub(crate) async fn test(
    node: &NodeContext,
    phase: &Phase,
    test: &TestAction,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let stage = overlay
        .stage(test.stage)
        .ok_or_else(|| phase.fault(Class::Bug, format!("stage {} was not prepared", test.stage)))?;
    match &node.plan.kind {
        NodeKind::Board { .. } => on_console(node, phase, stage, overlay, resources).await,
        NodeKind::Secondary { .. } => over_ssh(node, phase, stage, overlay, resources).await,
    }
}

/// On the board's console: the agent is started at the shell prompt and gives it back at the end.
async fn on_console(
    node: &NodeContext,
    phase: &Phase,
    stage: &Stage,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let Some(mut console) = resources.console.take() else {
        return Err(phase.fault(Class::Job, "the board was not booted: there is no shell to run tests in"));
    };
    let command = format!("{}/bin/lava-agent console\n", node.agent_directory());
    tokio::io::AsyncWriteExt::write_all(&mut console, command.as_bytes())
        .await
        .map_err(|error| phase.error(Class::Infrastructure, &error))?;
    let deployed = resources.deployed.as_ref().is_some_and(|deployed| deployed.layer.is_some());
    let files = if deployed { None } else { Some(overlay) };
    let console = run_stage(node, phase, stage, files, console).await?;
    resources.console = Some(console);
    Ok(())
}

/// Over the secondary connection: the agent runs on a channel of its own.
async fn over_ssh(
    node: &NodeContext,
    phase: &Phase,
    stage: &Stage,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let Some(session) = &resources.ssh else {
        return Err(
            phase.fault(Class::Job, "the guest was not booted: there is no connection to run tests over")
        );
    };
    let channel = open_agent_channel(node, phase, session).await?;
    run_stage(node, phase, stage, Some(overlay), channel).await?;
    Ok(())
}

async fn open_agent_channel(
    node: &NodeContext,
    phase: &Phase,
    session: &SshSession,
) -> Result<crate::link::Console, Fault> {
    let command = format!("{}/bin/lava-agent stdio", node.agent_directory());
    let channel = session.exec(&command).await.map_err(|error| phase.error(Class::Infrastructure, &error))?;
    let emitter = node.emitter.clone();
    let tap =
        std::sync::Arc::new(move |direction: Direction, bytes: &[u8]| emitter.console(direction, bytes));
    Ok(crate::link::Console::new(channel, tap))
}

/// Runs all definitions over `stream`, on which the agent has just been started; gives the stream back.
async fn run_stage<S: AsyncRead + AsyncWrite + Unpin + Send>(
    node: &NodeContext,
    phase: &Phase,
    stage: &Stage,
    files: Option<&Overlay>,
    stream: S,
) -> Result<S, Fault> {
    let link_fault = |error: &AgentLinkError| phase.error(Class::Infrastructure, error);
    let (session, ready) = AgentSession::open(stream, Config::default(), Box::new(|_| ()), phase.deadline)
        .await
        .map_err(|error| link_fault(&error))?;
    node.emitter.note(format!("agent {} is up", ready.build));
    let mut agent = Agent::new(node, phase, session);
    agent.set_clock().await?;
    if let Some(overlay) = files {
        for file in overlay.files() {
            agent.put_file(&file.path, file.mode, &file.content).await?;
        }
    }
    for prepared in &stage.definitions {
        definition::run(&mut agent, prepared).await?;
    }
    agent.quit().await
}
