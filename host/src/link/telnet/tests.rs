use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const AGREE: &[u8] = &[255, 253, 0, 255, 251, 0, 255, 253, 3, 255, 251, 3];

fn decode(codec: &mut Telnet, input: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut data, mut reply) = (Vec::new(), Vec::new());
    codec.decode(input, &mut data, &mut reply);
    (data, reply)
}

#[test]
fn answers_to_our_own_offers_are_not_answered_again() {
    let mut codec = Telnet::new();
    assert_eq!(decode(&mut codec, AGREE), (vec![], vec![]));
    assert_eq!(decode(&mut codec, AGREE), (vec![], vec![]));
}

#[test]
fn unknown_options_are_refused_and_echo_by_the_server_is_accepted() {
    let mut codec = Telnet::new();
    // IAC DO NAWS, IAC WILL STATUS, IAC WILL ECHO, IAC DO ECHO
    let (data, reply) = decode(&mut codec, &[255, 253, 31, 255, 251, 5, 255, 251, 1, 255, 253, 1]);
    assert_eq!(data, b"");
    assert_eq!(reply, [255, 252, 31, 255, 254, 5, 255, 253, 1, 255, 252, 1]);
}

#[test]
fn subnegotiation_and_other_commands_are_taken_out() {
    let mut codec = Telnet::new();
    let input =
        [b"a".as_slice(), &[255, 250, 24, 1, 255, 255, 2, 255, 240], b"b", &[255, 241], b"c"].concat();
    assert_eq!(decode(&mut codec, &input).0, b"abc");
}

#[test]
fn without_binary_mode_carriage_returns_are_padded() {
    let mut codec = Telnet::new();
    decode(&mut codec, &[255, 254, 0, 255, 252, 0]);
    let mut sent = Vec::new();
    codec.encode(b"ls\r", &mut sent);
    assert_eq!(sent, b"ls\r\0");
    assert_eq!(decode(&mut codec, b"a\r\0b").0, b"a\rb");
}

proptest! {
    #[test]
    fn any_bytes_survive_any_split_in_binary_mode(data: Vec<u8>, splits in prop::collection::vec(1_usize..8, 0..64)) {
        let mut peer = Telnet::new();
        decode(&mut peer, AGREE);
        let mut wire = Vec::new();
        peer.encode(&data, &mut wire);

        let mut codec = Telnet::new();
        decode(&mut codec, AGREE);
        let mut decoded = Vec::new();
        let mut rest = wire.as_slice();
        for split in splits {
            let (head, tail) = rest.split_at(split.min(rest.len()));
            decoded.extend(decode(&mut codec, head).0);
            rest = tail;
        }
        decoded.extend(decode(&mut codec, rest).0);
        prop_assert_eq!(decoded, data);
    }

    #[test]
    fn garbage_never_panics_and_replies_are_bounded(data: Vec<u8>) {
        let mut codec = Telnet::new();
        let (_, reply) = decode(&mut codec, &data);
        prop_assert!(reply.len() <= data.len());
    }
}

#[tokio::test]
async fn the_stream_negotiates_and_carries_every_byte() {
    let (near, mut far) = tokio::io::duplex(64);
    let mut console = TelnetStream::new(near);
    let every_byte: Vec<u8> = (0..=255).collect();

    let peer = {
        let every_byte = every_byte.clone();
        tokio::spawn(async move {
            let mut codec = Telnet::new();
            let mut wire = AGREE.to_vec();
            wire.extend([255, 253, 31]);
            decode(&mut codec, AGREE);
            codec.encode(&every_byte, &mut wire);
            far.write_all(&wire).await.unwrap();
            // Offer, refusal of NAWS, then the data with 0xFF doubled.
            let mut received = vec![0; 12 + 3 + 257];
            far.read_exact(&mut received).await.unwrap();
            received
        })
    };
    let mut received = vec![0; 256];
    console.read_exact(&mut received).await.unwrap();
    assert_eq!(received, every_byte);
    console.write_all(&every_byte).await.unwrap();
    console.flush().await.unwrap();

    let wire = peer.await.unwrap();
    assert_eq!(&wire[..12], Telnet::offer());
    assert_eq!(&wire[12..15], [255, 252, 31]);
    assert_eq!(&wire[15..], [every_byte.as_slice(), &[255]].concat());
}
