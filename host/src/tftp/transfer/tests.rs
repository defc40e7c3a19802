use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::packet::{ErrorCode, Mode, Options, Packet, Request};
use super::{Done, Failure, Policy, Transfer, Transmit};

const MS: Duration = Duration::from_millis(1);

fn request(options: Options) -> Request {
    Request { name: "f".into(), mode: Mode::Octet, options }
}

fn windowed(window: u16) -> Options {
    Options { block_size: Some(8), window_size: Some(window), ..Options::default() }
}

fn ack(block: u16) -> Vec<u8> {
    Packet::Ack { block }.to_vec()
}

/// Takes out everything that is to be sent: numbers of blocks, or the whole datagram.
fn blocks(transfer: &mut Transfer) -> Vec<u16> {
    std::iter::from_fn(|| transfer.poll_transmit())
        .map(|transmit| match transmit {
            Transmit::Block { number, .. } => number,
            Transmit::Datagram(bytes) => panic!("not a block: {bytes:?}"),
        })
        .collect()
}

fn datagram(transfer: &mut Transfer) -> Vec<u8> {
    match transfer.poll_transmit() {
        Some(Transmit::Datagram(bytes)) => bytes,
        other => panic!("not a datagram: {other:?}"),
    }
}

/// A transfer of `size` bytes in blocks of 8 whose options are acknowledged.
fn started(size: u64, window: u16, now: Instant) -> Transfer {
    let mut transfer = Transfer::new(&request(windowed(window)), size, Policy::default(), now);
    datagram(&mut transfer);
    transfer.handle_input(now, &ack(0));
    transfer
}

fn done(transfer: &Transfer) -> Option<Done> {
    transfer.outcome().map(|outcome| *outcome.as_ref().unwrap())
}

#[test]
fn without_options_the_first_block_is_the_answer() {
    let now = Instant::now();
    let mut transfer = Transfer::new(&request(Options::default()), 600, Policy::default(), now);
    assert_eq!(transfer.poll_transmit(), Some(Transmit::Block { number: 1, range: 0..512 }));
    assert_eq!(transfer.poll_transmit(), None);
    transfer.handle_input(now, &ack(1));
    assert_eq!(transfer.poll_transmit(), Some(Transmit::Block { number: 2, range: 512..600 }));
    transfer.handle_input(now, &ack(2));
    assert_eq!(done(&transfer), Some(Done { bytes: 600, retransmits: 0 }));
    assert_eq!(transfer.poll_timeout(), None);
}

#[test]
fn a_file_of_whole_blocks_ends_with_an_empty_one() {
    let now = Instant::now();
    for (size, last) in [(0, 1), (512, 2), (1024, 3)] {
        let mut transfer = Transfer::new(&request(Options::default()), size, Policy::default(), now);
        for block in 1..=last {
            assert_eq!(blocks(&mut transfer), [block]);
            transfer.handle_input(now, &ack(block));
        }
        assert_eq!(done(&transfer), Some(Done { bytes: size, retransmits: 0 }));
    }
}

#[test]
fn options_are_limited_and_timeout_is_never_acknowledged() {
    let asked = Options {
        block_size: Some(65464),
        transfer_size: Some(0),
        timeout: Some(5),
        window_size: Some(65535),
    };
    let mut transfer = Transfer::new(&request(asked), 9000, Policy::default(), Instant::now());
    assert_eq!(
        Packet::parse(&datagram(&mut transfer)),
        Ok(Packet::OptionAck(Options {
            block_size: Some(1468),
            transfer_size: Some(9000),
            timeout: None,
            window_size: Some(32)
        }))
    );
}

#[test]
fn a_request_with_only_a_timeout_is_answered_with_data() {
    let options = Options { timeout: Some(5), ..Options::default() };
    let mut transfer = Transfer::new(&request(options), 10, Policy::default(), Instant::now());
    assert_eq!(blocks(&mut transfer), [1]);
}

#[test]
fn a_lost_option_ack_is_sent_again() {
    let start = Instant::now();
    let mut transfer = Transfer::new(&request(windowed(1)), 100, Policy::default(), start);
    let first = datagram(&mut transfer);
    transfer.handle_timeout(start + 299 * MS);
    assert_eq!(transfer.poll_transmit(), None);
    transfer.handle_timeout(start + 300 * MS);
    assert_eq!(datagram(&mut transfer), first);
}

#[test]
fn the_timer_doubles_up_to_its_maximum_and_starts_again_with_progress() {
    let mut now = Instant::now();
    let mut transfer = started(100, 1, now);
    for milliseconds in [20, 40, 80, 160, 320, 640, 1280, 2000, 2000] {
        assert_eq!(blocks(&mut transfer), [1]);
        assert_eq!(transfer.poll_timeout(), Some(now + milliseconds * MS));
        now += milliseconds * MS;
        transfer.handle_timeout(now);
    }
    transfer.handle_input(now, &ack(1));
    assert_eq!(transfer.poll_timeout(), Some(now + 300 * MS));
}

#[test]
fn a_silent_client_is_given_up_and_the_error_says_what_was_awaited() {
    let start = Instant::now();
    let mut transfer = started(100, 1, start);
    while let Some(at) = transfer.poll_timeout() {
        blocks(&mut transfer);
        transfer.handle_timeout(at);
        assert!(at <= start + Duration::from_secs(20));
    }
    let text = transfer.outcome().unwrap().as_ref().unwrap_err().to_string();
    assert_eq!(text, "no acknowledgement of block 1 of 13 for 20s (sent 16 times)");
}

#[test]
fn a_client_s_error_ends_the_transfer() {
    let now = Instant::now();
    let mut transfer = started(100, 1, now);
    let error = Packet::Error { code: ErrorCode::DiskFull, message: "full".into() };
    transfer.handle_input(now, &error.to_vec());
    let text = transfer.outcome().unwrap().as_ref().unwrap_err().to_string();
    assert_eq!(text, "the client sent error 3: full");
    assert_eq!(transfer.poll_transmit(), None);
}

#[test]
fn a_repeated_ack_in_lock_step_sends_the_block_again_once_and_not_while_it_may_cross() {
    let now = Instant::now();
    let mut transfer = started(100, 1, now);
    assert_eq!(blocks(&mut transfer), [1]);
    transfer.handle_input(now, &ack(1));
    assert_eq!(blocks(&mut transfer), [2]);
    for later in [0, 5, 9] {
        transfer.handle_input(now + later * MS, &ack(1));
        assert_eq!(blocks(&mut transfer), Vec::<u16>::new(), "{later} ms");
    }
    assert_eq!(transfer.poll_timeout(), Some(now + 10 * MS), "what came too early is believed then");
    transfer.handle_timeout(now + 10 * MS);
    assert_eq!(blocks(&mut transfer), [2]);
    for later in [11, 20, 29] {
        transfer.handle_input(now + later * MS, &ack(1));
        assert_eq!(blocks(&mut transfer), Vec::<u16>::new(), "{later} ms");
    }
}

#[test]
fn a_block_that_came_twice_is_not_sent_twice_for_ever() {
    let mut now = Instant::now();
    let mut transfer = started(8 * 1000, 1, now);
    blocks(&mut transfer);
    // The timer fires although nothing is lost, and the client answers every copy, 15 ms apart.
    now += 300 * MS;
    transfer.handle_timeout(now);
    let mut copies = 1 + blocks(&mut transfer).len();
    for block in 1..1000 {
        let mut sent = 0;
        for _ in 0..copies {
            transfer.handle_input(now, &ack(block));
            sent += blocks(&mut transfer).len();
            now += 15 * MS;
        }
        copies = sent;
    }
    assert_eq!(copies, 1);
    assert!(transfer.retransmits <= 2, "{} blocks were sent again", transfer.retransmits);
}

#[test]
fn the_timer_follows_the_round_trips() {
    let mut now = Instant::now();
    let mut transfer = started(8 * 1000, 1, now);
    let mut block = 0;
    let mut answer_after = |transfer: &mut Transfer, round_trip: Duration| {
        blocks(transfer);
        now += round_trip;
        block += 1;
        transfer.handle_input(now, &ack(block));
        transfer.poll_timeout().unwrap() - now
    };
    let fast = (0..30).map(|_| answer_after(&mut transfer, MS / 10)).last();
    assert_eq!(fast, Some(20 * MS), "no shorter than the least");
    let slow = (0..30).map(|_| answer_after(&mut transfer, 50 * MS)).last().unwrap();
    assert!((50 * MS..70 * MS).contains(&slow), "{slow:?}");
    let slower = (0..30).map(|_| answer_after(&mut transfer, 900 * MS)).last();
    assert_eq!(slower, Some(300 * MS), "no longer than the first");
}

#[test]
fn after_a_repetition_only_a_clear_round_trip_shortens_the_timer() {
    let mut now = Instant::now();
    let mut transfer = started(8 * 1000, 1, now);
    blocks(&mut transfer);
    transfer.handle_input(now, &ack(1));
    blocks(&mut transfer);
    assert_eq!(transfer.poll_timeout(), Some(now + 20 * MS));
    now += 20 * MS;
    transfer.handle_timeout(now);
    blocks(&mut transfer);
    transfer.handle_input(now, &ack(2));
    assert_eq!(transfer.poll_timeout(), Some(now + 40 * MS), "which copy was acknowledged is not known");
    blocks(&mut transfer);
    transfer.handle_input(now, &ack(3));
    assert_eq!(transfer.poll_timeout(), Some(now + 20 * MS));
}

#[test]
fn an_ack_inside_the_window_sends_the_rest_again() {
    let now = Instant::now();
    let mut transfer = started(1000, 4, now);
    assert_eq!(blocks(&mut transfer), [1, 2, 3, 4]);
    transfer.handle_input(now, &ack(2));
    assert_eq!(blocks(&mut transfer), [3, 4, 5, 6]);
    transfer.handle_input(now, &ack(6));
    assert_eq!(blocks(&mut transfer), [7, 8, 9, 10]);
}

#[test]
fn an_ack_inside_a_window_that_was_sent_twice_is_believed_only_if_nothing_follows() {
    let now = Instant::now();
    let mut transfer = started(1000, 4, now);
    assert_eq!(blocks(&mut transfer), [1, 2, 3, 4]);
    transfer.handle_input(now, &ack(2));
    assert_eq!(blocks(&mut transfer), [3, 4, 5, 6]);
    transfer.handle_input(now, &ack(3));
    assert_eq!(blocks(&mut transfer), [7], "3 may be the echo of the second 3");
    transfer.handle_timeout(now + 9 * MS);
    assert_eq!(blocks(&mut transfer), Vec::<u16>::new());
    transfer.handle_timeout(now + 10 * MS);
    assert_eq!(blocks(&mut transfer), [4, 5, 6, 7]);
}

#[test]
fn a_repeated_ack_sends_a_window_again_once() {
    let now = Instant::now();
    let mut transfer = started(1000, 4, now);
    blocks(&mut transfer);
    transfer.handle_input(now, &ack(4));
    assert_eq!(blocks(&mut transfer), [5, 6, 7, 8]);
    transfer.handle_input(now + 9 * MS, &ack(4));
    assert_eq!(blocks(&mut transfer), Vec::<u16>::new(), "it crossed the window");
    transfer.handle_input(now + 10 * MS, &ack(4));
    assert_eq!(blocks(&mut transfer), [5, 6, 7, 8]);
    transfer.handle_input(now + 30 * MS, &ack(4));
    assert_eq!(blocks(&mut transfer), Vec::<u16>::new(), "once is enough");
}

#[test]
fn one_late_ack_does_not_double_the_windows_for_ever() {
    let mut now = Instant::now();
    let mut transfer = started(8 * 400, 4, now);
    blocks(&mut transfer);
    // The timer fires although nothing is lost: each window now has two ACKs, 50 ms apart.
    now += 300 * MS;
    transfer.handle_timeout(now);
    blocks(&mut transfer);
    for window in 1..100 {
        transfer.handle_input(now, &ack(window * 4));
        blocks(&mut transfer);
        transfer.handle_input(now + 50 * MS, &ack(window * 4));
        blocks(&mut transfer);
        now += 60 * MS;
    }
    assert!(transfer.retransmits <= 4 + 50 * 4, "{} blocks were sent again", transfer.retransmits);
}

#[test]
fn acks_of_blocks_that_were_never_sent_are_ignored() {
    let now = Instant::now();
    let mut transfer = started(1000, 4, now);
    blocks(&mut transfer);
    for block in [5, 100, 65535] {
        transfer.handle_input(now, &ack(block));
        assert_eq!(transfer.acknowledged(), 0);
    }
}

#[test]
fn block_numbers_wrap_in_lock_step_and_inside_a_window() {
    let now = Instant::now();
    for window in [1, 7, 32] {
        let mut transfer = started(8 * 70_000 + 3, window, now);
        let mut expected = 0u64;
        while transfer.outcome().is_none() {
            for number in blocks(&mut transfer) {
                expected += 1;
                assert_eq!(u64::from(number), expected % 65536);
            }
            transfer.handle_input(now, &ack((expected % 65536) as u16));
        }
        assert_eq!(done(&transfer), Some(Done { bytes: 8 * 70_000 + 3, retransmits: 0 }));
    }
}

#[test]
fn aborting_says_why_but_a_replaced_transfer_says_nothing() {
    let now = Instant::now();
    let mut transfer = started(100, 1, now);
    transfer.abort(Failure::Stopped);
    let farewell = datagram(&mut transfer);
    assert_eq!(
        Packet::parse(&farewell),
        Ok(Packet::Error { code: ErrorCode::NotDefined, message: "the server is stopping".into() })
    );
    assert_eq!(transfer.poll_transmit(), None);
    let mut transfer = started(100, 1, now);
    transfer.abort(Failure::Replaced);
    assert_eq!(transfer.poll_transmit(), None);
}

/// Receives as RFC 7440 says, over a network that loses and duplicates by `fates`.
fn simulate(size: u64, window: u16, fates: &[u8]) -> (Vec<u8>, Result<Done, String>) {
    let content: Vec<u8> = (0..size).map(|i| (i % 253) as u8).collect();
    let mut fates = fates.iter().copied().cycle();
    let mut now = Instant::now();
    let mut transfer = started(size, window, now);
    let (mut got, mut have) = (Vec::new(), 0u64);
    for _ in 0..100_000 {
        let mut replies = Vec::new();
        while let Some(Transmit::Block { number, range }) = transfer.poll_transmit() {
            let copies = match fates.next().unwrap_or(255) {
                0..20 => 0,
                20..30 => 2,
                _ => 1,
            };
            for _ in 0..copies {
                if u64::from(number) == (have + 1) % 65536 {
                    have += 1;
                    got.extend_from_slice(&content[range.start as usize..range.end as usize]);
                    if have % u64::from(window) == 0 || range.end - range.start < 8 {
                        replies.push(ack(have as u16));
                    }
                } else {
                    replies.push(ack(have as u16));
                }
            }
        }
        for reply in replies {
            now += MS;
            if fates.next().unwrap_or(255) >= 20 {
                transfer.handle_input(now, &reply);
            }
        }
        if let Some(outcome) = transfer.outcome() {
            return (got, outcome.as_ref().copied().map_err(ToString::to_string));
        }
        now = transfer.poll_timeout().unwrap().max(now);
        transfer.handle_timeout(now);
    }
    (got, Err("it never ended".into()))
}

proptest! {
    #[test]
    fn files_arrive_whole_over_a_network_that_loses_and_duplicates(
        size in 0u64..2000, window in 1u16..12, fates in proptest::collection::vec(any::<u8>(), 200..400),
    ) {
        prop_assume!(fates.iter().filter(|fate| **fate >= 30).count() > fates.len() * 3 / 4);
        let content: Vec<u8> = (0..size).map(|i| (i % 253) as u8).collect();
        let (got, outcome) = simulate(size, window, &fates);
        prop_assert!(outcome.is_ok(), "{outcome:?}");
        prop_assert_eq!(got, content);
    }

    #[test]
    fn any_datagrams_are_taken_without_panic(
        datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..8), 0..40),
    ) {
        let now = Instant::now();
        let mut transfer = started(10_000, 8, now);
        for datagram in datagrams {
            transfer.handle_input(now + 20 * MS, &datagram);
            while transfer.poll_transmit().is_some() {}
        }
    }
}
