//! A session as a test run has it: what agent and runner say to each other, and what of it has arrived.

use std::collections::VecDeque;

use protocol::agent_to_host::ExitStatus;
use protocol::helper::{Call, Pairs, Reply};
use protocol::limits::MAX_MESSAGE;
use protocol::link::Link;
use protocol::{AgentToHost, HostToAgent};
use serde::Serialize;

/// Test cases of a session.
const CASES: u32 = 24;

/// Something that an end has to say.
#[derive(Clone, Debug)]
pub(crate) enum Spoken {
    Agent(AgentToHost<'static>),
    Runner(HostToAgent<'static>),
    /// What a script prints: cut into messages as the link advises.
    Output(Vec<u8>),
}

impl Spoken {
    /// Queues it, or the first piece of it; what is left over is returned. There must be room.
    pub(crate) fn send(self, link: &mut Link) -> Option<Self> {
        match self {
            Self::Agent(message) => link.send(&message).unwrap(),
            Self::Runner(message) => link.send(&message).unwrap(),
            Self::Output(bytes) => {
                let (piece, rest) = bytes.split_at(link.chunk().min(bytes.len()));
                link.send(&AgentToHost::Output { run: 1, data: piece }).unwrap();
                return (!rest.is_empty()).then(|| Self::Output(rest.to_vec()));
            }
        }
        None
    }
}

/// What the agent says: its start, output, test cases with measurements, calls that wait, a set, the end. More than 60
/// messages.
pub(crate) fn of_agent() -> VecDeque<Spoken> {
    let mut spoken = VecDeque::from([
        Spoken::Agent(AgentToHost::Ready { build: "0.1.0 armv7", unix_s: 1_793_000_000 }),
        Spoken::Agent(AgentToHost::FileDone { errno: 0, bytes: 4_711 }),
        Spoken::Agent(AgentToHost::Started { run: 1 }),
    ]);
    let mut call = 0;
    let mut calls = |request: Call<'static>| {
        call += 1;
        Spoken::Agent(AgentToHost::Call { call, run: 1, request })
    };
    let id: [&str; 4] = ["boot", "cpu-hotplug/cpu1", "ping <LAVA_SIGNAL_TESTCASE>", "µ-bench"];
    for case in 0..CASES {
        spoken.push_back(Spoken::Output(output(case)));
        let measured = case % 3 == 0;
        spoken.push_back(calls(Call::TestCase {
            id: id[case as usize % id.len()],
            result: if case % 5 == 4 { "fail" } else { "pass" },
            measurement: measured.then_some("12.625"),
            units: measured.then_some("MB/s"),
        }));
        spoken.extend(match case % 8 {
            1 => Some(calls(Call::TestSetStart { name: "network" })),
            2 => Some(calls(Call::Send { id: "ipv4", data: Pairs("ipaddr\x0010.0.0.2\0dev\0eth0\0") })),
            4 => Some(calls(Call::Sync { id: "clients" })),
            5 => Some(calls(Call::WaitAll { id: "server-ready", role: Some("server") })),
            6 => Some(calls(Call::TestSetStop)),
            7 => Some(Spoken::Agent(AgentToHost::CallGone { call: case })),
            _ => None,
        });
    }
    spoken.push_back(Spoken::Agent(AgentToHost::Exited { run: 1, status: ExitStatus::Code(0) }));
    spoken
}

/// What the runner says: a file, the script, an answer to each call.
pub(crate) fn of_runner() -> VecDeque<Spoken> {
    let mut spoken = VecDeque::from([
        HostToAgent::SetClock { unix_s: 1_793_000_100 },
        HostToAgent::OpenFile { path: "0/tests/0_smoke/run.sh", mode: 0o755 },
        HostToAgent::FileData { data: b"#!/bin/sh\nset -e\nlava-test-case boot --result pass\n" },
        HostToAgent::CloseFile,
        HostToAgent::RunScript {
            run: 1,
            script: "0/tests/0_smoke/run.sh",
            shell: "/bin/sh",
            errexit: true,
            timeout_s: 600,
        },
    ]);
    for call in 1..=40 {
        let reply = match call % 7 {
            3 => Reply::Messages { lines: "host:ipaddr=10.0.0.1\0guest-0:text=a > b\nc\0", more: false },
            5 => Reply::Members { members: Pairs("host\0server\0guest-0\0client\0"), more: false },
            6 => Reply::Refused { reason: "no member of the group has role `sever`" },
            _ => Reply::Done,
        };
        spoken.push_back(HostToAgent::Reply { call, reply });
    }
    spoken.push_back(HostToAgent::Quit);
    spoken.into_iter().map(Spoken::Runner).collect()
}

/// Lines, a progress bar, colours, and bytes that are no text; of many lengths.
fn output(case: u32) -> Vec<u8> {
    match case % 6 {
        0 => format!("+ run-step {case}\n").into_bytes(),
        1 => (0..case % 5).flat_map(|n| format!("line {n} of case {case}\n").into_bytes()).collect(),
        2 => b"\r 10% \r 50% \r100%\n".to_vec(),
        3 => b"\x1b[32mok\x1b[0m \x1e\x1f\x10\x7f\xff\n".to_vec(),
        4 => (0..=u8::MAX).skip(case as usize * 10 % 224).take(32).collect(),
        _ => b".".to_vec(),
    }
}

/// Something that was said, in a form that does not tell how output was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A message as it is encoded.
    Message(Vec<u8>),
    Output(Vec<u8>),
}

impl Said {
    /// Whether `part` is how `whole` begins.
    pub(crate) fn begin(part: &[Self], whole: &[Self]) -> bool {
        let Some((last, before)) = part.split_last() else { return true };
        whole.starts_with(before)
            && match (last, whole.get(before.len())) {
                (Self::Output(part), Some(Self::Output(whole))) => whole.starts_with(part),
                (last, of_whole) => Some(last) == of_whole,
            }
    }

    fn output(said: &mut Vec<Self>, data: &[u8]) {
        match said.last_mut() {
            Some(Self::Output(output)) => output.extend_from_slice(data),
            _ => said.push(Self::Output(data.to_vec())),
        }
    }
}

/// What was said.
pub(crate) fn gist(spoken: &VecDeque<Spoken>) -> Vec<Said> {
    let mut said = Vec::new();
    for spoken in spoken {
        match spoken {
            Spoken::Agent(message) => said.push(Said::Message(encoded(message))),
            Spoken::Runner(message) => said.push(Said::Message(encoded(message))),
            Spoken::Output(data) => Said::output(&mut said, data),
        }
    }
    said
}

/// The same of messages that the runner got.
pub(crate) fn gist_of_agent(heard: &[Vec<u8>]) -> Vec<Said> {
    let mut said = Vec::new();
    for bytes in heard {
        match protocol::message::decode(bytes).unwrap() {
            AgentToHost::Output { run: 1, data } => Said::output(&mut said, data),
            _ => said.push(Said::Message(bytes.clone())),
        }
    }
    said
}

/// The same of messages that the agent got.
pub(crate) fn gist_of_runner(heard: &[Vec<u8>]) -> Vec<Said> {
    heard.iter().cloned().map(Said::Message).collect()
}

fn encoded(message: &impl Serialize) -> Vec<u8> {
    let mut out = [0; MAX_MESSAGE];
    protocol::message::encode(message, &mut out).unwrap().to_vec()
}
