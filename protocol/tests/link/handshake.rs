use protocol::frame::{Frame, Header, Kind, Side, encode};
use protocol::link::{Config, LinkError, State};

use super::line::{End, Message, Pair, both_open, clean};

#[test]
fn the_agent_speaks_first_and_both_are_open_after_three_hellos() {
    let mut frames = 0;
    let mut pair = Pair::new(|_, frame| {
        frames += 1;
        vec![frame]
    });
    pair.run(both_open);
    assert_eq!(pair.now, 15);
    drop(pair);
    assert_eq!(frames, 3);
}

#[test]
fn a_runner_that_finds_a_silent_agent_speaks_after_two_seconds() {
    let mut runner = End::new(Side::Runner, 1, 0);
    assert_eq!(runner.transmit(1_999), None);
    assert!(runner.transmit(2_000).is_some());
}

#[test]
fn messages_queued_before_the_link_is_open_arrive() {
    let mut pair = Pair::new(clean);
    pair.agent.to_send.push_back(Message::new(1, 10));
    pair.run(|pair| pair.runner.got == [1]);
}

#[test]
fn the_echo_of_a_terminal_is_not_taken_for_the_other_end() {
    let mut runner = End::new(Side::Runner, 1, 0);
    let hello = runner.transmit(2_000).unwrap();
    runner.handle(2_001, &hello);
    assert_eq!(runner.link.state(), State::Connecting);
    assert_eq!(runner.link.counters().strays, 1);
}

#[test]
fn hellos_left_over_from_an_earlier_session_do_not_open_a_link() {
    let mut old = Vec::new();
    Pair::new(|_, frame| {
        old.push(frame.clone());
        vec![frame]
    })
    .run(both_open);
    let mut pair = Pair::of(End::new(Side::Runner, 7, 0), End::new(Side::Agent, 8, 0), clean);
    for bytes in &old {
        pair.agent.handle(0, bytes);
        pair.runner.handle(0, bytes);
    }
    assert_eq!(pair.agent.link.state(), State::Connecting);
    assert_eq!(pair.runner.link.state(), State::Connecting);
    pair.runner.to_send.push_back(Message::new(5, 5));
    pair.run(|pair| pair.agent.got == [5]);
}

fn hello_of(version: u8, min: u8) -> Vec<u8> {
    let header = Header { version, kind: Kind::Hello, from: Side::Agent, session: 3, seq: 0, ack: 0 };
    let mut out = [0; 64];
    let length = encode(&header, &[min, version, 0, 0, 0, 0, 0, b'+'], &mut out).unwrap();
    out[..length].to_vec()
}

#[test]
fn ends_without_a_common_version_fail_on_both_sides() {
    let mut runner = End::new(Side::Runner, 1, 0);
    runner.handle(0, &hello_of(200, 199));
    let error = LinkError::Version { min: 199, current: 200 };
    assert_eq!(runner.link.state(), State::Failed(error));
    assert_eq!(error.to_string(), "the other end speaks protocol versions 199 to 200, this one 1 to 1");
    assert!(runner.transmit(0).is_some(), "the other end is told our versions");
    assert_eq!(runner.transmit(10_000), None);
    assert_eq!(runner.link.poll_timeout(), None);
}

#[test]
fn a_newer_end_that_still_speaks_our_version_is_welcome() {
    let mut runner = End::new(Side::Runner, 1, 0);
    runner.handle(0, &hello_of(200, 1));
    assert_eq!(runner.link.state(), State::Connecting);
    assert!(runner.transmit(0).is_some());
}

#[test]
fn frames_of_another_version_are_not_read() {
    let mut pair = Pair::new(clean);
    pair.run(both_open);
    let frame = Frame {
        header: Header {
            version: 2,
            kind: Kind::Data,
            from: Side::Agent,
            session: 0xA0B0_C0D0,
            seq: 0,
            ack: 0,
        },
        payload: b"?",
    };
    let mut out = [0; 64];
    let length = encode(&frame.header, frame.payload, &mut out).unwrap();
    pair.runner.handle(pair.now, &out[..length]);
    assert_eq!(pair.runner.link.receive(pair.now), None);
    assert_eq!(pair.runner.link.counters().strays, 1);
}

#[test]
fn an_agent_that_is_never_answered_gives_up() {
    let config = Config { side: Side::Agent, id: 1, bytes_per_s: None, silence_ms: 10_000 };
    let mut agent = End::with(config, 0);
    let mut now = 0;
    while agent.link.state() == State::Connecting {
        while agent.transmit(now).is_some() {}
        now = agent.link.poll_timeout().unwrap();
        agent.link.handle_timeout(now);
    }
    let State::Failed(error) = agent.link.state() else { panic!("{:?}", agent.link.state()) };
    assert_eq!(error, LinkError::Lost { silent_ms: 10_000, last: None, undelivered: 0 });
    assert_eq!(error.to_string(), "the other end has said nothing for 10.0 s");
}

#[test]
fn an_end_that_is_asked_for_a_sign_of_life_gives_it_once() {
    let mut pair = Pair::new(clean);
    pair.run(both_open);
    for _ in 0..2 {
        let heard = pair.runner.link.counters().heard;
        pair.runner.link.probe(pair.now);
        pair.run(|pair| pair.runner.link.counters().heard != heard);
        assert_eq!(pair.runner.link.last_heard(), Some((pair.now, Kind::Hello)));
        assert_eq!(pair.runner.link.state(), State::Open);
        let before = pair.runner.got.len();
        pair.agent.to_send.push_back(Message::new(1, 10));
        pair.run(|pair| pair.runner.got.len() > before);
        assert_eq!(pair.runner.link.counters().heard, heard + 2, "one Hello and one message");
    }
}

#[test]
fn the_echo_of_a_question_is_no_sign_of_life() {
    let mut pair = Pair::new(clean);
    pair.run(both_open);
    let (heard, now) = (pair.runner.link.counters().heard, pair.now);
    pair.runner.link.probe(now);
    let hello = pair.runner.transmit(now).unwrap();
    pair.runner.handle(now, &hello);
    assert_eq!(pair.runner.link.counters().heard, heard);
}
