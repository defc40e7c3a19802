use protocol::frame::Side;
use protocol::link::{LinkError, SendError, State};

use super::line::{Message, Pair, Random, both_open, clean};

fn both_closed<F: FnMut(Side, Vec<u8>) -> Vec<Vec<u8>>>(pair: &Pair<F>) -> bool {
    pair.runner.link.state() == State::Closed && pair.agent.link.state() == State::Closed
}

#[test]
fn the_last_message_is_delivered_before_the_closing_end_is_closed() {
    let mut pair = Pair::new(clean);
    pair.agent.to_send.extend((0..20).map(|n| Message::new(n, 100)));
    pair.agent.close_when_delivered = true;
    pair.run(|pair| pair.agent.link.state() == State::Closed);
    assert_eq!(pair.runner.got, (0..20).collect::<Vec<_>>());
    let at = pair.now;
    pair.run(both_closed);
    assert_eq!(pair.now - at, 5, "the agent's last word spares the runner the wait");
}

#[test]
fn a_lossy_line_is_closed_too() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut pair = Pair::new(|_, frame| if random.below(6) == 0 { vec![] } else { vec![frame] });
        pair.agent.to_send.extend((0..5).map(|n| Message::new(n, 10)));
        pair.agent.close_when_delivered = true;
        pair.run(|pair| {
            pair.runner.link.state() == State::Closed
                && matches!(pair.agent.link.state(), State::Closed | State::Failed(LinkError::Lost { .. }))
        });
        assert_eq!(pair.runner.got, [0, 1, 2, 3, 4], "seed {seed}");
    }
}

#[test]
fn both_ends_may_close_at_once() {
    let mut pair = Pair::new(clean);
    pair.run(both_open);
    assert!(pair.runner.link.close(pair.now));
    assert!(pair.agent.link.close(pair.now));
    pair.run(both_closed);
}

#[test]
fn nothing_is_sent_after_the_close() {
    let mut pair = Pair::new(clean);
    pair.run(both_open);
    assert!(pair.agent.link.close(pair.now));
    assert!(!pair.agent.link.can_send());
    assert_eq!(pair.agent.link.send(&1_u8), Err(SendError::NotOpen(State::Closing)));
    pair.run(both_closed);
    assert_eq!(pair.runner.transmit(pair.now + 60_000), None);
    assert_eq!(pair.runner.link.poll_timeout(), None);
}

#[test]
fn text_after_the_last_frame_passes() {
    let mut pair = Pair::new(clean);
    pair.run(both_open);
    assert!(pair.agent.link.close(pair.now));
    pair.run(both_closed);
    pair.runner.handle(pair.now, b"root@board:~# ");
    assert_eq!(pair.runner.text, b"root@board:~# ");
}
