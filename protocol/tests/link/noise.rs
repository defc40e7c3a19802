//! Damage to bytes, both ways: every message arrives once and in order, or the link says in time that it cannot go on.
//!
//! A line is taken as chunks: of 16 bytes, what a UART hands over at a time, or of one. A rate of n per cent means that n
//! of 100 chunks suffer one fault: the chunk or one of its bytes is lost, one of its bits is flipped, it comes twice, it
//! comes up to four chunks late, or somebody's text stands before it.

use std::collections::VecDeque;

use protocol::frame::Side;
use protocol::link::{LinkError, State};

use super::line::{End, Pair, Random, all_said, both_open};
use super::session::{self, Said};

const SILENCE_MS: u64 = 30_000;

/// How long the runner waits for an agent to come up.
const PATIENCE_MS: u64 = 300_000;

/// A line with faults in `percent` of its chunks.
struct Noise {
    random: Random,
    /// Bytes in a chunk.
    unit: usize,
    percent: u64,
    /// Chunks that are late, by direction: how many others still overtake them.
    late: [VecDeque<(u64, Vec<u8>)>; 2],
}

impl Noise {
    fn new(seed: u64, unit: usize, percent: u64) -> Self {
        Self { random: Random(seed), unit, percent, late: Default::default() }
    }

    fn carry(&mut self, from: Side, frame: &[u8]) -> Vec<Vec<u8>> {
        let mut arriving = Vec::new();
        for chunk in frame.chunks(self.unit) {
            let chunks = self.damage(from, chunk.to_vec());
            arriving.extend(chunks);
            let late = &mut self.late[from as usize];
            late.iter_mut().for_each(|(overtaking, _)| *overtaking -= 1);
            while late.front().is_some_and(|(overtaking, _)| *overtaking == 0) {
                arriving.extend(late.pop_front().map(|(_, chunk)| chunk));
            }
        }
        arriving
    }

    /// What arrives of a chunk now.
    fn damage(&mut self, from: Side, mut chunk: Vec<u8>) -> Vec<Vec<u8>> {
        if self.random.below(100) >= self.percent {
            return vec![chunk];
        }
        let at = self.random.below(chunk.len() as u64) as usize;
        match self.random.below(6) {
            0 => vec![],
            1 => {
                chunk.remove(at);
                vec![chunk]
            }
            2 => {
                chunk[at] ^= 1 << self.random.below(8);
                vec![chunk]
            }
            3 => vec![chunk.clone(), chunk],
            4 => {
                let late = &mut self.late[from as usize];
                let last = late.back().map_or(0, |(overtaking, _)| *overtaking);
                late.push_back(((2 + self.random.below(3)).max(last), chunk));
                vec![]
            }
            _ => {
                let length = self.random.below(200) as usize;
                let text = b"[   12.345678] usb 1-1: new high-speed USB device number 2 using musb-hdrc\r\n"
                    .repeat(3);
                vec![text[..length].to_vec(), chunk]
            }
        }
    }
}

/// Runs a session; returns whether it was whole, and fails the test if it was neither that nor ended in time.
fn is_whole(seed: u64, unit: usize, percent: u64) -> bool {
    let mut noise = Noise::new(1_000 * percent + seed, unit, percent);
    let bytes_per_s = (seed % 2 == 0).then_some(11_520);
    let mut pair = Pair::session(SILENCE_MS, bytes_per_s, |from, frame| noise.carry(from, &frame));
    pair.run(|pair| both_open(pair) || pair.now >= PATIENCE_MS || has_failed(&pair.agent));
    if !both_open(&pair) {
        // The runner waits for its agent as long as its caller does.
        return false;
    }
    let (mut heard, mut progress) = (0, pair.now);
    pair.run(|pair| {
        if pair.runner.heard.len() + pair.agent.heard.len() > heard {
            (heard, progress) = (pair.runner.heard.len() + pair.agent.heard.len(), pair.now);
        }
        all_said(pair) || has_failed(&pair.runner) || has_failed(&pair.agent)
    });
    let what = format!("seed {seed} at {percent} % of {unit}");
    let of_agent = session::gist_of_agent(&pair.runner.heard);
    let of_runner = session::gist_of_runner(&pair.agent.heard);
    assert!(Said::begin(&of_agent, &session::gist(&session::of_agent())), "{what}: {of_agent:?}");
    assert!(Said::begin(&of_runner, &session::gist(&session::of_runner())), "{what}: {of_runner:?}");
    if all_said(&pair) {
        assert_eq!(of_agent, session::gist(&session::of_agent()), "{what}");
        assert_eq!(of_runner, session::gist(&session::of_runner()), "{what}");
        return true;
    }
    assert!(pair.now <= progress + SILENCE_MS, "{what}: at {} ms, none since {progress}", pair.now);
    let failed = pair.now;
    pair.run(|pair| has_failed(&pair.runner) && has_failed(&pair.agent));
    assert!(pair.now <= failed + SILENCE_MS, "{what}: one end at {failed} ms, the other at {}", pair.now);
    false
}

fn has_failed(end: &End) -> bool {
    match end.link.state() {
        State::Failed(LinkError::Stuck { .. } | LinkError::Lost { .. }) => true,
        State::Failed(other) => panic!("{other}"),
        _ => false,
    }
}

/// Sessions out of `seeds` that are whole.
fn whole(seeds: u64, unit: usize, percent: u64) -> u64 {
    (0..seeds).map(|seed| u64::from(is_whole(seed, unit, percent))).sum()
}

#[test]
fn a_session_gets_through_with_faults_in_a_fifth_of_all_chunks() {
    for percent in 1..=20 {
        assert_eq!(whole(20, 16, percent), 20, "{percent} %");
    }
}

#[test]
fn a_session_gets_through_with_faults_in_one_of_a_hundred_bytes() {
    assert_eq!(whole(100, 1, 1), 100);
}

#[test]
fn a_line_that_is_too_bad_for_a_session_ends_it_in_time() {
    for percent in 2..=20 {
        whole(10, 1, percent);
    }
    for percent in [25, 30, 40, 50, 60, 70, 80, 90, 100] {
        whole(20, 16, percent);
    }
    assert_eq!((whole(10, 1, 10), whole(10, 16, 60)), (0, 0), "it is not as bad as that");
}
