//! The definitions of one test step: the agent is started, runs them, and ends.

use std::time::Duration;

use regex::bytes::Regex;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use crate::action::Overlay;
use crate::action::overlay::Stage;
use crate::action::power::tap_of;
use crate::agent_link::{AgentSession, Config, OnText};
use crate::board::{Board, ConsoleTarget};
use crate::dialog::ShellPrompt;
use crate::fault::{Class, Fault};
use crate::job::Part;
use crate::limit::Limit;
use crate::link::{Console, Target, drive};
use crate::plan::{NodeKind, Step, TestAction};
use crate::run::{NodeContext, Phase, Resources};

use super::console_watch::ConsoleWatch;
use super::definition::Waiting;
use super::script::Agent;
use super::upload::upload_agent;

/// Bits on a serial line for one byte: start, eight of data, stop.
const BITS_PER_BYTE: u32 = 10;

/// How long the shell may take to show its prompt again.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long after a script's deadline the agent may take to say that it has stopped it.
pub(super) const AGENT_GRACE: Duration = Duration::from_secs(1);

/// Runs the definitions of one test step.
pub(crate) async fn test(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    test: &TestAction,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let stage = overlay
        .stage(test.stage)
        .ok_or_else(|| phase.fault(Class::Bug, format!("stage {} was not prepared", test.stage)))?;
    let answers = [Part::Test, Part::TestShell].into_iter().filter_map(|part| step.timeouts.answer(part));
    let connection = answers.min_by_key(|limit| limit.time).unwrap_or(&step.timeouts.connection).clone();
    let run = StageRun { node, phase, connection, stage, overlay };
    match &node.plan.kind {
        NodeKind::Board { board } => run.on_console(board, resources).await,
        NodeKind::Secondary { .. } => run.over_ssh(resources).await,
    }
}

/// One run of a test step.
struct StageRun<'a> {
    node: &'a NodeContext,
    phase: &'a Phase,
    /// What LAVA allows for one answer on a connection: the agent's first.
    connection: Limit,
    stage: &'a Stage,
    overlay: &'a Overlay,
}

impl StageRun<'_> {
    /// On the board's console: the agent is started at the shell prompt and gives it back at the end.
    async fn on_console(&self, board: &Board, resources: &mut Resources) -> Result<(), Fault> {
        let Some(mut console) = resources.console.take() else {
            return Err(self.fault("the board was not booted: there is no shell to run tests in"));
        };
        if self.stage.number > 0 {
            self.await_prompt(&mut console, &resources.prompts).await?;
        }
        let baud = line_speed(board);
        let has_files = resources.deployed.as_ref().is_some_and(|deployed| deployed.layer.is_some());
        let directory = match &resources.uploaded {
            _ if has_files => self.node.agent_directory(),
            Some(directory) => directory.clone(),
            None => {
                let directory =
                    upload_agent(self.node, self.phase, self.overlay, &mut console, bytes_per_s(baud))
                        .await?;
                self.await_prompt(&mut console, &resources.prompts).await?;
                resources.uploaded.insert(directory).clone()
            }
        };
        let command = format!("{directory}/bin/lava-agent console --baud {}\n", baud.unwrap_or(0));
        console
            .write_all(command.as_bytes())
            .await
            .map_err(|error| self.phase.error(Class::Infrastructure, &error))?;
        let config = Config { bytes_per_s: bytes_per_s(baud), ..Config::default() };
        let watch = ConsoleWatch::new(resources.prompts.clone());
        resources.console = Some(self.run(console, config, watch, has_files).await?);
        Ok(())
    }

    /// Over the secondary connection: the agent runs on a channel of its own.
    async fn over_ssh(&self, resources: &mut Resources) -> Result<(), Fault> {
        let Some(session) = &resources.ssh else {
            return Err(self.fault("the guest was not booted: there is no connection to run tests over"));
        };
        let command = format!("{}/bin/lava-agent stdio", self.node.agent_directory());
        let channel =
            session.exec(&command).await.map_err(|error| self.phase.error(Class::Infrastructure, &error))?;
        let console = Console::new(channel, tap_of(self.node));
        // The channel ends with the agent: no shell comes back.
        let watch = ConsoleWatch::new(Vec::new());
        self.run(console, Config::default(), watch, false).await.map(drop)
    }

    /// Runs all definitions over `console`, on which the agent has just been started; gives the console back.
    async fn run(
        &self,
        console: Console,
        config: Config,
        (watch, on_text): (ConsoleWatch, OnText),
        has_files: bool,
    ) -> Result<Console, Fault> {
        let part = self.phase.part(Some(&self.connection));
        let (session, ready) = AgentSession::open(console, config, on_text, part.deadline)
            .await
            .map_err(|error| part.late_error(Class::Infrastructure, &error, error.is_late()))?;
        self.node.emitter.note(format!("agent {} is up", ready.build));
        let mut agent = Agent::new(self.node, self.phase, session, watch);
        agent.set_clock().await?;
        if !has_files {
            for file in self.overlay.files_of(self.stage.number) {
                agent.put_file(&file.path, file.mode, &file.content).await?;
            }
        }
        Waiting::new(self.node, self.phase, &self.stage.definitions).run_all(&mut agent).await?;
        let mut ended = agent.quit().await?;
        ended.stream.unread(&ended.text);
        Ok(ended.stream)
    }

    /// Waits until the shell has the terminal back from the agent of an earlier step: what is typed before is lost.
    async fn await_prompt(&self, console: &mut Console, prompts: &[Regex]) -> Result<(), Fault> {
        let part = self.phase.part(Some(&Limit::new(PROMPT_TIMEOUT, "a fixed limit of a shell's prompt")));
        let prompt = ShellPrompt::new(prompts.to_vec(), part.end(), Instant::now().into_std());
        match drive(console, prompt).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.phase.error(Class::Infrastructure, &error)),
        }
    }

    fn fault(&self, message: &str) -> Fault {
        self.phase.fault(Class::Job, message)
    }
}

/// What a line of `baud` carries.
fn bytes_per_s(baud: Option<u32>) -> Option<u32> {
    baud.map(|baud| baud / BITS_PER_BYTE)
}

/// Speed of the serial line to `board` in bits per second; `None` where there is no real one.
fn line_speed(board: &Board) -> Option<u32> {
    match &board.console {
        ConsoleTarget::Line(Target::Serial { baud, .. }) => Some(*baud),
        ConsoleTarget::Line(Target::Tcp { .. } | Target::Telnet { .. }) => Some(board.linux_console.baud),
        ConsoleTarget::Line(Target::Command(_)) | ConsoleTarget::Qemu(_) => None,
    }
}
