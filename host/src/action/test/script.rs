//! Scripts run by the agent, and everything that arrives while they run.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::agent_to_host::ExitStatus;
use protocol::helper::Call;
use protocol::{AgentToHost, HostToAgent};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::action::overlay::PreparedScript;
use crate::agent_link::{AgentLinkError, AgentSession, Ended, Message};
use crate::event::{Bytes, EventKind, ScriptKind, StepId, Usage};
use crate::fault::{Class, Fault};
use crate::run::{Emitter, NodeContext, Phase};

use super::calls::{Answer, Calls, Handled, report};
use super::case_book::CaseBook;
use super::console_watch::{ConsoleWatch, Seen};
use super::definition::place_of;
use super::output_order::OutputOrder;

/// The shortest time that a script gets, in seconds; the phase may be about to end.
const MIN_SCRIPT_SECONDS: u64 = 1;

/// A script of a definition, to be run.
pub(super) struct Script<'a> {
    /// Which one.
    pub(super) kind: ScriptKind,
    /// Its file and its steps.
    pub(super) prepared: &'a PreparedScript,
    /// The shell that runs it.
    pub(super) shell: &'a str,
    /// Whether the first failing command ends it.
    pub(super) errexit: bool,
    /// The phase as far as the script's time goes.
    pub(super) time: &'a Phase,
}

/// How a script ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ran {
    /// Its status.
    pub(super) status: ExitStatus,
    /// Number of the step that it was in.
    pub(super) step: Option<u16>,
}

/// The agent of a node, while its definitions run.
pub(super) struct Agent<'a, S> {
    node: &'a NodeContext,
    phase: &'a Phase,
    session: AgentSession<S>,
    calls: Calls,
    watch: ConsoleWatch,
    /// How long after a script's deadline the agent may take to end it and to send what it has printed.
    grace: Duration,
    complaint: Option<String>,
    next_run: u32,
    /// The first run of the definition that runs now.
    first_run: u32,
}

/// The script that runs now.
struct Running<'a> {
    emitter: &'a Emitter,
    run: u32,
    script: &'a Script<'a>,
    book: &'a mut CaseBook,
    step: Option<u16>,
    usage: Option<Usage>,
    order: OutputOrder,
}

/// What a helper was told to be done is told, also where the run is stopped.
impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.end_order();
    }
}

impl Running<'_> {
    fn tell(&mut self, event: EventKind) {
        self.book.told(&event);
        self.emitter.emit(event);
    }

    /// No more is printed: what would have come behind it is told.
    fn end_order(&mut self) {
        while let Some(event) = self.order.end() {
            self.tell(event);
        }
    }

    fn step(&self) -> Option<StepId> {
        self.step.map(|number| StepId { script: self.script.kind, number })
    }

    /// The command of the step that it is in.
    fn command(&self) -> Option<&str> {
        let index = usize::from(self.step?).checked_sub(1)?;
        Some(&self.script.prepared.steps.get(index)?.command)
    }

    /// The step begins, if it is one of the script's and behind all that have begun; its command. A test can call the helper
    /// that tells of steps as often as it likes.
    fn begin_step(&mut self, number: u16) -> Option<String> {
        let index = usize::from(number).checked_sub(1)?;
        let step = self.script.prepared.steps.get(index).filter(|_| self.step < Some(number))?;
        self.step = Some(number);
        Some(step.command.clone())
    }
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin + Send> Agent<'a, S> {
    pub(super) fn new(
        node: &'a NodeContext,
        phase: &'a Phase,
        session: AgentSession<S>,
        watch: ConsoleWatch,
        grace: Duration,
        next_run: u32,
    ) -> Self {
        let calls = Calls::new(node.member.clone(), node.plan.group_timeout.clone());
        Self { node, phase, session, calls, watch, grace, complaint: None, next_run, first_run: next_run }
    }

    /// A definition begins: what is reported from here on by those before it comes too late.
    pub(super) fn begin_definition(&mut self) {
        self.first_run = self.next_run;
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
        let (phase, emitter) = (self.phase, self.node.emitter.clone());
        let ended = self.session.quit().await.map_err(|error| link_fault(phase, &error))?;
        let reports = ended.unread.iter().filter_map(|message| match message.decode() {
            Ok(AgentToHost::Call { request, .. }) => report(&request),
            _ => None,
        });
        for report in reports {
            emitter.warn(format!(
                "{report} was reported after the last definition had ended, and does not count"
            ));
        }
        Ok(ended)
    }

    /// Runs a script to its end.
    pub(super) async fn run_script(
        &mut self,
        script: &Script<'_>,
        book: &mut CaseBook,
    ) -> Result<Ran, Fault> {
        let run = self.next_run;
        self.next_run += 1;
        self.complaint = None;
        let started = Instant::now();
        let left = script.time.deadline.saturating_duration_since(started).as_secs().max(MIN_SCRIPT_SECONDS);
        let timeout_s = u32::try_from(left).unwrap_or(u32::MAX);
        let (path, shell, errexit) = (script.prepared.path.as_str(), script.shell, script.errexit);
        self.send(&HostToAgent::RunScript { run, script: path, shell, errexit, timeout_s }).await?;
        let (emitter, order) = (&self.node.emitter, OutputOrder::default());
        let mut running = Running { emitter, run, script, book, step: None, usage: None, order };
        let ended = self.follow(&mut running).await;
        // Also what came before a failure counts, and what was printed without a line's end.
        let unread = self.hear(&mut running).await;
        running.end_order();
        for case in running.book.end_output() {
            self.emitter().emit(case);
        }
        let status = ended?;
        unread?;
        for call in self.calls.abandon() {
            let reason = "the script that this was called from has ended".to_owned();
            self.reply(call, &Answer::Refused(reason)).await?;
        }
        self.emit_finished(&running, status, started);
        Ok(Ran { status, step: running.step })
    }

    /// Handles all that arrives until the script ends.
    async fn follow(&mut self, running: &mut Running<'_>) -> Result<ExitStatus, Fault> {
        let phase = self.phase;
        let give_up = running.script.time.deadline + self.grace;
        let give_up = give_up.min(phase.deadline + super::stage::AGENT_GRACE);
        loop {
            tokio::select! {
                message = self.session.recv() => {
                    let message = message.map_err(|error| link_fault(phase, &error))?;
                    // What the console said came first.
                    self.hear(running).await?;
                    if let Some(status) = self.handle(&message, running).await? {
                        return Ok(status);
                    }
                }
                (call, replies) = self.calls.answered() => {
                    for answer in &replies {
                        self.reply(call, answer).await?;
                    }
                }
                seen = self.watch.seen() => {
                    // What has arrived before a board died is not lost with it.
                    while let Some(message) = self.session.try_recv() {
                        if let Some(status) = self.handle(&message, running).await? {
                            return Ok(status);
                        }
                    }
                    self.take_seen(seen, running).await?;
                }
                // The agent stops the script at its deadline and says so; this is for an agent that does not.
                () = tokio::time::sleep_until(give_up) => {
                    let text = format!(
                        "the {} steps were not done when their time was over ({}){}, and nothing has said since that they \
                         have ended: what ignores SIGTERM goes on until the agent ends",
                        running.script.kind,
                        running.script.time.limit,
                        place_of(running.command()),
                    );
                    return Err(phase.fault(Class::Test, text));
                }
            }
        }
    }

    /// Takes what the console has said between frames.
    async fn hear(&mut self, running: &mut Running<'_>) -> Result<(), Fault> {
        while let Some(seen) = self.watch.heard() {
            self.take_seen(seen, running).await?;
        }
        Ok(())
    }

    /// Does what something seen on the console asks for.
    async fn take_seen(&mut self, seen: Seen, running: &mut Running<'_>) -> Result<(), Fault> {
        let phase = self.phase;
        match seen {
            Seen::Failure(failure) => {
                let fault = phase.error(Class::Infrastructure, &failure);
                let message = match running.book.running_case() {
                    Some(case) => format!("while test case `{case}` ran, {}", fault.message),
                    None => fault.message,
                };
                return Err(Fault { message, ..fault });
            }
            Seen::Prompt(prompt) => {
                let why = format!("the shell's prompt `{prompt}` was seen");
                let alive = self.session.confirm_alive(&why).await;
                alive.map_err(|error| link_fault(phase, &error))?;
            }
            Seen::Complaint(complaint) => self.emitter().emit(EventKind::Kernel {
                complaint: complaint.kind,
                text: complaint.text,
                definition: Some(running.book.definition().to_owned()),
                step: running.step(),
                case: running.book.running_case().map(str::to_owned),
            }),
            Seen::Signal(signal) => {
                if let Some(event) = running.book.signal(&signal) {
                    running.tell(event);
                }
            }
            Seen::Lost(lost) => {
                running.book.lost(lost).into_iter().for_each(|event| self.emitter().emit(event))
            }
        }
        Ok(())
    }

    fn emit_finished(&self, running: &Running<'_>, status: ExitStatus, started: Instant) {
        self.emitter().emit(EventKind::ScriptFinished {
            definition: running.book.definition().to_owned(),
            script: running.script.kind,
            status: describe(status),
            took: started.elapsed(),
            usage: running.usage,
        });
    }

    /// Handles a message; how the script ended, if it did.
    async fn handle(
        &mut self,
        message: &Message,
        running: &mut Running<'_>,
    ) -> Result<Option<ExitStatus>, Fault> {
        let phase = self.phase;
        let message = message.decode().map_err(|error| phase.error(Class::Infrastructure, &error))?;
        let owed = running.order.take_owed();
        match message {
            AgentToHost::Output { run, data } if run == running.run => self.take_output(data, running),
            AgentToHost::CallBehind { run, bytes } if run == running.run => running.order.owe(bytes),
            AgentToHost::Step { run, step } if run == running.run => {
                if let Some(command) = running.begin_step(step) {
                    let definition = running.book.definition().to_owned();
                    let step = StepId { script: running.script.kind, number: step };
                    self.emitter().emit(EventKind::StepStarted { definition, step, command });
                }
            }
            AgentToHost::Usage { run, usage } if run == running.run => running.usage = Some(usage),
            AgentToHost::Exited { run, status } if run == running.run => return Ok(Some(status)),
            AgentToHost::NotStarted { run, errno } if run == running.run => {
                let error = std::io::Error::from_raw_os_error(i32::from(errno));
                return Err(
                    phase.fault(Class::Infrastructure, format!("the agent cannot start the script: {error}"))
                );
            }
            AgentToHost::Call { call, run, request } => {
                self.take_call(call, run, &request, owed, running).await?;
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
            | AgentToHost::Step { .. }
            | AgentToHost::Usage { .. }
            | AgentToHost::Output { .. }
            | AgentToHost::CallBehind { .. }
            | AgentToHost::Exited { .. }
            | AgentToHost::NotStarted { .. }
            | AgentToHost::FileDone { .. } => (),
        }
        Ok(None)
    }

    /// Does what a call of a helper asks for; `owed` is how much output that was printed before it is still to come.
    async fn take_call(
        &mut self,
        call: u32,
        run: u32,
        request: &Call<'_>,
        owed: u32,
        running: &mut Running<'_>,
    ) -> Result<(), Fault> {
        if let Some(report) = report(request).filter(|_| (1..self.first_run).contains(&run)) {
            self.emitter().warn(format!(
                "{report} was reported by what an earlier definition has left running, and does not count"
            ));
            let reason = "the definition that this was called from has ended".to_owned();
            let reply = Answer::Refused(reason);
            // Not by what would take it for a complaint of the definition that runs now.
            self.send(&HostToAgent::Reply { call, reply: reply.as_wire() }).await?;
            return Ok(());
        }
        if let Call::Failed { helper, problem } = *request {
            self.complaint = Some(format!("{helper}: {problem}"));
        }
        let Handled { answer, event } = self.calls.handle(call, request, running.book);
        if let Some(event) = event.and_then(|event| running.order.place(owed, event)) {
            running.tell(event);
        }
        if let Some(answer) = answer {
            self.reply(call, &answer).await?;
        }
        Ok(())
    }

    /// Tells what the script has printed, and what its calls have told in between.
    fn take_output(&self, data: &[u8], running: &mut Running<'_>) {
        let mut rest = data;
        while !rest.is_empty() {
            let (part, behind) = running.order.arrive(rest);
            let definition = running.book.definition().to_owned();
            let (step, bytes) = (running.step(), Bytes(part.to_vec()));
            self.emitter().emit(EventKind::Output { definition, step, data: bytes });
            // What an installation prints are no results.
            if running.script.kind == ScriptKind::Run {
                running.book.printed(part).into_iter().for_each(|case| self.emitter().emit(case));
            }
            while let Some(event) = running.order.due() {
                running.tell(event);
            }
            rest = behind;
        }
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

fn describe(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Signal(signal) => format!("signal {signal}"),
        ExitStatus::TimedOut => "time-out".to_owned(),
        ExitStatus::StepTimedOut => "time-out of a step".to_owned(),
        ExitStatus::Killed => "stopped".to_owned(),
    }
}

/// A broken link is the bench's fault, not the test's.
fn link_fault(phase: &Phase, error: &AgentLinkError) -> Fault {
    phase.error(Class::Infrastructure, error)
}
