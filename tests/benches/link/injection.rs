//! Results over a console that others write to and that damages bytes: frames beside LAVA's text signals.

use std::io::{self, Write};

use protocol::AgentToHost;
use protocol::frame::{MAX_ENCODED, Side};
use protocol::helper::Call;
use protocol::link::{Config, Link, State};
use testbench::numbers::Numbers;

use crate::lava;

/// Results of one run in which one place is damaged, and of one in which many are.
const FEW: u32 = 20;
const MANY: u32 = 1_000;

/// Bytes that a UART hands over at a time.
const CHUNK: usize = 16;

/// One result as it is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) result: String,
    pub(crate) measurement: String,
}

/// Something that happens to a console: the bytes, and where in them.
type Fault = fn(&[u8], usize) -> Vec<u8>;

const TEXT_FAULTS: [(&str, Fault); 5] = [
    ("a kernel line", |bytes, at| {
        insert(bytes, at, b"[   12.345678] usb 1-1: new high-speed USB device\r\n")
    }),
    ("a kernel line with `>`", |bytes, at| insert(bytes, at, b"[   12.3] audit: <no-name> -> denied\r\n")),
    ("three kernel lines", |bytes, at| {
        insert(bytes, at, &b"[   12.345678] hub 1-0:1.0: USB hub found\r\n".repeat(3))
    }),
    ("half a line", |bytes, at| insert(bytes, at, b"random:crng")),
    ("control bytes", |bytes, at| insert(bytes, at, b"\x1b[0m\x1e\x1f\x10\x00")),
];

const BYTE_FAULTS: [(&str, Fault); 4] = [
    ("a byte lost", |bytes, at| [&bytes[..at], &bytes[at + 1..]].concat()),
    ("a bit flipped", |bytes, at| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1 << (at % 7);
        bytes
    }),
    ("16 bytes lost", |bytes, at| [&bytes[..at], &bytes[bytes.len().min(at + CHUNK)..]].concat()),
    ("16 bytes twice", |bytes, at| {
        let end = bytes.len().min(at + CHUNK);
        [&bytes[..end], &bytes[at..end], &bytes[end..]].concat()
    }),
];

/// How often results came out wrong, in runs with all kinds of faults.
#[derive(Clone, Copy, Debug, Default)]
struct Harm {
    lost: usize,
    doubled: usize,
    wrong: usize,
}

/// Prints the table: each fault at every byte of a run of results, then many faults in one run.
pub(crate) fn measure(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nresults lost / doubled / wrong")?;
    writeln!(
        out,
        "{:<34}{:>10}{:>22}{:>22}",
        "one fault, at each byte in turn", "faults", "text signals", "frames"
    )?;
    for (name, fault) in TEXT_FAULTS.into_iter().chain(BYTE_FAULTS) {
        let cases = cases(FEW);
        let signals: Vec<u8> = cases.iter().flat_map(lava::signal).collect();
        let mut by_text = Harm::default();
        for at in 0..signals.len() {
            by_text.add(&cases, &lava::cases(&fault(&signals, at)).map_err(io::Error::other)?);
        }
        let (mut by_frames, mut places) = (Harm::default(), 0);
        while let Some(reported) = over_link_with_one(&cases, fault, places)? {
            by_frames.add(&cases, &reported);
            places += 1;
        }
        writeln!(
            out,
            "{name:<34}{:>10}{by_text:>22}{by_frames:>22}",
            format!("{} / {places}", signals.len())
        )?;
    }
    writeln!(
        out,
        "\n{:<34}{:>10}{:>22}{:>22}",
        "n % of 16-byte chunks damaged", "results", "text signals", "frames"
    )?;
    for percent in [1, 2, 5, 10, 20] {
        let cases = cases(MANY);
        let (mut by_text, mut by_frames) = (Harm::default(), Harm::default());
        let signals: Vec<u8> = cases.iter().flat_map(lava::signal).collect();
        let mut numbers = Numbers(percent);
        by_text
            .add(&cases, &lava::cases(&damaged(&signals, percent, &mut numbers)).map_err(io::Error::other)?);
        by_frames.add(&cases, &over_link(&cases, |_, frame| damaged(frame, percent, &mut numbers))?);
        writeln!(out, "{:<34}{MANY:>10}{by_text:>22}{by_frames:>22}", format!("{percent} %"))?;
    }
    Ok(())
}

impl Harm {
    /// Compares what was reported with what happened.
    fn add(&mut self, cases: &[Case], reported: &[Case]) {
        for case in cases {
            match reported.iter().filter(|other| *other == case).count() {
                0 => self.lost += 1,
                times => self.doubled += times - 1,
            }
        }
        self.wrong += reported.iter().filter(|other| !cases.contains(other)).count();
    }
}

impl std::fmt::Display for Harm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} / {} / {}", self.lost, self.doubled, self.wrong))
    }
}

fn cases(count: u32) -> Vec<Case> {
    let case = |n: u32| Case {
        id: format!("case-{n}"),
        result: if n % 4 == 3 { "fail" } else { "pass" }.to_owned(),
        measurement: format!("{}.5", n * 37 % 1000),
    };
    (0..count).map(case).collect()
}

fn insert(bytes: &[u8], at: usize, text: &[u8]) -> Vec<u8> {
    [&bytes[..at], text, &bytes[at..]].concat()
}

/// `bytes` with one of the faults in `percent` of 100 chunks.
fn damaged(bytes: &[u8], percent: u64, numbers: &mut Numbers) -> Vec<u8> {
    let mut below = |bound: u64| (numbers.following() >> 33) % bound;
    let mut damaged = Vec::new();
    for chunk in bytes.chunks(CHUNK) {
        if below(100) >= percent {
            damaged.extend_from_slice(chunk);
            continue;
        }
        let faults = TEXT_FAULTS.into_iter().chain(BYTE_FAULTS);
        let chosen = faults.map(|(_, fault)| fault).nth(below(9) as usize);
        let at = below(chunk.len() as u64) as usize;
        damaged.extend(chosen.map_or_else(Vec::new, |fault| fault(chunk, at)));
    }
    damaged
}

/// The results over a link whose agent suffers `fault` at byte `place` of what it sends; `None` if it does not send so much.
fn over_link_with_one(cases: &[Case], fault: Fault, place: usize) -> io::Result<Option<Vec<Case>>> {
    let (mut sent, mut done) = (0, false);
    let reported = over_link(cases, |from, frame| {
        let begin = sent;
        sent += if from == Side::Agent { frame.len() } else { 0 };
        if from == Side::Agent && (begin..sent).contains(&place) && !done {
            done = true;
            return fault(frame, place - begin);
        }
        frame.to_vec()
    })?;
    Ok(done.then_some(reported))
}

/// The results that a runner gets over a link with `faults`, in virtual time.
fn over_link(cases: &[Case], mut faults: impl FnMut(Side, &[u8]) -> Vec<u8>) -> io::Result<Vec<Case>> {
    let end = |side, id| Link::new(Config { side, id, bytes_per_s: None, silence_ms: 30_000 }, 0);
    let (mut agent, mut runner) = (end(Side::Agent, 1), end(Side::Runner, 2));
    let (mut reported, mut sent, mut now_ms) = (Vec::new(), 0, 0);
    let mut frame = [0; MAX_ENCODED];
    loop {
        while let Some(bytes) = runner.receive(now_ms) {
            if let Ok(AgentToHost::Call { request: Call::TestCase { id, result, measurement, .. }, .. }) =
                protocol::message::decode(bytes)
            {
                let [id, result, measurement] =
                    [id, result, measurement.unwrap_or_default()].map(str::to_owned);
                reported.push(Case { id, result, measurement });
            }
        }
        while agent.can_send()
            && let Some(Case { id, result, measurement }) = cases.get(sent)
        {
            let request = Call::TestCase { id, result, measurement: Some(measurement), units: Some("s") };
            agent
                .send(&AgentToHost::Call { call: sent as u32, run: 1, request })
                .map_err(io::Error::other)?;
            sent += 1;
        }
        if sent == cases.len() && agent.is_delivered() {
            return Ok(reported);
        }
        let mut is_idle = true;
        for side in [Side::Agent, Side::Runner] {
            let (from, to) =
                if side == Side::Agent { (&mut agent, &mut runner) } else { (&mut runner, &mut agent) };
            while let length @ 1.. = from.poll_transmit(now_ms, &mut frame) {
                to.handle_input(now_ms, &faults(side, &frame[..length]), &mut |_| {});
                is_idle = false;
            }
        }
        if is_idle {
            let timers = [agent.poll_timeout(), runner.poll_timeout()];
            now_ms = timers.into_iter().flatten().min().unwrap_or(now_ms).max(now_ms + 1);
            agent.handle_timeout(now_ms);
            runner.handle_timeout(now_ms);
        }
        if let State::Failed(error) = agent.state() {
            return Err(io::Error::other(error));
        }
    }
}
