//! Frames and the text around them come out the same wherever reads cut the line, and no byte of it is lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::frame::{Decoder, Frame, Header, Kind, MAX_ENCODED, Side, encode};
use protocol::limits::MAX_MESSAGE;

fn encoded(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; MAX_ENCODED];
    let length = encode(header, payload, &mut out).expect("a buffer for any frame");
    out.truncate(length);
    out
}

/// Headers and payloads of frames, everything as it can be sent again, frames of unknown kinds.
type Decoded = (Vec<(Header, Vec<u8>)>, Vec<u8>, u32);

/// What comes of `line` in reads of `read` bytes.
fn decode(line: &[u8], read: usize) -> Decoded {
    let (mut frames, mut again) = (Vec::new(), Vec::new());
    let mut decoder = Decoder::new();
    for mut part in line.chunks(read) {
        while let Some(Frame { header, payload }) = decoder.decode(&mut part, &mut |text| again.extend(text))
        {
            again.extend(encoded(&header, payload));
            frames.push((header, payload.to_vec()));
        }
    }
    decoder.flush(&mut |text| again.extend(text));
    (frames, again, decoder.rejects().unknown)
}

fuzz_target!(|line: &[u8]| {
    let (frames, again, unknown) = decode(line, usize::MAX);
    assert_eq!(decode(line, 1), (frames, again.clone(), unknown));
    // Frames of kinds that are not known are dropped as a whole.
    assert!(again == line || unknown > 0);
    let header = Header { version: 1, kind: Kind::Data, from: Side::Agent, session: 7, seq: 3, ack: 4 };
    let payload = &line[..line.len().min(MAX_MESSAGE)];
    assert_eq!(decode(&encoded(&header, payload), 7).0, [(header, payload.to_vec())]);
});
