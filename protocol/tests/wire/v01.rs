//! The bytes of protocol version 1, message by message and frame by frame.
//!
//! If a test of this module fails, the change that made it fail is wrong, not the test: a board may run an agent that
//! was built before it. Nothing here is edited or removed; what version 1 gains is added at the end of a list.

use protocol::agent_to_host::{AgentToHost, ExitStatus, Usage};
use protocol::frame::{Decoder, Frame, Header, Kind, MAX_ENCODED, Side, encode};
use protocol::helper::{Call, Packet, Pairs, Reply};
use protocol::host_to_agent::HostToAgent;
use protocol::message;
use serde::{Deserialize, Serialize};

/// Bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// Checks that `message` is written as `bytes` and that `bytes` are read as `message`.
fn pin<'a, T>(message: &T, bytes: &'a mut Vec<u8>, digits: &str)
where
    T: Serialize + Deserialize<'a> + PartialEq + std::fmt::Debug,
{
    let mut out = [0; 256];
    let written = hex(message::encode(message, &mut out).unwrap());
    assert_eq!(written, digits, "{message:?}");
    *bytes = unhex(digits);
    assert_eq!(&message::decode::<T>(bytes).unwrap(), message);
}

#[test]
fn messages_host_to_agent_keep_their_bytes() {
    pin(
        &HostToAgent::OpenFile { path: "tests/0_x/run.sh", mode: 0o755 },
        &mut Vec::new(),
        "001074657374732f305f782f72756e2e7368ed03",
    );
    pin(&HostToAgent::FileData { data: &[0x00, 0x1E, 0x7F, 0xFF] }, &mut Vec::new(), "0104001e7fff");
    pin(&HostToAgent::CloseFile, &mut Vec::new(), "02");
    pin(
        &HostToAgent::RunScript {
            run: 300,
            script: "run.sh",
            shell: "/bin/sh",
            errexit: true,
            timeout_s: 3_600,
        },
        &mut Vec::new(),
        "03ac020672756e2e7368072f62696e2f736801901c",
    );
    pin(&HostToAgent::KillScript { run: 1 }, &mut Vec::new(), "0401");
    pin(&HostToAgent::Reply { call: 5, reply: Reply::Done }, &mut Vec::new(), "050500");
    pin(&HostToAgent::SetClock { unix_s: 1_800_000_000 }, &mut Vec::new(), "0680a4a7da06");
    pin(&HostToAgent::Quit, &mut Vec::new(), "07");
}

#[test]
fn messages_agent_to_host_keep_their_bytes() {
    pin(
        &AgentToHost::Ready { build: "0.1.0 armv7", unix_s: 946_684_800 },
        &mut Vec::new(),
        "000b302e312e302061726d76378087b5c303",
    );
    pin(&AgentToHost::FileDone { errno: 28, bytes: 70_000 }, &mut Vec::new(), "011cf0a204");
    pin(&AgentToHost::Started { run: 1 }, &mut Vec::new(), "0201");
    pin(&AgentToHost::NotStarted { run: 2, errno: 2 }, &mut Vec::new(), "030202");
    pin(&AgentToHost::Output { run: 1, data: b"ok\n" }, &mut Vec::new(), "0401036f6b0a");
    pin(&AgentToHost::Exited { run: 1, status: ExitStatus::Code(127) }, &mut Vec::new(), "0501007f");
    pin(&AgentToHost::Exited { run: 1, status: ExitStatus::Signal(9) }, &mut Vec::new(), "05010109");
    pin(&AgentToHost::Exited { run: 1, status: ExitStatus::TimedOut }, &mut Vec::new(), "050102");
    pin(&AgentToHost::Exited { run: 1, status: ExitStatus::Killed }, &mut Vec::new(), "050103");
    pin(&AgentToHost::Exited { run: 1, status: ExitStatus::StepTimedOut }, &mut Vec::new(), "050104");
    pin(&AgentToHost::Call { call: 7, run: 300, request: Call::Group }, &mut Vec::new(), "0607ac020a");
    pin(&AgentToHost::CallGone { call: 7 }, &mut Vec::new(), "0707");
    pin(&AgentToHost::Step { run: 1, step: 300 }, &mut Vec::new(), "0801ac02");
    let usage = Usage { user_ms: 1, system_ms: 128, max_rss_kib: 3 };
    pin(&AgentToHost::Usage { run: 1, usage }, &mut Vec::new(), "090101800103");
    pin(&AgentToHost::CallBehind { run: 1, bytes: 65_536 }, &mut Vec::new(), "0a01808004");
}

#[test]
fn calls_keep_their_bytes() {
    pin(
        &Call::Send { id: "ipv4", data: Pairs("ipaddr\u{0}10.0.0.2\u{0}") },
        &mut Vec::new(),
        "000469707634106970616464720031302e302e302e3200",
    );
    pin(&Call::Wait { id: "go" }, &mut Vec::new(), "0102676f");
    pin(&Call::WaitAll { id: "go", role: None }, &mut Vec::new(), "0202676f00");
    pin(&Call::WaitAll { id: "go", role: Some("host") }, &mut Vec::new(), "0202676f0104686f7374");
    pin(&Call::Sync { id: "clients" }, &mut Vec::new(), "0307636c69656e7473");
    pin(
        &Call::TestCase { id: "t", result: "pass", measurement: Some("1.5"), units: None },
        &mut Vec::new(),
        "04017404706173730103312e3500",
    );
    pin(&Call::TestSetStart { name: "s" }, &mut Vec::new(), "050173");
    pin(&Call::TestSetStop, &mut Vec::new(), "06");
    pin(&Call::TestReference { id: "t", result: "fail", url: "u" }, &mut Vec::new(), "070174046661696c0175");
    pin(&Call::TestRaise { message: "no" }, &mut Vec::new(), "08026e6f");
    pin(&Call::TestEvent { message: "hm" }, &mut Vec::new(), "0902686d");
    pin(&Call::Group, &mut Vec::new(), "0a");
    pin(
        &Call::BadCall { helper: "lava-send", problem: "no id" },
        &mut Vec::new(),
        "0b096c6176612d73656e64056e6f206964",
    );
    pin(&Call::Failed { helper: "h", problem: "no" }, &mut Vec::new(), "0c0168026e6f");
    pin(&Call::Step { step: 3, timeout_s: 90 }, &mut Vec::new(), "0d035a");
    pin(&Call::TestCaseStarted { id: "t" }, &mut Vec::new(), "0e0174");
    pin(&Call::TestFeedback { namespace: "n" }, &mut Vec::new(), "0f016e");
    pin(&Packet { run: 300, call: Call::Group }, &mut Vec::new(), "ac020a");
}

#[test]
fn replies_keep_their_bytes() {
    pin(&Reply::Done, &mut Vec::new(), "00");
    pin(&Reply::Messages { lines: "a:k=v\u{0}", more: true }, &mut Vec::new(), "0106613a6b3d760001");
    pin(&Reply::Members { members: Pairs("a\u{0}r\u{0}"), more: false }, &mut Vec::new(), "02046100720000");
    pin(&Reply::Refused { reason: "no" }, &mut Vec::new(), "03026e6f");
}

/// Checks that a frame is written as `digits`, and that those are read as that frame and nothing else.
fn pin_frame(kind: Kind, from: Side, payload: &[u8], digits: &str) {
    let header = Header { version: 1, kind, from, session: 0xA0B0_0001, seq: 0x0102, ack: 0xFF20 };
    let mut out = [0; MAX_ENCODED];
    let length = encode(&header, payload, &mut out).unwrap();
    assert_eq!(hex(&out[..length]), digits, "{header:?}");
    let mut decoder = Decoder::new();
    let bytes = unhex(digits);
    let mut input = bytes.as_slice();
    let frame = decoder.decode(&mut input, &mut |text| panic!("{text:?} passed as text"));
    assert_eq!(frame, Some(Frame { header, payload }));
    assert!(input.is_empty());
}

#[test]
fn frames_keep_their_bytes() {
    pin_frame(
        Kind::Hello,
        Side::Runner,
        &[1, 1, 0, 0, 0, 0, 0],
        "1e104148a0b0104010411041104210bf2010411041104010401040104010407e104fc3a61f",
    );
    pin_frame(
        Kind::Hello,
        Side::Agent,
        &[1, 1, 1, 1, 2, 3, 4],
        "1e104168a0b0104010411041104210bf201041104110411041104210431044c328b5ba1f",
    );
    pin_frame(Kind::Data, Side::Runner, &[0x07], "1e104144a0b0104010411041104210bf201047e6472acf1f");
    pin_frame(
        Kind::Data,
        Side::Agent,
        b"\x00\x10\x1E\x1F\x7F\xFF~",
        "1e104164a0b0104010411041104210bf2010401050105e105f103f10bf7e104c7151971f",
    );
    pin_frame(Kind::Ack, Side::Runner, &[0b101], "1e104141a0b0104010411041104210bf201045ee6080a71f");
    pin_frame(Kind::Ack, Side::Agent, &[0], "1e104161a0b0104010411041104210bf201040d15777f81f");
    pin_frame(Kind::Close, Side::Runner, &[], "1e104143a0b0104010411041104210bf204f7dd3a71f");
    pin_frame(Kind::Close, Side::Agent, &[], "1e104163a0b0104010411041104210bf20cd8c5110441f");
    pin_frame(Kind::Bye, Side::Runner, &[], "1e104142a0b0104010411041104210bf20581046c7e41f");
    pin_frame(Kind::Bye, Side::Agent, &[], "1e104162a0b0104010411041104210bf20daf745471f");
}
