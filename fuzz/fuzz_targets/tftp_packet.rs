//! A TFTP packet that is understood can be sent, and is understood as the same again.
#![no_main]

use host_runner::tftp::packet::{MAX_NAME, Packet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let Ok(packet) = Packet::parse(datagram) else { return };
    if let Packet::ReadRequest(request) | Packet::WriteRequest(request) = &packet {
        assert!((1..=MAX_NAME).contains(&request.name.len()));
        assert!(!request.name.contains('\0'));
    }
    let sent = packet.to_vec();
    assert_eq!(Packet::parse(&sent), Ok(packet));
});
