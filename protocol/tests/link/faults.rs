use std::cell::Cell;

use proptest::prelude::{any, prop_assert_eq, proptest};
use protocol::frame::Side;
use protocol::limits::MAX_CHUNK;
use protocol::link::{Config, LinkError, SendError, State};

use super::line::{End, Message, Pair, Random, all_said, both_open, clean};
use super::session::Spoken;

/// A line that loses, damages and repeats frames.
fn bad_line(mut random: Random, one_in: u64) -> impl FnMut(Side, Vec<u8>) -> Vec<Vec<u8>> {
    move |_, mut frame| match random.below(one_in) {
        0 => vec![],
        1 => {
            let at = random.below(frame.len() as u64) as usize;
            frame[at] ^= 1 << random.below(8);
            vec![frame]
        }
        2 => vec![frame.clone(), frame],
        3 => {
            frame.truncate(random.below(frame.len() as u64) as usize);
            vec![frame]
        }
        _ => vec![frame],
    }
}

#[test]
fn numbers_may_wrap() {
    let mut pair = Pair::new(bad_line(Random(1), 100));
    pair.agent.to_send.extend((0..70_000).map(|n| Message::new(n, 1)));
    pair.run(|pair| pair.runner.got.len() == 70_000);
    assert!(pair.runner.got.iter().enumerate().all(|(index, number)| index == *number as usize));
}

#[test]
fn a_lost_frame_is_resent_as_soon_as_a_later_one_has_arrived() {
    let mut frames = 0;
    let mut pair = Pair::new(|from, frame| {
        frames += usize::from(from == Side::Agent && frame.len() > 100);
        if frames == 3 && frame.len() > 100 && from == Side::Agent { vec![] } else { vec![frame] }
    });
    pair.run(both_open);
    let start = pair.now;
    pair.agent.to_send.extend((0..8).map(|n| Message::new(n, 200)));
    pair.run(|pair| pair.runner.got.len() == 8);
    assert_eq!(pair.agent.link.counters().resent, 1);
    assert_eq!(pair.now - start, 15, "one and a half round trips, no time-out");
}

#[test]
fn a_clean_line_resends_nothing() {
    let mut pair = Pair::new(clean);
    pair.agent.to_send.extend((0..500).map(|n| Message::new(n, 1_000)));
    pair.run(|pair| pair.runner.got.len() == 500);
    assert_eq!(pair.agent.link.counters().resent, 0);
}

#[test]
fn a_program_that_takes_nothing_stops_the_other_end_without_loss() {
    let mut pair = Pair::new(clean);
    pair.run(both_open);
    let mut now = pair.now;
    pair.agent.to_send.extend((0..12).map(|n| Message::new(n, 10)));
    pair.agent.work(now);
    assert_eq!(pair.agent.to_send.len(), 4);
    assert_eq!(pair.agent.link.send(&1_u8), Err(SendError::Full));
    while now < 20_000 {
        while let Some(frame) = pair.agent.transmit(now) {
            pair.runner.handle(now, &frame);
        }
        while let Some(frame) = pair.runner.transmit(now) {
            pair.agent.handle(now, &frame);
        }
        let timers = [pair.agent.link.poll_timeout(), pair.runner.link.poll_timeout()];
        now = timers.into_iter().flatten().min().unwrap().max(now + 1);
        pair.agent.link.handle_timeout(now);
        pair.runner.link.handle_timeout(now);
    }
    assert!(pair.agent.link.counters().resent <= 25, "{:?}", pair.agent.link.counters());
    pair.now = now;
    pair.run(|pair| pair.runner.got.len() == 12);
    assert_eq!(pair.runner.got, (0..12).collect::<Vec<_>>());
}

#[test]
fn an_idle_link_lives_and_a_dead_line_is_reported() {
    let mut dead = false;
    let mut pair = Pair::new(|_, frame| vec![frame]);
    pair.run(|pair| pair.now > 600_000);
    assert!(both_open(&pair));
    let now = pair.now;
    let agent = std::mem::replace(&mut pair.agent, End::new(Side::Agent, 1, now));
    let runner = std::mem::replace(&mut pair.runner, End::new(Side::Runner, 1, now));
    let mut pair = Pair::of(runner, agent, |_, _| {
        dead = true;
        vec![]
    });
    pair.now = now;
    pair.agent.to_send.push_back(Message::new(0, 0));
    pair.run(|pair| matches!(pair.agent.link.state(), State::Failed(_)));
    let State::Failed(LinkError::Lost { silent_ms, undelivered: 1, last: Some(_) }) = pair.agent.link.state()
    else {
        panic!("{:?}", pair.agent.link.state())
    };
    assert!((30_000..31_000).contains(&silent_ms), "{silent_ms}");
    drop(pair);
    assert!(dead);
}

#[test]
fn a_message_that_never_gets_through_is_told_though_the_other_end_is_heard() {
    let mut pair = Pair::new(|_, frame| if frame.len() > 200 { vec![] } else { vec![frame] });
    pair.run(both_open);
    let begun = pair.now;
    pair.agent.to_send.extend([Message::new(0, 10), Message::new(1, 300)]);
    pair.run(|pair| matches!(pair.agent.link.state(), State::Failed(_)));
    let State::Failed(error @ LinkError::Stuck { bytes: 303, sends, tried_ms: 30_000 }) =
        pair.agent.link.state()
    else {
        panic!("{:?}", pair.agent.link.state())
    };
    assert_eq!(pair.now, begun + 30_000);
    assert_eq!(
        error.to_string(),
        format!(
            "the line damages too much: a message of 303 bytes was sent {sends} times in 30.0 s and did not get through"
        )
    );
    assert_eq!(pair.runner.got, [0]);
}

#[test]
fn pieces_of_a_stream_grow_on_a_good_line_and_shrink_on_a_bad_one() {
    let (is_bad, mut random) = (Cell::new(false), Random(1));
    // One of 1,000 bytes is lost, and with it its frame.
    let mut pair = Pair::session(30_000, None, |_, frame: Vec<u8>| {
        let is_lost = is_bad.get() && (0..frame.len()).any(|_| random.below(1_000) == 0);
        if is_lost { vec![] } else { vec![frame] }
    });
    let say = |pair: &mut Pair<_>, bytes: usize| {
        pair.agent.script.push_back(Spoken::Output(vec![b'.'; bytes]));
        pair.run(all_said);
        pair.agent.link.chunk()
    };
    assert_eq!(say(&mut pair, 100_000), MAX_CHUNK);
    is_bad.set(true);
    assert!((32..=600).contains(&say(&mut pair, 30_000)));
    is_bad.set(false);
    assert_eq!(say(&mut pair, 100_000), MAX_CHUNK);
}

#[test]
fn a_slow_line_is_never_handed_more_than_it_carries() {
    let config = |side, id| Config { side, id, bytes_per_s: Some(11_520), silence_ms: 30_000 };
    let mut sent: u64 = 0;
    let mut pair = Pair::of(
        End::with(config(Side::Runner, 1), 0),
        End::with(config(Side::Agent, 2), 0),
        |from, frame| {
            sent += if from == Side::Agent { frame.len() as u64 } else { 0 };
            vec![frame]
        },
    );
    pair.agent.to_send.extend((0..100).map(|n| Message::new(n, 1_500)));
    pair.run(|pair| pair.runner.got.len() == 100);
    let (now, resent) = (pair.now, pair.agent.link.counters().resent);
    drop(pair);
    assert_eq!(resent, 0);
    let carried = sent * 1_000 / 11_520;
    assert!(
        (carried.saturating_sub(500)..carried * 101 / 100 + 100).contains(&now),
        "{carried} ms of bytes in {now} ms"
    );
}

proptest! {
    #[test]
    fn noise_never_breaks_an_end(noise in proptest::collection::vec(any::<u8>(), 0..4000), times in any::<[u16; 4]>()) {
        let mut end = End::new(Side::Runner, 1, 0);
        let mut now = 0;
        for (chunk, wait) in noise.chunks(1_000).zip(times) {
            end.handle(now, chunk);
            end.work(now);
            while end.transmit(now).is_some() {}
            now += u64::from(wait);
            end.link.handle_timeout(now);
        }
        prop_assert_eq!(end.got, vec![]);
    }
}
