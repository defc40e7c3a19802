//! However a stream is cut into writes and messages into fragments: the messages come out as they went in, up to what is an
//! error.
#![no_main]

use host_runner::fuzzing::messages;
use host_runner_fuzz::pieces;
use libfuzzer_sys::fuzz_target;

/// The largest message, in bytes; and that of somebody who has nothing to write to.
const MAX_RECORD: [usize; 2] = [16 << 10, (1 << 20) + 4096];
/// Fragments that a message may have.
const MAX_FRAGMENTS: usize = 1024;
/// Bytes of a stream that the buffer of a socket holds.
const MAX_STREAM: usize = 64 << 10;

/// Takes a message from the front of `stream`; `None` if it is too long, in too many fragments, or cut.
fn message(stream: &mut &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    for _ in 0..MAX_FRAGMENTS {
        let (mark, rest) = stream.split_first_chunk()?;
        let mark = u32::from_be_bytes(*mark);
        let length = (mark & 0x7fff_ffff) as usize;
        if message.len() + length > limit {
            return None;
        }
        let (fragment, rest) = rest.split_at_checked(length)?;
        message.extend(fragment);
        *stream = rest;
        if mark >> 31 == 1 {
            return Some(message);
        }
    }
    None
}

fuzz_target!(|input: &[u8]| {
    let Some((how, input)) = input.split_first() else { return };
    let (may_be_large, take) = (how & 1 != 0, how & 2 != 0);
    let stream = pieces(input).collect::<Vec<_>>().concat();
    if stream.len() > MAX_STREAM {
        return;
    }
    let (mut rest, mut expected) = (&stream[..], Vec::new());
    let ends = loop {
        if rest.is_empty() {
            break true;
        }
        let Some(message) = message(&mut rest, MAX_RECORD[usize::from(may_be_large)]) else { break false };
        expected.push(message);
    };
    assert_eq!(messages(pieces(input), may_be_large, take), (expected, ends));
});
