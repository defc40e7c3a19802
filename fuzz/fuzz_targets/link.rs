//! Whatever two ends hear and when: they stay within their bounds, and then a session goes through or an end says what is wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::frame::{Header, Kind, MAX_ENCODED, Side, encode};
use protocol::link::{Config, Link, State, WINDOW};
use protocol::message;

const AGENT: u32 = 0xA0B0_C0D0;
const RUNNER: u32 = 0x0102_0304;
const SILENCE_MS: u64 = 30_000;

/// Frames that both ends may still send one after the other until all is said.
const PATIENCE: u32 = 2_000;

/// One end and what its program has sent and got.
struct End {
    link: Link,
    sent: u32,
    got: Vec<u32>,
    /// Text that belonged to no frame.
    text: usize,
}

impl End {
    fn new(side: Side, id: u32) -> Self {
        let link = Link::new(Config { side, id, bytes_per_s: None, silence_ms: SILENCE_MS }, 0);
        Self { link, sent: 0, got: Vec::new(), text: 0 }
    }

    fn hear(&mut self, now_ms: u64, bytes: &[u8]) {
        let text = &mut self.text;
        self.link.handle_input(now_ms, bytes, &mut |part| *text += part.len());
    }

    fn send(&mut self) {
        self.sent += u32::from(self.link.send(&self.sent).is_ok());
    }

    fn take(&mut self, now_ms: u64) {
        while let Some(bytes) = self.link.receive(now_ms) {
            // Others' frames may hold anything.
            self.got.extend(message::decode::<u32>(bytes));
        }
    }

    /// All that is due at this time; less than a window and what goes without a number.
    fn say(&mut self, now_ms: u64) -> Vec<Vec<u8>> {
        self.link.handle_timeout(now_ms);
        let mut out = [0; MAX_ENCODED];
        let mut frames = Vec::new();
        while let length @ 1.. = self.link.poll_transmit(now_ms, &mut out) {
            frames.push(out[..length].to_vec());
            assert!(frames.len() <= WINDOW + 3, "an end does not stop");
        }
        frames
    }
}

struct Pair {
    agent: End,
    runner: End,
    now_ms: u64,
    /// Frames of neither end were taken by one of them.
    is_forged: bool,
}

impl Pair {
    fn end(&mut self, of_agent: bool) -> &mut End {
        if of_agent { &mut self.agent } else { &mut self.runner }
    }

    /// Gives an end what neither has sent.
    fn disturb(&mut self, of_agent: bool, bytes: &[u8]) {
        let now_ms = self.now_ms;
        let end = self.end(of_agent);
        let (heard, text) = (end.link.counters().heard, end.text);
        end.hear(now_ms, bytes);
        let (is_forged, text) = (end.link.counters().heard != heard, end.text - text);
        self.is_forged |= is_forged;
        assert!(text <= bytes.len() + MAX_ENCODED, "text comes from nowhere");
    }

    /// Lets both ends speak once; what they say arrives or is lost. Whether there was anything.
    fn exchange(&mut self, arrives: bool) -> bool {
        let mut spoke = false;
        for of_agent in [true, false] {
            let now_ms = self.now_ms;
            for frame in self.end(of_agent).say(now_ms) {
                spoke = true;
                if arrives {
                    self.end(!of_agent).hear(now_ms, &frame);
                }
            }
        }
        spoke
    }

    fn has_failed(&self) -> bool {
        [&self.agent, &self.runner]
            .iter()
            .any(|end| matches!(end.link.state(), State::Failed(_) | State::Closed))
    }

    /// Lets a good line finish what was begun.
    fn finish(&mut self) {
        for _ in 0..PATIENCE {
            let now_ms = self.now_ms;
            self.agent.take(now_ms);
            self.runner.take(now_ms);
            if self.has_failed() || (self.agent.link.is_delivered() && self.runner.link.is_delivered()) {
                return;
            }
            if !self.exchange(true) && !self.has_failed() {
                let timers = [self.agent.link.poll_timeout(), self.runner.link.poll_timeout()];
                let next =
                    timers.into_iter().flatten().min().expect("an end that has not failed has a timer");
                self.now_ms = next.max(now_ms + 1);
            }
        }
        assert!(self.is_forged, "a good line does not finish");
    }
}

/// The frame that `bytes` describe: kind, whether the session is right, number, acknowledgement, payload.
fn forged(from: Side, bytes: &[u8]) -> Vec<u8> {
    let [kind, session, seq, ack, payload @ ..] = bytes else { return bytes.to_vec() };
    let kinds = [Kind::Hello, Kind::Data, Kind::Ack, Kind::Close, Kind::Bye];
    let kind = kinds[usize::from(*kind) % kinds.len()];
    let own = if from == Side::Agent || kind != Kind::Hello { AGENT } else { RUNNER };
    let header = Header {
        version: 1,
        kind,
        from,
        session: if session % 4 == 0 { u32::from(*session) } else { own },
        seq: u16::from_be_bytes([if *seq > 250 { 0xFF } else { 0 }, *seq]),
        ack: u16::from_be_bytes([if *ack > 250 { 0xFF } else { 0 }, *ack]),
    };
    let mut out = [0; MAX_ENCODED];
    let length = encode(&header, payload, &mut out).expect("a buffer for any frame");
    out[..length].to_vec()
}

fuzz_target!(|input: &[u8]| {
    let (agent, runner) = (End::new(Side::Agent, AGENT), End::new(Side::Runner, RUNNER));
    let mut pair = Pair { agent, runner, now_ms: 0, is_forged: false };
    let mut rest = input;
    while let Some((&[what, length], next)) = rest.split_first_chunk::<2>() {
        let of_agent = what & 1 != 0;
        let now_ms = pair.now_ms;
        rest = next;
        match what >> 1 & 7 {
            0 => pair.end(of_agent).send(),
            1 => pair.end(of_agent).take(now_ms),
            2 => pair.now_ms += u64::from(length) * u64::from(length),
            3 => drop(pair.exchange(true)),
            4 => drop(pair.exchange(false)),
            5 => pair.end(of_agent).link.probe(now_ms),
            kind => {
                let (bytes, next) = rest.split_at(usize::from(length).min(rest.len()));
                rest = next;
                let from = if of_agent { Side::Runner } else { Side::Agent };
                let bytes = if kind == 6 { bytes.to_vec() } else { forged(from, bytes) };
                pair.disturb(of_agent, &bytes);
            }
        }
    }
    pair.finish();
    for end in [&pair.agent, &pair.runner] {
        if let State::Failed(error) = end.link.state() {
            assert!(!error.to_string().is_empty());
        }
    }
    if !pair.is_forged {
        assert!(pair.runner.got.iter().copied().eq(0..pair.runner.got.len() as u32));
        assert!(pair.agent.got.iter().copied().eq(0..pair.agent.got.len() as u32));
        let all = (pair.runner.got.len(), pair.agent.got.len());
        assert!(pair.has_failed() || all == (pair.agent.sent as usize, pair.runner.sent as usize));
    }
});
