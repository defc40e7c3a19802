use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::agent_to_host::ExitStatus;
use protocol::frame::Side;
use protocol::link::{self, LinkError, State};
use protocol::{AgentToHost, HostToAgent};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::pump::Pump;
use super::{AgentLinkError, AgentSession, Config, Message, OnText};

/// Text that came outside of frames.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn callback(&self) -> OnText {
        let text = Arc::clone(&self.0);
        Box::new(move |bytes| text.lock().unwrap().extend_from_slice(bytes))
    }

    fn get(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A small agent: keeps files in memory, and for each script says its name and ends.
struct Agent {
    pump: Pump<DuplexStream>,
    file: Option<(String, Vec<u8>)>,
    files: Vec<(String, Vec<u8>)>,
    refuse_files: bool,
}

impl Agent {
    fn start(stream: DuplexStream) -> JoinHandle<Vec<(String, Vec<u8>)>> {
        tokio::spawn(Self::new(stream).run())
    }

    fn new(stream: DuplexStream) -> Self {
        let config = link::Config { side: Side::Agent, id: 77, bytes_per_s: None, silence_ms: 30_000 };
        let mut pump = Pump::new(stream, config, Box::new(|_| {}));
        pump.link.send(&AgentToHost::Ready { build: "0.1.0 armv7", unix_s: 5 }).unwrap();
        Self { pump, file: None, files: Vec::new(), refuse_files: false }
    }

    async fn run(mut self) -> Vec<(String, Vec<u8>)> {
        while !matches!(self.pump.link.state(), State::Closed | State::Failed(_)) && !self.pump.ended {
            while let Some(message) = self.pump.receive().map(<[u8]>::to_vec) {
                self.handle(&protocol::message::decode(&message).unwrap()).await;
            }
            self.pump.step().await.unwrap();
        }
        self.files
    }

    async fn handle(&mut self, message: &HostToAgent<'_>) {
        match *message {
            HostToAgent::OpenFile { path, .. } => self.file = Some((path.to_owned(), Vec::new())),
            HostToAgent::FileData { data } => self.file.as_mut().unwrap().1.extend_from_slice(data),
            HostToAgent::CloseFile => {
                let file = self.file.take().unwrap();
                let bytes = if self.refuse_files { 0 } else { file.1.len() as u32 };
                self.files.push(file);
                let errno = if self.refuse_files { 28 } else { 0 };
                self.say(&AgentToHost::FileDone { errno, bytes }).await;
            }
            HostToAgent::RunScript { run, script, .. } => {
                self.say(&AgentToHost::Started { run }).await;
                for _ in 0..run {
                    self.say(&AgentToHost::Output { run, data: script.as_bytes() }).await;
                }
                self.say(&AgentToHost::Exited { run, status: ExitStatus::Code(0) }).await;
            }
            HostToAgent::Quit => assert!(self.pump.link.close(self.pump.now_ms())),
            _ => panic!("{message:?}"),
        }
    }

    async fn say(&mut self, message: &AgentToHost<'_>) {
        while !self.pump.link.can_send() {
            self.pump.step().await.unwrap();
        }
        self.pump.link.send(message).unwrap();
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

async fn opened(stream: DuplexStream) -> (AgentSession<DuplexStream>, Text) {
    let text = Text::default();
    let (session, ready) =
        AgentSession::open(stream, Config::default(), text.callback(), soon()).await.unwrap();
    assert_eq!((ready.build.as_str(), ready.unix_s), ("0.1.0 armv7", 5));
    (session, text)
}

/// A session with an agent that moves only until Ready has arrived.
async fn opened_with(stream: DuplexStream, agent: &mut Agent) -> AgentSession<DuplexStream> {
    tokio::select! {
        (session, _) = opened(stream) => session,
        () = async { while agent.pump.step().await.is_ok() {} } => unreachable!("the agent's stream failed"),
    }
}

fn run_script(run: u32) -> HostToAgent<'static> {
    HostToAgent::RunScript { run, script: "say hello", shell: "/bin/sh", errexit: true, timeout_s: 60 }
}

fn is_exit(message: &Message) -> bool {
    matches!(message.decode(), Ok(AgentToHost::Exited { .. }))
}

#[tokio::test(start_paused = true)]
async fn a_session_runs_from_ready_to_quit() {
    let (ours, theirs) = duplex(4096);
    let agent = Agent::start(theirs);
    let (mut session, _) = opened(ours).await;
    session.send(&run_script(2)).await.unwrap();
    let mut seen = Vec::new();
    while !seen.last().is_some_and(is_exit) {
        seen.push(session.recv().await.unwrap());
    }
    assert_eq!(seen[0].decode().unwrap(), AgentToHost::Started { run: 1 + 1 });
    assert_eq!(seen[1].decode().unwrap(), AgentToHost::Output { run: 2, data: b"say hello" });
    assert_eq!(seen.len(), 4);
    let ended = session.quit().await.unwrap();
    assert_eq!(ended.unread, []);
    agent.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_can_be_spawned() {
    let (ours, theirs) = duplex(4096);
    let agent = Agent::start(theirs);
    tokio::spawn(async move {
        let (mut session, _) = opened(ours).await;
        session.put_file("a", 0o644, b"").await.unwrap();
        session.quit().await.unwrap();
    })
    .await
    .unwrap();
    assert_eq!(agent.await.unwrap(), [("a".to_owned(), vec![])]);
}

#[tokio::test(start_paused = true)]
async fn files_arrive_whole_through_a_narrow_stream() {
    let (ours, theirs) = duplex(64);
    let agent = Agent::start(theirs);
    let (mut session, _) = opened(ours).await;
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    session.put_file("tests/0_x/run.sh", 0o755, &bytes).await.unwrap();
    session.quit().await.unwrap();
    assert_eq!(agent.await.unwrap(), [("tests/0_x/run.sh".to_owned(), bytes)]);
}

#[tokio::test(start_paused = true)]
async fn messages_that_come_during_an_upload_are_kept_in_order() {
    let (ours, theirs) = duplex(4096);
    let agent = Agent::start(theirs);
    let (mut session, _) = opened(ours).await;
    session.send(&run_script(20)).await.unwrap();
    session.put_file("f", 0o644, &[7; 5000]).await.unwrap();
    let mut seen = Vec::new();
    while !seen.last().is_some_and(is_exit) {
        seen.push(session.recv().await.unwrap());
    }
    assert_eq!(seen.len(), 22);
    session.quit().await.unwrap();
    agent.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_written_is_an_error_with_its_path() {
    let (ours, theirs) = duplex(4096);
    let mut agent = Agent::new(theirs);
    agent.refuse_files = true;
    let agent = tokio::spawn(agent.run());
    let (mut session, _) = opened(ours).await;
    let error = session.put_file("f", 0o644, b"data").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the agent could not write f: No space left on device (os error 28) after 0 of 4 bytes"
    );
    session.quit().await.unwrap();
    agent.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_recv_loses_nothing() {
    let (ours, theirs) = duplex(100);
    let agent = Agent::start(theirs);
    let (mut session, _) = opened(ours).await;
    session.send(&run_script(40)).await.unwrap();
    let mut seen: Vec<Message> = Vec::new();
    while !seen.last().is_some_and(is_exit) {
        tokio::select! {
            biased;
            message = session.recv() => seen.push(message.unwrap()),
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(seen.len(), 42);
    session.quit().await.unwrap();
    agent.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_nobody_took_is_given_back_at_the_end() {
    let (ours, theirs) = duplex(4096);
    let agent = Agent::start(theirs);
    let (mut session, _) = opened(ours).await;
    session.send(&run_script(10)).await.unwrap();
    let ended = session.quit().await.unwrap();
    assert_eq!(ended.unread.len(), 12);
    agent.await.unwrap();
}

/// Everything that an agent does from its start to its end; gives back its stream.
async fn serve(stream: DuplexStream) -> DuplexStream {
    let mut agent = Agent::new(stream);
    while agent.pump.link.state() != State::Closed {
        while let Some(message) = agent.pump.receive().map(<[u8]>::to_vec) {
            agent.handle(&protocol::message::decode(&message).unwrap()).await;
        }
        agent.pump.step().await.unwrap();
    }
    while !agent.pump.is_flushed() {
        agent.pump.step().await.unwrap();
    }
    agent.pump.into_stream().0
}

#[tokio::test(start_paused = true)]
async fn text_around_the_session_passes_and_the_stream_is_given_back() {
    let (ours, mut theirs) = duplex(4096);
    theirs.write_all(b"root@board:~# /lava-1/bin/lava-agent console\r\n").await.unwrap();
    let agent = tokio::spawn(async move {
        let mut stream = serve(theirs).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(b"prompt").await.unwrap();
        stream
    });
    let (session, text) = opened(ours).await;
    let mut ended = session.quit().await.unwrap();
    assert_eq!(text.get(), "root@board:~# /lava-1/bin/lava-agent console\r\n");
    assert_eq!(ended.text, b"");
    let _theirs = agent.await.unwrap();
    let mut prompt = [0; 6];
    ended.stream.read_exact(&mut prompt).await.unwrap();
    assert_eq!(&prompt, b"prompt");
}

#[tokio::test(start_paused = true)]
async fn text_that_comes_together_with_the_last_frame_is_given_back_too() {
    let (ours, line) = duplex(4096);
    let (theirs, mut agents) = duplex(4096);
    let agent = tokio::spawn(async move {
        let mut stream = serve(theirs).await;
        stream.write_all(b"\r\nroot@board:~# ").await.unwrap();
    });
    // A line that holds back all that the agent says until that is a lot, as an adapter of a serial port does.
    let held = tokio::spawn(async move {
        let (mut from_runner, mut to_runner) = tokio::io::split(line);
        let (mut buffer, mut said) = ([0; 4096], Vec::new());
        let mut other = [0; 4096];
        loop {
            tokio::select! {
                biased;
                count = agents.read(&mut buffer) => match count.unwrap() {
                    0 => break,
                    count => said.extend_from_slice(&buffer[..count]),
                },
                count = from_runner.read(&mut other) => {
                    let count = count.unwrap();
                    agents.write_all(&other[..count]).await.unwrap();
                }
                () = tokio::time::sleep(Duration::from_millis(20)), if !said.is_empty() => {
                    to_runner.write_all(&said).await.unwrap();
                    said.clear();
                }
            }
        }
        to_runner.write_all(&said).await.unwrap();
    });
    let (session, text) = opened(ours).await;
    let ended = session.quit().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.text), "\r\nroot@board:~# ");
    assert_eq!(text.get(), "\r\nroot@board:~# ");
    agent.await.unwrap();
    held.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_never_comes_up_is_reported_with_the_last_text() {
    let (ours, mut theirs) = duplex(4096);
    theirs.write_all(b"sh: /lava-1/bin/lava-agent: not found\r\n").await.unwrap();
    let result = AgentSession::open(ours, Config::default(), Box::new(|_| {}), soon()).await;
    let error = result.err().unwrap();
    assert_eq!(
        error.to_string(),
        "waited 20.0 s for the agent to come up; no frame ever came; the last text was \
         \"sh: /lava-1/bin/lava-agent: not found\""
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_falls_silent_is_lost() {
    let (ours, theirs) = duplex(4096);
    let agent = Agent::start(theirs);
    let (mut session, _) = opened(ours).await;
    agent.abort();
    let error = session.recv().await.unwrap_err();
    // The stand-in's end of the stream goes with it.
    assert!(matches!(error, AgentLinkError::Disconnected { .. } | AgentLinkError::Write { .. }), "{error}");

    let (ours, theirs) = duplex(4096);
    let mut agent = Agent::new(theirs);
    let mut session = opened_with(ours, &mut agent).await;
    let began = Instant::now();
    let error = session.recv().await.unwrap_err();
    let AgentLinkError::Link { source: LinkError::Lost { .. }, last } = &error else { panic!("{error}") };
    assert!(last.frame.is_some());
    assert!((29..32).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_doubted_says_that_it_is_there_and_nothing_is_lost() {
    let (ours, theirs) = duplex(4096);
    let agent = Agent::start(theirs);
    let (mut session, _) = opened(ours).await;
    session.send(&run_script(10)).await.unwrap();
    let mut seen = Vec::new();
    while !seen.last().is_some_and(is_exit) {
        session.confirm_alive("a prompt was seen").await.unwrap();
        seen.push(session.recv().await.unwrap());
    }
    assert_eq!(seen.len(), 12);
    session.confirm_alive("a prompt was seen").await.unwrap();
    session.quit().await.unwrap();
    agent.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_doubted_and_says_nothing_is_gone() {
    let (ours, theirs) = duplex(4096);
    let mut agent = Agent::new(theirs);
    let mut session = opened_with(ours, &mut agent).await;
    let began = Instant::now();
    let error = session.confirm_alive("a prompt was seen").await.unwrap_err();
    let text = "the agent has gone: a prompt was seen, and the agent gave no sign of life within 5 s; its last frame";
    assert!(error.to_string().starts_with(text), "{error}");
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_the_agent_said_before_it_died_is_still_received() {
    let (ours, theirs) = duplex(64 * 1024);
    let mut agent = Agent::new(theirs);
    let mut session = opened_with(ours, &mut agent).await;
    agent.say(&AgentToHost::Started { run: 9 }).await;
    agent.pump.step().await.unwrap();
    drop(agent);
    session.send(&run_script(1)).await.unwrap();
    assert_eq!(session.recv().await.unwrap().decode().unwrap(), AgentToHost::Started { run: 9 });
    assert!(session.recv().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_quit_is_not_waited_for_for_ever() {
    let (ours, theirs) = duplex(4096);
    let mut agent = Agent::new(theirs);
    let agent = tokio::spawn(async move {
        loop {
            agent.pump.receive();
            agent.pump.step().await.unwrap();
        }
    });
    let (session, _) = opened(ours).await;
    let error = session.quit().await.err().unwrap();
    assert!(error.to_string().starts_with("waited 10.0 s for the agent to quit; its last frame"), "{error}");
    agent.abort();
}
