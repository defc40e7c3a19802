//! What the fuzz target of record marking looks into.

use std::io::Write;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::{RecordError, Records, Wire};

/// Longer than anything takes: all that is waited for has been written.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is understood of a stream that is written as `pieces`, and whether it ends between messages. Messages are taken out
/// of the stream, or looked at where they are.
pub(crate) fn messages<'p>(
    pieces: impl Iterator<Item = &'p [u8]>,
    may_be_large: bool,
    take: bool,
) -> (Vec<Vec<u8>>, bool) {
    let mut found = Vec::new();
    let read = read(pieces, may_be_large, take, &mut found);
    (found, read.is_ok())
}

fn read<'p>(
    mut pieces: impl Iterator<Item = &'p [u8]>,
    may_be_large: bool,
    take: bool,
    found: &mut Vec<Vec<u8>>,
) -> Result<(), RecordError> {
    let (near, mut far) = UnixStream::pair()?;
    let wire = Wire::new(near.as_fd(), PATIENCE)?;
    let mut records = Records::default();
    let mut spare = Vec::new();
    let mut next = |records: &mut Records| {
        let Some(place) = records.next(wire, || may_be_large)? else { return Ok(false) };
        if take {
            let record = records.take(place, std::mem::take(&mut spare));
            found.push(record.bytes().to_vec());
            spare = record.into_spare();
        } else {
            found.push(records.get(place).to_vec());
        }
        Ok::<_, RecordError>(true)
    };
    for piece in &mut pieces {
        far.write_all(piece)?;
        while records.has_whole() || records.gather(wire)? {
            if records.has_whole() {
                next(&mut records)?;
            }
        }
        if wire.is_waiting() {
            // There is room for no more before somebody waits for it.
            break;
        }
    }
    far.write_all(&pieces.collect::<Vec<_>>().concat())?;
    far.shutdown(Shutdown::Write)?;
    while next(&mut records)? {}
    Ok(())
}
