//! The decoder finds every frame and passes everything else on.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Just;
use protocol::frame::{Decoder, END, ESCAPE, Frame, Header, Kind, MAX_ENCODED, Rejects, START, Side, encode};
use protocol::limits::MAX_MESSAGE;

const HEADER: Header = Header { version: 1, kind: Kind::Data, from: Side::Agent, session: 7, seq: 3, ack: 4 };

fn encoded(payload: &[u8]) -> Vec<u8> {
    let mut out = [0; MAX_ENCODED];
    let length = encode(&HEADER, payload, &mut out).unwrap();
    out[..length].to_vec()
}

/// Payloads of the frames in `parts`, and the text around them.
fn decode(parts: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>, Rejects) {
    let (mut frames, mut text) = (Vec::new(), Vec::new());
    let mut decoder = Decoder::new();
    for part in parts {
        let mut input = *part;
        while let Some(Frame { header, payload }) =
            decoder.decode(&mut input, &mut |bytes| text.extend_from_slice(bytes))
        {
            assert_eq!(header, HEADER);
            frames.push(payload.to_vec());
        }
    }
    decoder.flush(&mut |bytes| text.extend_from_slice(bytes));
    (frames, text, decoder.rejects())
}

#[test]
fn the_longest_message_of_the_worst_bytes_fits() {
    let payload = vec![0xFF; MAX_MESSAGE];
    assert_eq!(decode(&[&encoded(&payload)]).0, [payload]);
}

#[test]
fn a_buffer_that_is_too_short_gives_nothing() {
    let frame = encoded(b"hello");
    for length in 0..frame.len() {
        assert_eq!(encode(&HEADER, b"hello", &mut vec![0; length]), None);
    }
}

#[test]
fn a_line_break_in_a_frame_makes_it_text() {
    let frame = encoded(b"hello");
    let (frames, text, rejects) = decode(&[&frame[..9], b"\n", &frame[9..]]);
    assert_eq!(frames, Vec::<Vec<u8>>::new());
    assert_eq!(text, [&frame[..9], b"\n", &frame[9..]].concat());
    assert_eq!(rejects, Rejects { foreign: 1, ..Rejects::default() });
}

#[test]
fn a_frame_that_begins_inside_another_is_read() {
    let frame = encoded(b"hello");
    let (frames, text, rejects) = decode(&[&frame[..9], &frame]);
    assert_eq!(frames, [b"hello"]);
    assert_eq!(text, frame[..9]);
    assert_eq!(rejects.foreign, 1);
}

#[test]
fn an_escape_of_a_byte_that_needs_none_is_foreign() {
    let (_, text, rejects) = decode(&[&[START, b'a', ESCAPE, b'!', b'b']]);
    assert_eq!(text, [START, b'a', ESCAPE, b'!', b'b']);
    assert_eq!(rejects.foreign, 1);
}

#[test]
fn printable_text_in_a_frame_fails_the_check_and_passes_whole() {
    let frame = encoded(b"hello");
    let at = frame.iter().position(|&byte| byte == b'l').unwrap();
    let (frames, text, rejects) = decode(&[&frame[..at], b"oops", &frame[at..]]);
    assert!(frames.is_empty());
    assert_eq!(text, [&frame[..at], b"oops", &frame[at..]].concat());
    assert_eq!(rejects, Rejects { check: 1, ..Rejects::default() });
}

#[test]
fn a_frame_without_an_end_is_text() {
    let long = vec![b'x'; 3 * MAX_MESSAGE];
    let (frames, text, rejects) = decode(&[&[START], &long, &encoded(b"next")]);
    assert_eq!(frames, [b"next"]);
    assert_eq!(text, [&[START], &long[..]].concat());
    assert_eq!(rejects, Rejects { too_long: 1, ..Rejects::default() });
}

#[test]
fn what_is_held_back_comes_out_at_the_end() {
    let held_back = [START, b'a', ESCAPE, b'A', ESCAPE];
    assert_eq!(decode(&[&held_back]).1, held_back);
}

proptest! {
    #[test]
    fn every_payload_survives_every_split(
        payload in proptest::collection::vec(any::<u8>(), 0..MAX_MESSAGE),
        cut in any::<proptest::sample::Index>(),
    ) {
        let frame = encoded(&payload);
        prop_assert!(frame[1..frame.len() - 1].iter().all(|&byte| byte == ESCAPE || (byte >= 0x20 && byte != 0x7F && byte != 0xFF)));
        let (left, right) = frame.split_at(cut.index(frame.len()));
        let (frames, text, rejects) = decode(&[b"[ 1.0] a\r\n", left, right, b"$ "]);
        prop_assert_eq!(frames, vec![payload]);
        prop_assert_eq!(text, b"[ 1.0] a\r\n$ ");
        prop_assert_eq!(rejects, Rejects::default());
    }

    #[test]
    fn what_is_no_frame_passes_whole(
        noise in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(START), Just(END), Just(ESCAPE), Just(b'x')], 0..3000
        ),
        cut in any::<proptest::sample::Index>(),
    ) {
        let (left, right) = noise.split_at(cut.index(noise.len() + 1));
        let (frames, text, _) = decode(&[left, right]);
        prop_assert!(frames.is_empty());
        prop_assert_eq!(text, noise);
    }
}
