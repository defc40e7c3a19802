//! A real agent with scripts to run, and the runner's end of the link to it.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use host_runner::agent_link::{AgentLinkError, AgentSession, Config, Message};
use host_runner::link::{Console, Target, open};
use host_runner::net::Net;
use protocol::helper::Reply;
use protocol::{AgentToHost, HostToAgent};
use tempfile::TempDir;
use testbench::harness;
use testbench::pacer::Pacer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// Bits on a serial line for one byte: start, eight of data, stop.
const BITS_PER_BYTE: u32 = 10;

/// Longest time that anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// An agent's directory, and the agent once it runs; it is killed when dropped.
pub(crate) struct Agent {
    directory: TempDir,
    child: Option<Child>,
    piped: Option<tokio::process::Child>,
}

impl Agent {
    /// A directory with the agent and some helpers.
    pub(crate) fn new() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let bin = directory.path().join("bin");
        fs::create_dir(&bin)?;
        fs::copy(harness::agent(), bin.join("lava-agent"))?;
        for helper in ["lava-test-case", "lava-sync"] {
            symlink("lava-agent", bin.join(helper))?;
        }
        Ok(Self { directory, child: None, piped: None })
    }

    /// Writes the script that [`run`] runs.
    pub(crate) fn script(&self, text: &str) -> io::Result<()> {
        fs::write(self.directory.path().join("run.sh"), text)
    }

    /// Starts it on the board's end of a line of `baud`.
    pub(crate) async fn on_line(&mut self, line: &Pacer, baud: u32) -> Result<AgentSession<Console>, Error> {
        let target = Target::Serial { path: line.runner.path().to_owned(), baud };
        let console = open(&target, &Net::Host, Arc::new(|_, _| ()), Arc::new(|_| ())).await?;
        let tty = line.board.open()?;
        let mut command = self.command();
        command.args(["console", "--baud", &baud.to_string()]);
        command.stdin(tty.try_clone()?).stdout(tty);
        self.child = Some(command.spawn()?);
        let config = Config { bytes_per_s: Some(baud / BITS_PER_BYTE), ..Config::default() };
        Ok(AgentSession::open(console, config, Box::new(|_| ()), Instant::now() + PATIENCE).await?.0)
    }

    /// Starts it on two pipes.
    pub(crate) async fn on_pipes(
        &mut self,
    ) -> Result<AgentSession<impl AsyncRead + AsyncWrite + Unpin + use<>>, Error> {
        let mut command = tokio::process::Command::from(self.command());
        command.arg("stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (Some(output), Some(input)) = (child.stdout.take(), child.stdin.take()) else {
            return Err("a child without pipes".into());
        };
        self.piped = Some(child);
        let stream = tokio::io::join(output, input);
        Ok(AgentSession::open(stream, Config::default(), Box::new(|_| ()), Instant::now() + PATIENCE)
            .await?
            .0)
    }

    fn command(&self) -> Command {
        Command::new(self.path().join("bin/lava-agent"))
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // One that has ended is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) type Error = Box<dyn std::error::Error>;

/// What a script did.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// Bytes that it printed, without the first piece.
    pub(crate) bytes: usize,
    /// When each call of a helper came.
    pub(crate) calls: Vec<Instant>,
    /// From its first output or call to its end.
    pub(crate) took: Duration,
}

/// Runs the script to its end; every call is answered at once.
pub(crate) async fn run(
    session: &mut AgentSession<impl AsyncRead + AsyncWrite + Unpin>,
) -> Result<Ran, Error> {
    let script = HostToAgent::RunScript {
        run: 1,
        script: "run.sh",
        shell: "/bin/sh",
        errexit: true,
        timeout_s: PATIENCE.as_secs() as u32,
    };
    session.send(&script).await?;
    let (mut ran, mut begun) = (Ran::default(), None);
    loop {
        let message = recv(session).await?;
        match message.decode()? {
            AgentToHost::Output { data, .. } => {
                // The first piece was on its way before the time began.
                match begun {
                    None => begun = Some(Instant::now()),
                    Some(_) => ran.bytes += data.len(),
                }
            }
            AgentToHost::Call { call, .. } => {
                begun.get_or_insert_with(Instant::now);
                ran.calls.push(Instant::now());
                session.send(&HostToAgent::Reply { call, reply: Reply::Done }).await?;
            }
            AgentToHost::Exited { .. } => {
                ran.took = begun.map(|begun| begun.elapsed()).unwrap_or_default();
                return Ok(ran);
            }
            AgentToHost::NotStarted { errno, .. } => return Err(format!("no script: errno {errno}").into()),
            _ => {}
        }
    }
}

/// The next message, which must not take too long.
pub(crate) async fn recv(
    session: &mut AgentSession<impl AsyncRead + AsyncWrite + Unpin>,
) -> Result<Message, Error> {
    let message: Result<Message, AgentLinkError> = tokio::time::timeout(PATIENCE, session.recv()).await?;
    Ok(message?)
}
