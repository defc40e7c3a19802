//! Two ends and the line between them.

use std::collections::VecDeque;

use protocol::frame::{MAX_ENCODED, Side};
use protocol::link::{Config, Link, State};
use serde::{Deserialize, Serialize};

use super::session::{self, Spoken};

/// What the tests send.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) number: u32,
    pub(crate) filling: Vec<u8>,
}

impl Message {
    pub(crate) fn new(number: u32, length: usize) -> Self {
        Self { number, filling: (0..length).map(|n| (n as u32 * 7 + number) as u8).collect() }
    }
}

/// A small generator: the same faults in every run of a seed.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// One end with what its program sent and got.
pub(crate) struct End {
    pub(crate) link: Link,
    pub(crate) text: Vec<u8>,
    pub(crate) got: Vec<u32>,
    pub(crate) to_send: VecDeque<Message>,
    /// What is said after `to_send` in a session.
    pub(crate) script: VecDeque<Spoken>,
    /// The messages of the other end's session.
    pub(crate) heard: Vec<Vec<u8>>,
    in_session: bool,
    pub(crate) close_when_delivered: bool,
}

impl End {
    pub(crate) fn new(side: Side, id: u32, now: u64) -> Self {
        let config = Config { side, id, bytes_per_s: None, silence_ms: 30_000 };
        Self::with(config, now)
    }

    pub(crate) fn with(config: Config, now: u64) -> Self {
        Self {
            link: Link::new(config, now),
            text: Vec::new(),
            got: Vec::new(),
            to_send: VecDeque::new(),
            script: VecDeque::new(),
            heard: Vec::new(),
            in_session: false,
            close_when_delivered: false,
        }
    }

    /// An end that says `script`, and keeps what it hears.
    pub(crate) fn in_session(config: Config, script: VecDeque<Spoken>, now: u64) -> Self {
        Self { script, in_session: true, ..Self::with(config, now) }
    }

    pub(crate) fn handle(&mut self, now: u64, bytes: &[u8]) {
        let text = &mut self.text;
        self.link.handle_input(now, bytes, &mut |bytes| text.extend_from_slice(bytes));
    }

    /// What the program does: takes all messages, sends what there is room for.
    pub(crate) fn work(&mut self, now: u64) {
        while let Some(bytes) = self.link.receive(now) {
            if self.in_session {
                self.heard.push(bytes.to_vec());
                continue;
            }
            let message: Message = protocol::message::decode(bytes).unwrap();
            assert_eq!(message, Message::new(message.number, message.filling.len()));
            self.got.push(message.number);
        }
        while self.link.can_send() {
            let Some(message) = self.to_send.pop_front() else { break };
            self.link.send(&message).unwrap();
        }
        while self.link.can_send() {
            let Some(spoken) = self.script.pop_front() else { break };
            if let Some(rest) = spoken.send(&mut self.link) {
                self.script.push_front(rest);
            }
        }
        if self.close_when_delivered && self.to_send.is_empty() && self.link.is_delivered() {
            assert!(self.link.close(now));
        }
    }

    pub(crate) fn transmit(&mut self, now: u64) -> Option<Vec<u8>> {
        let mut out = [0; MAX_ENCODED];
        let length = self.link.poll_transmit(now, &mut out);
        (length > 0).then(|| out[..length].to_vec())
    }
}

/// Runner and agent; `fault` sees each frame on its way and may change, drop or repeat it.
pub(crate) struct Pair<F: FnMut(Side, Vec<u8>) -> Vec<Vec<u8>>> {
    pub(crate) runner: End,
    pub(crate) agent: End,
    pub(crate) now: u64,
    pub(crate) delay: u64,
    pub(crate) fault: F,
    /// Frames that have left, of both ends.
    pub(crate) frames: usize,
    /// Until when nothing that leaves arrives.
    cut_until: u64,
    on_line: VecDeque<(u64, Side, Vec<u8>)>,
}

impl<F: FnMut(Side, Vec<u8>) -> Vec<Vec<u8>>> Pair<F> {
    pub(crate) fn new(fault: F) -> Self {
        Self::of(End::new(Side::Runner, 0x0102_0304, 0), End::new(Side::Agent, 0xA0B0_C0D0, 0), fault)
    }

    pub(crate) fn of(runner: End, agent: End, fault: F) -> Self {
        Self { runner, agent, now: 0, delay: 5, fault, frames: 0, cut_until: 0, on_line: VecDeque::new() }
    }

    /// A session between two ends that lose each other after `silence_ms`, at `bytes_per_s`.
    pub(crate) fn session(silence_ms: u64, bytes_per_s: Option<u32>, fault: F) -> Self {
        let end = |side, id, script| End::in_session(Config { side, id, bytes_per_s, silence_ms }, script, 0);
        Self::of(
            end(Side::Runner, 0x0102_0304, session::of_runner()),
            end(Side::Agent, 0xA0B0_C0D0, session::of_agent()),
            fault,
        )
    }

    /// Closes the line for `gap_ms`: what is on it is lost, and what leaves meanwhile.
    pub(crate) fn cut(&mut self, gap_ms: u64) {
        self.on_line.clear();
        self.cut_until = self.now + gap_ms;
    }

    /// Runs until `done`, or fails the test when nothing more can happen or an hour has passed.
    pub(crate) fn run(&mut self, mut done: impl FnMut(&Self) -> bool) {
        loop {
            self.exchange();
            if done(self) {
                return;
            }
            let arrival = self.on_line.front().map(|(at, ..)| *at);
            let timers = [self.runner.link.poll_timeout(), self.agent.link.poll_timeout()];
            let next = timers.into_iter().flatten().chain(arrival).min();
            let next = next.unwrap_or_else(|| panic!("nothing more can happen: {}", self.describe()));
            assert!(
                next > self.now || arrival == Some(next),
                "a timer that is due again: {}",
                self.describe()
            );
            self.now = next.max(self.now);
            assert!(self.now < 3_600_000, "an hour has passed: {}", self.describe());
            while self.on_line.front().is_some_and(|(at, ..)| *at <= self.now) {
                if let Some((_, to, bytes)) = self.on_line.pop_front() {
                    let now = self.now;
                    self.end(to).handle(now, &bytes);
                }
            }
            let now = self.now;
            self.runner.link.handle_timeout(now);
            self.agent.link.handle_timeout(now);
        }
    }

    fn exchange(&mut self) {
        let now = self.now;
        for (from, to) in [(Side::Runner, Side::Agent), (Side::Agent, Side::Runner)] {
            self.end(from).work(now);
            while let Some(frame) = self.end(from).transmit(now) {
                self.frames += 1;
                if now < self.cut_until {
                    continue;
                }
                for bytes in (self.fault)(from, frame) {
                    self.on_line.push_back((now + self.delay, to, bytes));
                }
            }
        }
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Runner => &mut self.runner,
            Side::Agent => &mut self.agent,
        }
    }

    fn describe(&self) -> String {
        format!(
            "at {} ms: runner {:?} got {:?}, agent {:?} got {:?}",
            self.now,
            self.runner.link.state(),
            self.runner.got.len(),
            self.agent.link.state(),
            self.agent.got.len()
        )
    }
}

/// Whether all that both ends have to say was taken by the other.
pub(crate) fn all_said<F: FnMut(Side, Vec<u8>) -> Vec<Vec<u8>>>(pair: &Pair<F>) -> bool {
    [&pair.runner, &pair.agent].iter().all(|end| end.script.is_empty() && end.link.is_delivered())
}

/// A line without faults.
pub(crate) fn clean(_: Side, frame: Vec<u8>) -> Vec<Vec<u8>> {
    vec![frame]
}

/// Whether both ends are open.
pub(crate) fn both_open<F: FnMut(Side, Vec<u8>) -> Vec<Vec<u8>>>(pair: &Pair<F>) -> bool {
    pair.runner.link.state() == State::Open && pair.agent.link.state() == State::Open
}
