//! Scripts run by the agent, and everything that arrives while they run.

use std::time::{SystemTime, UNIX_EPOCH};

use protocol::agent_to_host::ExitStatus;
use protocol::helper::Call;
use protocol::{AgentToHost, HostToAgent};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::agent_link::{AgentLinkError, AgentSession, Ended, Message};
use crate::event::{Bytes, EventKind};
use crate::fault::{Class, Fault};
use crate::run::{Emitter, NodeContext, Phase};

use super::calls::{Answer, Calls};
use super::case_book::CaseBook;
use super::console_watch::{ConsoleWatch, Seen};

/// The shortest time that a script gets, in seconds; the phase may be about to end.
const MIN_SCRIPT_SECONDS: u64 = 1;

/// A script of a definition.
pub(super) struct Script<'a> {
    /// Path relative to the agent's directory.
    pub(super) path: &'a str,
    /// The shell that runs it.
    pub(super) shell: &'a str,
    /// Whether the first failing command ends it.
    pub(super) errexit: bool,
}

/// The agent of a node, while its definitions run.
pub(super) struct Agent<'a, S> {
    node: &'a NodeContext,
    phase: &'a Phase,
    session: AgentSession<S>,
    calls: Calls,
    watch: ConsoleWatch,
    complaint: Option<String>,
    next_run: u32,
}

/// The script that runs now.
struct Running<'a> {
    run: u32,
    definition: &'a str,
    book: &'a mut CaseBook,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin + Send> Agent<'a, S> {
    pub(super) fn new(
        node: &'a NodeContext,
        phase: &'a Phase,
        session: AgentSession<S>,
        watch: ConsoleWatch,
    ) -> Self {
        let calls = Calls::new(node.member.clone(), node.plan.group_timeout.clone());
        Self { node, phase, session, calls, watch, complaint: None, next_run: 1 }
    }

    fn emitter(&self) -> &Emitter {
        &self.node.emitter
    }

    /// The node that the agent belongs to.
    pub(super) fn node(&self) -> &'a NodeContext {
        self.node
    }

    /// The phase that the definitions run in.
    pub(super) fn phase(&self) -> &'a Phase {
        self.phase
    }

    /// What a helper of the last script could not do, or was refused, last: often the reason why the script failed.
    pub(super) fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// Tells the agent the time, for boards without a clock battery.
    pub(super) async fn set_clock(&mut self) -> Result<(), Fault> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.send(&HostToAgent::SetClock { unix_s: since_epoch.as_secs() }).await
    }

    /// Writes a file below the agent's directory.
    pub(super) async fn put_file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<(), Fault> {
        let phase = self.phase;
        self.session.put_file(path, mode, content).await.map_err(|error| link_fault(phase, &error))
    }

    /// Ends the agent and gives the stream back.
    pub(super) async fn quit(self) -> Result<Ended<S>, Fault> {
        let phase = self.phase;
        self.session.quit().await.map_err(|error| link_fault(phase, &error))
    }

    /// Runs a script to its end.
    pub(super) async fn run_script(
        &mut self,
        script: &Script<'_>,
        book: &mut CaseBook,
    ) -> Result<ExitStatus, Fault> {
        let run = self.next_run;
        self.next_run += 1;
        self.complaint = None;
        let left =
            self.phase.deadline.saturating_duration_since(Instant::now()).as_secs().max(MIN_SCRIPT_SECONDS);
        let timeout_s = u32::try_from(left).unwrap_or(u32::MAX);
        let Script { path, shell, errexit } = *script;
        self.send(&HostToAgent::RunScript { run, script: path, shell, errexit, timeout_s }).await?;
        let definition = book.definition().to_owned();
        let mut running = Running { run, definition: &definition, book };
        loop {
            let phase = self.phase;
            tokio::select! {
                message = self.session.recv() => {
                    let message = message.map_err(|error| link_fault(phase, &error))?;
                    if let Some(status) = self.handle(&message, &mut running).await? {
                        self.calls.abandon();
                        return Ok(status);
                    }
                }
                (call, replies) = self.calls.answered() => {
                    for answer in &replies {
                        self.reply(call, answer).await?;
                    }
                }
                seen = self.watch.seen() => match seen {
                    Seen::Failure(failure) => {
                        let fault = phase.error(Class::Infrastructure, &failure);
                        return Err(match running.book.running_case() {
                            Some(case) => {
                                let message = format!("{}, while test case `{case}` ran", fault.message);
                                Fault { message, ..fault }
                            }
                            None => fault,
                        });
                    }
                    Seen::Prompt(prompt) => {
                        let why = format!("the shell's prompt `{prompt}` was seen");
                        let alive = self.session.confirm_alive(&why).await;
                        alive.map_err(|error| link_fault(phase, &error))?;
                    }
                },
                // The agent stops the script at its deadline and says so; this is for an agent that does not.
                () = tokio::time::sleep_until(phase.deadline + super::stage::AGENT_GRACE) => {
                    return Err(phase.fault(
                        Class::Test,
                        format!("`{path}` did not end within {timeout_s} s, and the agent did not stop it"),
                    ));
                }
            }
        }
    }

    /// Handles a message; how the script ended, if it did.
    async fn handle(
        &mut self,
        message: &Message,
        running: &mut Running<'_>,
    ) -> Result<Option<ExitStatus>, Fault> {
        let phase = self.phase;
        let message = message.decode().map_err(|error| phase.error(Class::Infrastructure, &error))?;
        match message {
            AgentToHost::Output { run, data } if run == running.run => {
                let definition = running.definition.to_owned();
                self.emitter().emit(EventKind::Output { definition, data: Bytes(data.to_vec()) });
                for case in running.book.printed(data) {
                    self.emitter().emit(case);
                }
            }
            AgentToHost::Exited { run, status } if run == running.run => return Ok(Some(status)),
            AgentToHost::NotStarted { run, errno } if run == running.run => {
                let error = std::io::Error::from_raw_os_error(i32::from(errno));
                return Err(
                    phase.fault(Class::Infrastructure, format!("the agent cannot start the script: {error}"))
                );
            }
            AgentToHost::Call { call, request } => {
                if let Call::Failed { helper, problem } = request {
                    self.complaint = Some(format!("{helper}: {problem}"));
                }
                if let Some(answer) = self.calls.handle(call, &request, running.book, &self.node.emitter) {
                    self.reply(call, &answer).await?;
                }
            }
            AgentToHost::CallGone { call } => self.calls.gone(call),
            AgentToHost::Ready { .. } => {
                return Err(phase.fault(
                    Class::Infrastructure,
                    "the agent was started again in the middle of a script: the board was reset, or the agent killed",
                ));
            }
            // Answers about an earlier script, or to nothing.
            AgentToHost::Started { .. }
            | AgentToHost::Output { .. }
            | AgentToHost::Exited { .. }
            | AgentToHost::NotStarted { .. }
            | AgentToHost::FileDone { .. } => (),
        }
        Ok(None)
    }

    async fn reply(&mut self, call: u32, answer: &Answer) -> Result<(), Fault> {
        if let Answer::Refused(reason) = answer {
            self.complaint = Some(format!("a helper was refused: {reason}"));
        }
        self.send(&HostToAgent::Reply { call, reply: answer.as_wire() }).await
    }

    async fn send(&mut self, message: &HostToAgent<'_>) -> Result<(), Fault> {
        let phase = self.phase;
        self.session.send(message).await.map_err(|error| link_fault(phase, &error))
    }
}

/// A broken link is the bench's fault, not the test's.
fn link_fault(phase: &Phase, error: &AgentLinkError) -> Fault {
    phase.error(Class::Infrastructure, error)
}
