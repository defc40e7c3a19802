use proptest::prelude::*;

use super::{ErrorCode, MAX_BLOCK_SIZE, Mode, Options, Packet, PacketError, Request};

fn options() -> impl Strategy<Value = Options> {
    (
        proptest::option::of(8..=MAX_BLOCK_SIZE),
        proptest::option::of(any::<u64>()),
        proptest::option::of(1..=u8::MAX),
        proptest::option::of(1..=u16::MAX),
    )
        .prop_map(|(block_size, transfer_size, timeout, window_size)| Options {
            block_size,
            transfer_size,
            timeout,
            window_size,
        })
}

fn request() -> impl Strategy<Value = Request> {
    ("[a-zA-Z0-9/._ä-]{1,100}", prop_oneof![Just(Mode::Octet), Just(Mode::Netascii)], options())
        .prop_map(|(name, mode, options)| Request { name, mode, options })
}

proptest! {
    #[test]
    fn requests_survive_emit_and_parse(request in request(), write in any::<bool>()) {
        let packet = if write { Packet::WriteRequest(request) } else { Packet::ReadRequest(request) };
        let bytes = packet.to_vec();
        prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
    }

    #[test]
    fn data_acks_and_option_acks_survive_emit_and_parse(
        block in any::<u16>(), payload in proptest::collection::vec(any::<u8>(), 0..600), options in options(),
    ) {
        for packet in [Packet::Data { block, payload: &payload }, Packet::Ack { block }, Packet::OptionAck(options)] {
            let bytes = packet.to_vec();
        prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
        }
    }

    #[test]
    fn errors_survive_emit_and_parse(code in any::<u16>(), message in "[^\0]{0,80}") {
        let packet = Packet::Error { code: ErrorCode::from(code), message };
        let bytes = packet.to_vec();
        prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
    }

    #[test]
    fn any_bytes_are_parsed_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Packet::parse(&bytes);
    }

    #[test]
    fn any_strings_after_a_request_opcode_are_parsed_without_panic(text in "(octet|blksize|tsize|[0-9a-z]|\0){0,60}") {
        let _ = Packet::parse(&[b"\0\x01", text.as_bytes()].concat());
    }
}

fn parse_request(bytes: &[u8]) -> Result<Request, PacketError> {
    match Packet::parse(bytes)? {
        Packet::ReadRequest(request) => Ok(request),
        other => panic!("not a read request: {other:?}"),
    }
}

#[test]
fn u_boot_s_request_is_read() {
    let request = parse_request(b"\0\x01zImage\0octet\0timeout\x005\0tsize\x000\0blksize\x001468\0").unwrap();
    assert_eq!(request.name, "zImage");
    assert_eq!(request.mode, Mode::Octet);
    assert_eq!(
        request.options,
        Options { block_size: Some(1468), transfer_size: Some(0), timeout: Some(5), window_size: None }
    );
}

#[test]
fn option_names_and_modes_ignore_case() {
    let request = parse_request(b"\0\x01f\0OcTeT\0BLKSIZE\x00512\0WindowSize\x008\0").unwrap();
    assert_eq!(request.options.block_size, Some(512));
    assert_eq!(request.options.window_size, Some(8));
}

#[test]
fn values_out_of_range_and_unknown_options_are_left_out() {
    let request = parse_request(
        b"\0\x01f\0octet\0blksize\x007\0timeout\x000\0windowsize\x000\0tsize\0-1\0multicast\0\0",
    )
    .unwrap();
    assert!(request.options.is_empty());
}

#[test]
fn an_option_without_its_value_is_ignored() {
    assert!(parse_request(b"\0\x01f\0octet\0blksize\0").unwrap().options.is_empty());
}

#[test]
fn a_last_string_may_lack_its_nul() {
    assert_eq!(parse_request(b"\0\x01f\0octet").unwrap().name, "f");
}

#[test]
fn malformed_requests_say_what_is_wrong() {
    let long = [b"\0\x01".as_slice(), &[b'a'; 256], b"\0octet\0"].concat();
    let cases: [(&[u8], PacketError); 7] = [
        (b"", PacketError::Truncated),
        (b"\0", PacketError::Truncated),
        (b"\0\x01\0octet\0", PacketError::Name),
        (b"\0\x01\xff\0octet\0", PacketError::Name),
        (&long, PacketError::Name),
        (b"\0\x01f\0mail\0", PacketError::Mode),
        (b"\0\x07f\0octet\0", PacketError::Opcode(7)),
    ];
    for (bytes, error) in cases {
        assert_eq!(Packet::parse(bytes), Err(error), "{bytes:?}");
    }
}
