//! Whatever a client sends and when: a window at most is sent for it, within the file, and the transfer ends.
#![no_main]

use std::time::{Duration, Instant};

use host_runner::tftp::packet::{Mode, Options, Packet, Request};
use host_runner::tftp::transfer::{Policy, Transfer, Transmit};
use host_runner_fuzz::pieces;
use libfuzzer_sys::fuzz_target;

/// Sends all that is due: no more than a window, and every block where its number says.
fn send(transfer: &mut Transfer, size: u64) {
    let mut sent = 0;
    while let Some(transmit) = transfer.poll_transmit() {
        sent += 1;
        assert!(sent <= transfer.window());
        let Transmit::Block { number, range } = transmit else { continue };
        assert!(range.start <= range.end && range.end <= size);
        assert!(range.end == size || range.end - range.start == transfer.block_size());
        assert_eq!(range.start % transfer.block_size(), 0);
        assert_eq!(u64::from(number), (range.start / transfer.block_size() + 1) % 65_536);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((size, input)) = input.split_first_chunk::<4>() else { return };
    let size = u64::from(u32::from_be_bytes(*size));
    let mut packets = pieces(input);
    let plain = Request { name: "file".into(), mode: Mode::Octet, options: Options::default() };
    let request = match packets.next().map(Packet::parse) {
        Some(Ok(Packet::ReadRequest(request))) => request,
        _ => plain,
    };
    let (policy, mut now) = (Policy::default(), Instant::now());
    let mut transfer = Transfer::new(&request, size, policy, now);
    send(&mut transfer, size);
    for packet in packets {
        let Some((wait, datagram)) = packet.split_first_chunk::<2>() else { continue };
        now += Duration::from_micros(u64::from(u16::from_be_bytes(*wait)) * 50);
        transfer.handle_input(now, datagram);
        send(&mut transfer, size);
        transfer.handle_timeout(now);
        send(&mut transfer, size);
    }
    let silent = now;
    let repetitions = policy.give_up.as_nanos() / policy.min_timeout.as_nanos();
    for _ in 0..=repetitions {
        let Some(at) = transfer.poll_timeout() else { break };
        now = now.max(at);
        transfer.handle_timeout(now);
        send(&mut transfer, size);
    }
    assert!(now - silent <= policy.give_up);
    match transfer.outcome().expect("a silent client is given up") {
        Ok(done) => assert_eq!((done.bytes, transfer.acknowledged()), (size, size)),
        Err(failure) => assert!(!failure.to_string().is_empty()),
    }
});
