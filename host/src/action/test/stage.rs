//! The definitions of one test step: the agent is started, runs them, and ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::fifo::{FIFO_INPUT, FIFO_OUTPUT};
use regex::bytes::Regex;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use crate::action::boot_ssh;
use crate::action::console::{notice_of, tap_of};
use crate::action::overlay::Stage;
use crate::action::{Overlay, TestsIn};
use crate::agent_install::{AGENT, Build};
use crate::agent_link::{AgentPort, AgentSession, Config, Ended, OnText};
use crate::board::{AgentLink, Board, ConsoleTarget};
use crate::dialog::{InstalledAgent, Scan};
use crate::fault::{Class, Fault};
use crate::job::Part;
use crate::limit::Limit;
use crate::link::{Console, Stream, Target, drive};
use crate::plan::{NodeKind, Step, TestAction};
use crate::run::{Brought, Line, NodeContext, Phase, Resources};
use crate::shell::quote;
use crate::ssh::{ExecStatus, LastingChannel, SshError};

use super::agent_source::{AgentLine, AgentSource};
use super::board_directory::{await_prompt, clear_over_console};
use super::console_watch::ConsoleWatch;
use super::definition::run_all;
use super::script::Agent;
use super::transfer::transfer;
use super::upload::upload_agent;

/// Bits on a serial line for one byte: start, eight of data, stop.
const BITS_PER_BYTE: u32 = 10;

/// How long the shell may take to tell of an installed agent.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after the whole action's deadline the agent may take to say that it has stopped the script.
pub(super) const AGENT_GRACE: Duration = Duration::from_secs(1);

/// How long after a script's own deadline the agent may take for that: five seconds between SIGTERM and SIGKILL, and
/// what a busy board needs. What a full pipe holds must still go over the line.
const SCRIPT_GRACE: Duration = Duration::from_secs(15);

/// How long an agent may take to start over SSH.
const START_TIME: Duration = Duration::from_secs(30);

/// Bytes that a pipe holds (pipe(7)).
const PIPE: u32 = 64 * 1024;

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
    if resources.space().ssh.is_some() || matches!(node.plan.kind, NodeKind::Secondary { .. }) {
        return run.over_ssh(resources).await;
    }
    run.on_console(node.own_board(phase)?, resources).await
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
        let Some(line) = resources.space().line.take() else {
            return Err(resources.unconnected(self.phase, "there is no shell to run tests in"));
        };
        // Whoever is stopped in the midst of it leaves a shell of which nothing is known.
        resources.space().lost = Some(format!("the console was given up in `{}`", self.phase.name));
        let (line, late) = self.over_line(board, line, resources).await?;
        let space = resources.space();
        (space.line, space.lost) = (Some(line), None);
        late.map_or(Ok(()), Err)
    }

    /// Over a connection with a shell, which comes back; why the definitions did not all run, if their time was over.
    async fn over_line(
        &self,
        board: &Board,
        mut line: Line,
        resources: &mut Resources,
    ) -> Result<(Line, Option<Fault>), Fault> {
        if line.owes_prompt {
            await_prompt(self.phase, &mut line.console, &line.prompts).await?;
        }
        let baud = line_speed(board);
        let source = self.agent_source(board, &mut line, resources, bytes_per_s(baud)).await?;
        let (mut console, prompts) = (line.console, line.prompts);
        let own = self.node.agent_directory();
        let directory = source.directory(&own).to_owned();
        if !source.is_booted() {
            resources.filled = Some(directory.clone());
        }
        let first_run = resources.number_scripts(self.scripts());
        let watch = ConsoleWatch::new(prompts.clone());
        let (mut console, late) = match board.agent_link {
            AgentLink::Console => {
                let command = source.command(&own, &AgentLine::Console(baud.unwrap_or(0)));
                self.send(&mut console, &command).await?;
                let config = Config { bytes_per_s: bytes_per_s(baud), ..Config::default() };
                console.set_agent(true);
                let (mut ended, late) = self.run(console, config, watch, &source, first_run).await?;
                ended.stream.set_agent(false);
                ended.stream.unread(&ended.text);
                (ended.stream, late)
            }
            AgentLink::Tcp => self.beside_console(board, console, watch, &source, first_run).await?,
        };
        if !source.is_booted() && late.is_none() && self.overlay.is_last(self.stage.number) {
            clear_over_console(self.node, self.phase, &mut console, &prompts, &directory).await;
            (resources.brought, resources.filled) = (None, None);
        }
        Ok((Line { console, prompts, owes_prompt: true, ..line }, late))
    }

    /// Beside the board's console: the agent is started there and connects to the runner.
    async fn beside_console(
        &self,
        board: &Board,
        mut console: Console,
        (watch, on_text): (ConsoleWatch, OnText),
        source: &AgentSource,
        first_run: u32,
    ) -> Result<(Console, Option<Fault>), Fault> {
        let services = self.node.services(board, self.phase)?;
        let port = AgentPort::open(&services.net, services.address).await.map_err(|error| {
            let message = format!("cannot listen for the agent at {}: {error}", services.address);
            self.phase.fault(Class::Infrastructure, message)
        })?;
        let command = source.command(&self.node.agent_directory(), &AgentLine::Tcp(port.invitation()));
        self.send(&mut console, &command).await?;
        // The console's words are not the link's, which would tell them with its errors.
        let said = Arc::new(Mutex::new(Scan::default()));
        let line = port.beside(console, recorded(on_text, Arc::clone(&said)), notice_of(self.node));
        let ended = self.run(line, Config::default(), (watch, Box::new(|_| {})), source, first_run).await;
        let (ended, late) = ended.map_err(|fault| {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner).tail();
            Fault { message: format!("{}; the console's last text was {said:?}", fault.message), ..fault }
        })?;
        Ok((ended.stream.into_console(), late))
    }

    /// Numbers that the scripts of the stage need.
    fn scripts(&self) -> u32 {
        u32::try_from(2 * self.stage.definitions.len()).unwrap_or(u32::MAX)
    }

    async fn send(&self, console: &mut Console, command: &str) -> Result<(), Fault> {
        let sent = console.write_all(command.as_bytes()).await;
        sent.map_err(|error| self.phase.error(Class::Infrastructure, &error))
    }

    /// Where the agent comes from: out of the root filesystem that this run serves, or the board fetches it as the job says, or
    /// it is in the RAM disk, or installed there, or it is uploaded; once after each boot.
    async fn agent_source(
        &self,
        board: &Board,
        line: &mut Line,
        resources: &mut Resources,
        bytes_per_s: Option<u32>,
    ) -> Result<AgentSource, Fault> {
        if resources.tests == TestsIn::Rootfs {
            return Ok(AgentSource::Served);
        }
        if let Some(brought) = &resources.brought {
            return Ok(brought.clone().into());
        }
        let Line { console, prompts, transfer: commands, .. } = line;
        if let Some(commands) = commands {
            let (node, phase, overlay) = (self.node, self.phase, self.overlay);
            match transfer(node, phase, board, overlay, commands, console, prompts).await {
                Ok(directory) => {
                    let brought = Brought { directory, has_files: true };
                    return Ok(resources.brought.insert(brought).clone().into());
                }
                Err(reason) => {
                    node.emitter.warn(format!("the board has not fetched the tests ({reason})"));
                }
            }
        }
        if resources.tests == TestsIn::Ramdisk {
            let own = AgentSource::InRamdisk.program(&self.node.agent_directory());
            match self.ask_board(console, prompts, &own).await? {
                Some(_) => return Ok(AgentSource::InRamdisk),
                None => self.node.emitter.note("the system that runs is not in the RAM disk with the tests"),
            }
        }
        match self.ask_board(console, prompts, AGENT).await? {
            Some(build) if build.is_compatible() => return Ok(AgentSource::Installed(build)),
            Some(build) => self.node.emitter.note(format!(
                "the agent that is installed on the board, {build}, speaks another protocol than this runner, which \
                 brings its own"
            )),
            None => {}
        }
        let directory = upload_agent(self.node, self.phase, self.overlay, console, bytes_per_s).await?;
        await_prompt(self.phase, console, prompts).await?;
        let brought = Brought { directory, has_files: false };
        Ok(resources.brought.insert(brought).clone().into())
    }

    /// Which agent `program` is on the board.
    async fn ask_board(
        &self,
        console: &mut Console,
        prompts: &[Regex],
        program: &str,
    ) -> Result<Option<Build>, Fault> {
        let part = self.phase.part(Some(&Limit::new(ASK_TIMEOUT, "a fixed limit of a shell's answer")));
        let question = InstalledAgent::new(program, prompts.to_vec(), part.end(), Instant::now().into_std());
        let answer = drive(console, question).await;
        answer.map_err(|error| self.phase.error(Class::Infrastructure, &error))
    }

    /// Over an SSH connection: the agent runs in the background there, whether or not there is a connection.
    async fn over_ssh(&self, resources: &mut Resources) -> Result<(), Fault> {
        let Some((target, session)) = resources.space().ssh.take() else {
            return Err(resources.unconnected(self.phase, "there is no connection to run tests over"));
        };
        // Whoever comes after one that was lost makes another.
        resources.space().ssh = Some((target.clone(), None));
        let first_run = resources.number_scripts(self.scripts());
        let directory = self.node.agent_directory();
        let failed = |error: SshError| self.phase.error(Class::Infrastructure, &error);
        let session = match session {
            Some(session) => session,
            // It was lost when an earlier test action ended.
            None => boot_ssh::connect(self.node, self.phase, &target).await?,
        };
        let started = session
            .exec(&format!("rm -f {directory}/line.pid; {directory}/bin/lava-agent fifo"))
            .await
            .map_err(failed)?;
        let ended = started.finish(START_TIME).await.map_err(failed)?;
        if ended.status != ExecStatus::Code(0) {
            let message = format!("the agent did not start ({}): {}", ended.status, ended.stderr.trim());
            return Err(self.phase.fault(Class::Infrastructure, message));
        }
        let (attach, notice) = (attach_command(&directory), notice_of(self.node));
        let channel = LastingChannel::open(target.clone(), session, attach, notice).await.map_err(failed)?;
        let console = Console::tapped(channel, tap_of(self.node));
        // The channel ends with the agent: no shell comes back.
        let watch = ConsoleWatch::new(Vec::new());
        let (ended, late) =
            self.run(console, Config::default(), watch, &AgentSource::Sent, first_run).await?;
        resources.space().ssh = Some((target, ended.stream.into_inner().into_session()));
        late.map_or(Ok(()), Err)
    }

    /// Runs the definitions over `stream`, at whose other end the agent has just been started; gives the stream back, and
    /// why they did not all run, if their time was over.
    async fn run<S: Stream>(
        &self,
        stream: S,
        config: Config,
        (watch, on_text): (ConsoleWatch, OnText),
        source: &AgentSource,
        first_run: u32,
    ) -> Result<(Ended<S>, Option<Fault>), Fault> {
        let part = self.phase.part(Some(&self.connection));
        let drain_s = config.bytes_per_s.map_or(0, |rate| 2 * PIPE / rate.max(1));
        let grace = SCRIPT_GRACE + Duration::from_secs(drain_s.into());
        let (session, ready) = AgentSession::open(stream, config, on_text, part.deadline)
            .await
            .map_err(|error| part.late_error(Class::Infrastructure, &error, error.is_late()))?;
        self.node.emitter.note(format!("agent {} is up, {}", ready.build, source.describe()));
        let mut agent = Agent::new(self.node, self.phase, session, watch, grace, first_run);
        agent.set_clock().await?;
        if source.needs_files() {
            for file in self.overlay.files_of(self.stage.number) {
                agent.put_file(&file.path, file.mode, &file.content).await?;
            }
        }
        let late = run_all(&mut agent, &self.stage.definitions).await?;
        Ok((agent.quit().await?, late))
    }
}

/// The command that carries the bytes of an agent's FIFOs in `directory` until the agent ends. One that still does so for a
/// connection that is lost would take half of them.
fn attach_command(directory: &str) -> String {
    format!(
        "cd {} || exit; {{ other=$(cat line.pid) && [ \"$(cat /proc/$other/comm)\" = cat ] && kill $other; }} 2>/dev/null; \
         exec 3<&0; cat <&3 >{FIFO_INPUT} & cat {FIFO_OUTPUT} & echo $! >line.pid; wait $!",
        quote(directory)
    )
}

/// Passes text on, and has its end kept in `said`.
fn recorded(mut on_text: OnText, said: Arc<Mutex<Scan>>) -> OnText {
    Box::new(move |text| {
        said.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        on_text(text);
    })
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
        ConsoleTarget::Line(Target::Command(_)) | ConsoleTarget::Qemu(_) | ConsoleTarget::None => None,
    }
}
