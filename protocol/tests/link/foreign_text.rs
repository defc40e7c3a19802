use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use protocol::frame::Side;

use super::line::{End, Message, Pair, both_open, clean};

const KERNEL: &[u8] = b"[   12.345678] random: crng init done\r\n";

/// The frames of three messages from the agent, and the runner that is to get them.
fn recorded() -> (Vec<u8>, End, End, u64) {
    let mut pair = Pair::new(clean);
    pair.run(both_open);
    for n in 0..3 {
        pair.agent.link.send(&Message::new(n, 12)).unwrap();
    }
    let mut bytes = Vec::new();
    while let Some(frame) = pair.agent.transmit(pair.now) {
        bytes.extend(frame);
    }
    (bytes, pair.runner, pair.agent, pair.now)
}

#[test]
fn text_at_every_offset_costs_no_message_and_no_text() {
    let length = recorded().0.len();
    for offset in 0..=length {
        let (bytes, mut runner, agent, now) = recorded();
        runner.handle(now, &bytes[..offset]);
        runner.handle(now, KERNEL);
        runner.handle(now, &bytes[offset..]);
        let mut pair = Pair::of(runner, agent, clean);
        pair.now = now;
        pair.run(|pair| pair.runner.got.len() == 3);
        assert_eq!(pair.runner.got, [0, 1, 2], "offset {offset}");
        let text = &pair.runner.text;
        assert!(text.windows(KERNEL.len()).any(|part| part == KERNEL), "offset {offset}: {text:?}");
    }
}

#[test]
fn text_between_frames_passes_untouched_and_alone() {
    let (bytes, mut runner, agent, now) = recorded();
    for frame in bytes.split_inclusive(|&byte| byte == protocol::frame::END) {
        runner.handle(now, KERNEL);
        runner.handle(now, frame);
    }
    let mut pair = Pair::of(runner, agent, clean);
    pair.now = now;
    pair.run(|pair| pair.runner.got.len() == 3);
    assert_eq!(pair.runner.text, KERNEL.repeat(3));
    assert_eq!(pair.agent.link.counters().resent, 0);
}

proptest! {
    #[test]
    fn every_split_of_the_stream_gives_the_same(cuts in proptest::collection::vec(any::<u16>(), 0..20)) {
        let (bytes, mut runner, _, now) = recorded();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| usize::from(cut) % bytes.len()).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        for part in cuts.windows(2) {
            runner.handle(now, &bytes[part[0]..part[1]]);
        }
        runner.work(now);
        prop_assert_eq!(runner.got, vec![0, 1, 2]);
        prop_assert_eq!(runner.text, b"");
    }

    #[test]
    fn any_bytes_anywhere_cost_no_message(at in any::<u16>(), noise in proptest::collection::vec(any::<u8>(), 1..60)) {
        let (bytes, mut runner, agent, now) = recorded();
        let at = usize::from(at) % bytes.len();
        runner.handle(now, &bytes[..at]);
        runner.handle(now, &noise);
        runner.handle(now, &bytes[at..]);
        let mut pair = Pair::of(runner, agent, clean);
        pair.now = now;
        pair.run(|pair| pair.runner.got.len() == 3);
        prop_assert_eq!(&pair.runner.got, &[0, 1, 2]);
        prop_assert!(pair.runner.link.counters().strays == 0);
    }
}

#[test]
fn both_sides_write_text() {
    let mut pair = Pair::new(|from, mut frame| {
        if from == Side::Agent {
            frame.extend(KERNEL);
        }
        vec![frame]
    });
    pair.agent.to_send.extend((0..10).map(|n| Message::new(n, 50)));
    pair.run(|pair| pair.runner.got.len() == 10);
    assert_eq!(pair.runner.text.len() % KERNEL.len(), 0);
    assert!(!pair.runner.text.is_empty());
}
