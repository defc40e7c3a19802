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
use crate::board::{Board, ConsoleTarget};
use crate::event::Direction;
use crate::fault::{Class, Fault};
use crate::plan::{NodeKind, TestAction};
use crate::run::{NodeContext, Phase, Resources};
use crate::ssh::SshSession;

use script::{Agent, BoardWatch};

/// Bits on a serial line for one byte: start, eight of data, stop.
const BITS_PER_BYTE: u32 = 10;

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
        NodeKind::Board { board } => on_console(node, phase, board, stage, overlay, resources).await,
        NodeKind::Secondary { .. } => over_ssh(node, phase, stage, overlay, resources).await,
    }
}

/// On the board's console: the agent is started at the shell prompt and gives it back at the end.
async fn on_console(
    node: &NodeContext,
    phase: &Phase,
    board: &Board,
    stage: &Stage,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let Some(mut console) = resources.console.take() else {
        return Err(phase.fault(Class::Job, "the board was not booted: there is no shell to run tests in"));
    };
    let baud = line_speed(board);
    let command = format!("{}/bin/lava-agent console --baud {}\n", node.agent_directory(), baud.unwrap_or(0));
    tokio::io::AsyncWriteExt::write_all(&mut console, command.as_bytes())
        .await
        .map_err(|error| phase.error(Class::Infrastructure, &error))?;
    let deployed = resources.deployed.as_ref().is_some_and(|deployed| deployed.layer.is_some());
    let files = if deployed { None } else { Some(overlay) };
    let config = Config { bytes_per_s: baud.map(|baud| baud / BITS_PER_BYTE), ..Config::default() };
    let console = run_stage(node, phase, stage, files, console, config).await?;
    resources.console = Some(console);
    Ok(())
}

/// Speed of the serial line to `board` in bits per second; `None` where there is no real one.
fn line_speed(board: &Board) -> Option<u32> {
    match &board.console {
        ConsoleTarget::Serial { baud, .. } => Some(*baud),
        ConsoleTarget::Tcp { .. } | ConsoleTarget::Telnet { .. } => Some(board.linux_console.baud),
        ConsoleTarget::Command(_) | ConsoleTarget::Qemu => None,
    }
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
    run_stage(node, phase, stage, Some(overlay), channel, Config::default()).await?;
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
    config: Config,
) -> Result<S, Fault> {
    let link_fault = |error: &AgentLinkError| phase.error(Class::Infrastructure, error);
    let (board, on_text) = BoardWatch::new();
    let (session, ready) = AgentSession::open(stream, config, on_text, phase.deadline)
        .await
        .map_err(|error| link_fault(&error))?;
    node.emitter.note(format!("agent {} is up", ready.build));
    let mut agent = Agent::new(node, phase, session, board);
    agent.set_clock().await?;
    if let Some(overlay) = files {
        for file in overlay.files() {
            agent.put_file(&file.path, file.mode, &file.content).await?;
        }
    }
    let mut definitions = stage.definitions.iter();
    for prepared in definitions.by_ref() {
        if let Err(fault) = definition::run(&mut agent, prepared).await {
            definitions.for_each(|skipped| definition::skip(&node.emitter, skipped, &fault));
            return Err(fault);
        }
    }
    agent.quit().await
}
