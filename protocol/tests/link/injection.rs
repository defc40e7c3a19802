use std::sync::LazyLock;
use std::thread;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use protocol::frame::Side;

use super::line::{End, Message, Pair, all_said, both_open, clean};
use super::session::{self, Said};

const KERNEL: &[u8] = b"[   12.345678] random: crng init done\r\n";

/// What others write to a console.
const TEXTS: [(&str, &[u8]); 7] = [
    ("a line", KERNEL),
    ("lines", b"[    1.0] usb 1-1: new device\r\n[    1.1] usb 1-1: <LAVA_SIGNAL_ENDRUN x>\r\n[    1.2] hub: 4 ports\r\n"),
    ("control bytes", b"\x1b[31m\x07[    2.0] \x00\x7f\xff\x9b critical\x1b[0m\r\n"),
    ("delimiters", b"\x1e\x1f\x1e\x10A\x10\x1f[    3.0]\x1e\x01D\x1f\x1e\x1e\x10\x10"),
    ("half a line", b"[    4.0] systemd[1]: Start"),
    ("one letter", b"$"),
    ("one control byte", b"\n"),
];

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

/// Runs a session with `text` before byte `offset` of what the agent sends; returns whether there was such a byte, and what
/// the agent sent.
fn inject(text: &[u8], offset: usize) -> (bool, usize) {
    let (mut sent, mut injected, mut expected) = (0, false, Vec::new());
    let mut pair = Pair::session(30_000, None, |from, frame| {
        if from == Side::Runner {
            return vec![frame];
        }
        let at = offset.checked_sub(sent).filter(|at| *at < frame.len() && !injected);
        sent += frame.len();
        let Some(at) = at else { return vec![frame] };
        injected = true;
        let arriving = [&frame[..at], text, &frame[at..]].concat();
        // Before a frame the text is alone; within one it makes text of the frame, too.
        expected = if at == 0 { text.to_vec() } else { arriving.clone() };
        vec![arriving]
    });
    pair.run(all_said);
    let Pair { mut runner, agent, .. } = pair;
    let said = &mut runner.text;
    runner.link.flush(&mut |bytes| said.extend_from_slice(bytes));
    assert!(session::gist_of_agent(&runner.heard) == *OF_AGENT, "{text:?} at {offset}: {:?}", runner.heard);
    assert!(session::gist_of_runner(&agent.heard) == *OF_RUNNER, "{text:?} at {offset}: {:?}", agent.heard);
    assert!(runner.text == expected, "{text:?} at {offset} came out as {:?}", runner.text);
    (injected, sent)
}

static OF_AGENT: LazyLock<Vec<Said>> = LazyLock::new(|| session::gist(&session::of_agent()));
static OF_RUNNER: LazyLock<Vec<Said>> = LazyLock::new(|| session::gist(&session::of_runner()));

#[test]
fn text_at_every_offset_of_a_session_costs_no_message_and_comes_out_as_it_came() {
    assert!(session::of_agent().len() >= 60);
    let (_, length) = inject(KERNEL, usize::MAX);
    thread::scope(|scope| {
        for (_, text) in TEXTS {
            scope.spawn(move || {
                for offset in 0..length {
                    assert!(inject(text, offset).0, "byte {offset} of {length} was never sent");
                }
            });
        }
    });
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
