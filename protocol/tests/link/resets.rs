//! Ends that start again and lines that are gone for a while, in the middle of a session.

use protocol::frame::Side;
use protocol::link::{Config, LinkError, State};

use super::line::{End, Pair, all_said, both_open, clean};
use super::session::{self, Said};

const SILENCE_MS: u64 = 30_000;

/// Frames of a session that a test goes through.
const FRAMES: usize = 60;

fn end(side: Side, id: u32, now: u64) -> End {
    let config = Config { side, id, bytes_per_s: None, silence_ms: SILENCE_MS };
    let script = if side == Side::Agent { session::of_agent() } else { session::of_runner() };
    End::in_session(config, script, now)
}

/// Runs a session until both ends are open and `frames` frames have left, of both.
fn begun(frames: usize) -> Pair<impl FnMut(Side, Vec<u8>) -> Vec<Vec<u8>>> {
    let mut pair = Pair::session(SILENCE_MS, None, clean);
    pair.run(|pair| both_open(pair) && pair.frames >= frames);
    pair
}

fn assert_begins(pair: &Pair<impl FnMut(Side, Vec<u8>) -> Vec<Vec<u8>>>) {
    let (of_agent, of_runner) =
        (session::gist_of_agent(&pair.runner.heard), session::gist_of_runner(&pair.agent.heard));
    assert!(Said::begin(&of_agent, &session::gist(&session::of_agent())), "{of_agent:?}");
    assert!(Said::begin(&of_runner, &session::gist(&session::of_runner())), "{of_runner:?}");
}

#[test]
fn an_agent_that_starts_again_is_noticed_and_nothing_of_it_is_taken() {
    for frames in 0..FRAMES {
        let mut pair = begun(frames);
        pair.agent = end(Side::Agent, 9, pair.now);
        pair.run(|pair| matches!(pair.runner.link.state(), State::Failed(_)));
        assert_eq!(pair.runner.link.state(), State::Failed(LinkError::Restarted { id: 9 }));
        assert_begins(&pair);
        assert_eq!(pair.agent.heard, Vec::<Vec<u8>>::new());
    }
}

#[test]
fn a_runner_that_starts_again_is_noticed_and_nothing_of_it_is_taken() {
    for frames in 0..FRAMES {
        let mut pair = begun(frames);
        pair.runner = end(Side::Runner, 9, pair.now);
        pair.run(|pair| matches!(pair.agent.link.state(), State::Failed(_)));
        assert_eq!(pair.agent.link.state(), State::Failed(LinkError::Restarted { id: 9 }));
        assert_begins(&pair);
        assert_eq!(pair.runner.heard, Vec::<Vec<u8>>::new());
    }
}

#[test]
fn a_line_that_is_closed_and_opened_again_costs_time_only() {
    for frames in 0..FRAMES {
        for gap_ms in [1, 300, SILENCE_MS - 3_000] {
            let mut pair = begun(frames);
            pair.cut(gap_ms);
            pair.run(all_said);
            assert_eq!(session::gist_of_agent(&pair.runner.heard), session::gist(&session::of_agent()));
            assert_eq!(session::gist_of_runner(&pair.agent.heard), session::gist(&session::of_runner()));
        }
    }
}

#[test]
fn a_line_that_stays_closed_is_told_by_both_ends() {
    let mut pair = begun(FRAMES / 2);
    let cut = pair.now;
    pair.cut(10 * SILENCE_MS);
    for wait_for in [Side::Agent, Side::Runner] {
        pair.run(|pair| {
            let end = if wait_for == Side::Agent { &pair.agent } else { &pair.runner };
            matches!(end.link.state(), State::Failed(LinkError::Lost { .. }))
        });
        assert!(pair.now <= cut + SILENCE_MS + 1_000, "{} ms after the cut", pair.now - cut);
    }
    assert_begins(&pair);
}

#[test]
fn an_agent_that_starts_again_while_the_line_is_closed_is_noticed() {
    for frames in 0..FRAMES {
        let mut pair = begun(frames);
        pair.cut(5_000);
        pair.agent = end(Side::Agent, 9, pair.now);
        pair.run(|pair| matches!(pair.runner.link.state(), State::Failed(_)));
        assert_eq!(pair.runner.link.state(), State::Failed(LinkError::Restarted { id: 9 }));
        assert_begins(&pair);
    }
}
