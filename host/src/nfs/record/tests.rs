use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::*;

/// How long a peer that is to be given up may stall.
const PATIENCE: Duration = Duration::from_millis(50);
/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(60);

/// What a stream of `bytes` holds: its messages, and how it ends.
fn read_all(bytes: &[u8], may_be_large: bool) -> (Vec<Vec<u8>>, Result<(), RecordError>) {
    let (near, mut far) = UnixStream::pair().unwrap();
    let sent = bytes.to_vec();
    // It may be longer than what the socket holds, and may not be read to its end.
    let sending = std::thread::spawn(move || far.write_all(&sent));
    let wire = Wire::new(near.as_fd(), LONG).unwrap();
    let (mut records, mut read) = (Records::default(), Vec::new());
    let end = loop {
        match records.next(wire, || may_be_large) {
            Ok(Some(place)) => read.push(records.get(place).to_vec()),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    drop(near);
    let _ = sending.join().unwrap();
    (read, end)
}

fn message(bytes: &[u8]) -> Vec<u8> {
    let mut batch = Vec::new();
    append(&mut batch, &bytes.to_vec().into()).unwrap();
    batch
}

#[test]
fn a_message_comes_together_from_its_fragments() {
    let (read, end) =
        read_all(b"\0\0\0\x02ab\0\0\0\0\x80\0\0\x03cde\x80\0\0\x01x\0\0\0\0\x80\0\0\x01y", false);
    assert_eq!(read, [&b"abcde"[..], b"x", b"y"]);
    end.unwrap();
}

#[test]
fn messages_of_all_sizes_are_read_in_their_order() {
    let sizes =
        [1, READ_AHEAD, 3, READ_AHEAD - MARK, 0, MAX_RECORD, 5, MAX_RECORD - 1, 70_000, READ_AHEAD + 1];
    let sent: Vec<Vec<u8>> = (0..).zip(sizes).map(|(value, size)| vec![value; size]).collect();
    let (read, end) = read_all(&sent.iter().flat_map(|bytes| message(bytes)).collect::<Vec<_>>(), true);
    assert!(read == sent, "{:?}", read.iter().map(Vec::len).collect::<Vec<_>>());
    end.unwrap();
}

#[test]
fn a_message_that_was_taken_out_leaves_what_follows() {
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(&[message(b"one"), message(b"other"), message(b"")].concat()).unwrap();
    let wire = Wire::new(near.as_fd(), LONG).unwrap();
    let mut records = Records::default();
    let place = records.next(wire, || false).unwrap().unwrap();
    assert!(records.has_whole() && records.has_more());
    let one = records.take(place, vec![7; 3]);
    let place = records.next(wire, || false).unwrap().unwrap();
    assert_eq!((one.bytes(), records.get(place)), (&b"one"[..], &b"other"[..]));
    assert!(records.has_whole() && !wire.is_waiting());
}

#[test]
fn a_message_is_whole_with_its_last_byte() {
    let is_whole =
        |bytes: &[u8]| Records { buffer: bytes.to_vec(), end: bytes.len(), ..Records::default() }.has_whole();
    assert!(is_whole(b"\x80\0\0\x02ab") && is_whole(b"\x80\0\0\x02abcd"));
    for part in [&b""[..], b"\x80\0\0", b"\x80\0\0\x02a", b"\0\0\0\x02ab"] {
        assert!(!is_whole(part), "{part:?}");
    }
}

#[test]
fn a_stream_that_ends_or_stalls_behind_a_mark_is_within_a_message() {
    for mark in [&b"\x80\0\0\x05"[..], b"\0\0\0\x05", b"\0\0\0\0"] {
        let (near, mut far) = UnixStream::pair().unwrap();
        // The mark comes along with a message.
        far.write_all(&[&message(b"other")[..], mark].concat()).unwrap();
        let wire = Wire::new(near.as_fd(), PATIENCE).unwrap();
        let mut records = Records::default();
        let place = records.next(wire, || false).unwrap().unwrap();
        assert_eq!(records.get(place), b"other");
        let stalled = records.next(wire, || false);
        assert!(matches!(stalled, Err(RecordError::Stalled(_))), "{mark:?}: {stalled:?}");

        let (read, end) = read_all(&[&message(b"other")[..], mark].concat(), false);
        assert_eq!(read, [b"other"]);
        assert!(matches!(end, Err(RecordError::Io(_))), "{mark:?}: {end:?}");
    }
}

#[test]
fn absurd_lengths_and_endless_fragments_are_refused() {
    let error = |bytes: &[u8], large| read_all(bytes, large).1.unwrap_err();
    assert!(matches!(error(b"\x7f\xff\xff\xff", true), RecordError::TooLong(0x7fff_ffff)));
    assert!(matches!(error(&[0; 8192], true), RecordError::TooManyFragments));
    assert!(matches!(error(b"\x80\0\0\x05ab", true), RecordError::Io(_)));
    let large = message(&[0; SMALL_RECORD + 1]);
    assert!(matches!(error(&large, false), RecordError::TooLong(_)), "without an export");
    read_all(&message(&[0; SMALL_RECORD]), false).1.unwrap();
}

#[test]
fn memory_grows_with_what_has_come() {
    let mut records = Records::default();
    records.make_room(MAX_RECORD);
    assert_eq!(records.buffer.len(), READ_AHEAD);
    records.end = READ_AHEAD;
    records.make_room(MAX_RECORD);
    assert_eq!(records.buffer.len(), 2 * READ_AHEAD);
}

#[test]
fn a_peer_that_stops_in_a_message_or_never_reads_is_given_up() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let wire = Wire::new(near.as_fd(), PATIENCE).unwrap();
    far.write_all(b"\x80\0\0\x05ab").unwrap();
    assert!(matches!(Records::default().next(wire, || true).unwrap_err(), RecordError::Stalled(PATIENCE)));
    let sent = wire.send(&vec![0; 16 << 20], None);
    assert!(matches!(sent.unwrap_err(), RecordError::Stalled(PATIENCE)));
}

#[test]
fn a_peer_that_sends_a_byte_now_and_then_is_given_up() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let wire = Wire::new(near.as_fd(), PATIENCE).unwrap();
    let dripping = std::thread::spawn(move || {
        let drops = message(&[0; 1000]);
        drops.chunks(1).all(|byte| {
            std::thread::sleep(PATIENCE / 20);
            far.write_all(byte).is_ok()
        })
    });
    assert!(matches!(Records::default().next(wire, || true).unwrap_err(), RecordError::Stalled(PATIENCE)));
    drop(near);
    assert!(!dripping.join().unwrap());
}
