//! Record marking (RFC 5531 §11): RPC messages on a byte stream, in fragments, bounded in size and time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::bytes::Buf;

/// The largest message, in bytes: a WRITE of 1 MiB with its headers.
pub(super) const MAX_RECORD: usize = (1 << 20) + 4096;
/// Fragments that a message may have.
const MAX_FRAGMENTS: u32 = 1024;
/// How long the rest of a message may take once it has begun, and how long a reply may take to go out.
const PATIENCE: Duration = Duration::from_secs(60);
const LAST_FRAGMENT: u32 = 1 << 31;

/// Why a stream is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// The stream failed, or ended within a message.
    #[error("the stream failed")]
    Io(#[from] io::Error),
    /// A message is larger than any call.
    #[error("a message of {0} bytes or more, where {MAX_RECORD} are allowed")]
    TooLong(usize),
    /// A message in more fragments than any client makes.
    #[error("a message in more than {MAX_FRAGMENTS} fragments")]
    TooManyFragments,
    /// The peer stopped in the middle of a message.
    #[error("no progress within {PATIENCE:?} in the middle of a message")]
    Stalled,
}

/// Reads one message; `None` if the stream ended between messages. Waits for its first byte as long as it takes.
pub(super) async fn read<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Option<Vec<u8>>, RecordError> {
    let mut first = [0];
    if stream.read(&mut first).await? == 0 {
        return Ok(None);
    }
    let rest = tokio::time::timeout(PATIENCE, read_rest(stream, first));
    rest.await.map_err(|_| RecordError::Stalled)?.map(Some)
}

async fn read_rest<R: AsyncRead + Unpin>(stream: &mut R, first: [u8; 1]) -> Result<Vec<u8>, RecordError> {
    let mut record = Vec::new();
    let mut mark = [0; 4];
    let (head, tail) = mark.split_at_mut(1);
    head.copy_from_slice(&first);
    stream.read_exact(tail).await?;
    for _ in 0..MAX_FRAGMENTS {
        let mark_value = u32::from_be_bytes(mark);
        let length = (mark_value & !LAST_FRAGMENT) as usize;
        let total = record.len() + length;
        if total > MAX_RECORD {
            return Err(RecordError::TooLong(total));
        }
        // Grows with what has come and not with what was promised.
        let read = (&mut *stream).take(length as u64).read_to_end(&mut record).await?;
        if read < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if mark_value & LAST_FRAGMENT != 0 {
            return Ok(record);
        }
        stream.read_exact(&mut mark).await?;
    }
    Err(RecordError::TooManyFragments)
}

/// Whether `buffer` begins with a whole message of one fragment.
pub(super) fn is_whole(buffer: &[u8]) -> bool {
    buffer.split_first_chunk().is_some_and(|(mark, rest)| {
        let mark = u32::from_be_bytes(*mark);
        mark & LAST_FRAGMENT != 0 && rest.len() >= (mark & !LAST_FRAGMENT) as usize
    })
}

/// Appends one message as a single fragment.
pub(super) fn append(batch: &mut Vec<u8>, record: &[u8]) -> Result<(), RecordError> {
    batch.extend_from_slice(&mark(record)?);
    batch.extend_from_slice(record);
    Ok(())
}

fn mark(record: &[u8]) -> Result<[u8; 4], RecordError> {
    let length = u32::try_from(record.len()).ok().filter(|length| length & LAST_FRAGMENT == 0);
    Ok((length.ok_or(RecordError::TooLong(record.len()))? | LAST_FRAGMENT).to_be_bytes())
}

/// Writes messages as [`append`] has put them together.
pub(super) async fn write_batch<W: AsyncWrite + Unpin>(
    stream: &mut W,
    batch: &[u8],
) -> Result<(), RecordError> {
    let written = tokio::time::timeout(PATIENCE, stream.write_all(batch));
    written.await.map_err(|_| RecordError::Stalled)??;
    Ok(())
}

/// Writes one message as a single fragment.
pub(super) async fn write<W: AsyncWrite + Unpin>(stream: &mut W, record: &[u8]) -> Result<(), RecordError> {
    let mark = mark(record)?;
    let mut message = Buf::chain(&mark[..], record);
    let written = tokio::time::timeout(PATIENCE, stream.write_all_buf(&mut message));
    written.await.map_err(|_| RecordError::Stalled)??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_comes_together_from_its_fragments() {
        let mut stream = &b"\0\0\0\x02ab\0\0\0\0\x80\0\0\x03cde\x80\0\0\x01x"[..];
        assert_eq!(read(&mut stream).await.unwrap().unwrap(), b"abcde");
        assert_eq!(read(&mut stream).await.unwrap().unwrap(), b"x");
        assert!(read(&mut stream).await.unwrap().is_none());
    }

    #[test]
    fn a_message_is_whole_with_its_last_byte() {
        assert!(is_whole(b"\x80\0\0\x02ab"));
        assert!(is_whole(b"\x80\0\0\x02abcd"));
        for part in [&b""[..], b"\x80\0\0", b"\x80\0\0\x02a", b"\0\0\0\x02ab"] {
            assert!(!is_whole(part), "{part:?}");
        }
    }

    #[tokio::test]
    async fn messages_put_together_are_read_one_by_one() {
        let (mut batch, mut wire) = (Vec::new(), Vec::new());
        append(&mut batch, b"one").unwrap();
        append(&mut batch, b"other").unwrap();
        write_batch(&mut wire, &batch).await.unwrap();
        let mut wire = &wire[..];
        assert_eq!(read(&mut wire).await.unwrap().unwrap(), b"one");
        assert_eq!(read(&mut wire).await.unwrap().unwrap(), b"other");
    }

    #[tokio::test]
    async fn what_is_written_is_read_again() {
        let mut wire = Vec::new();
        write(&mut wire, b"hello").await.unwrap();
        assert_eq!(read(&mut &wire[..]).await.unwrap().unwrap(), b"hello");
    }

    #[tokio::test]
    async fn absurd_lengths_and_endless_fragments_are_refused() {
        let error = read(&mut &b"\x7f\xff\xff\xff"[..]).await.unwrap_err();
        assert!(matches!(error, RecordError::TooLong(0x7fff_ffff)), "{error}");
        let error = read(&mut &[0; 8192][..]).await.unwrap_err();
        assert!(matches!(error, RecordError::TooManyFragments), "{error}");
        let error = read(&mut &b"\x80\0\0\x05ab"[..]).await.unwrap_err();
        assert!(matches!(error, RecordError::Io(_)), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stops_in_a_message_or_never_reads_is_given_up() {
        let (mut near, mut far) = tokio::io::duplex(64);
        far.write_all(b"\x80\0\0\x05ab").await.unwrap();
        assert!(matches!(read(&mut near).await.unwrap_err(), RecordError::Stalled));
        assert!(matches!(write(&mut near, &[0; 1000]).await.unwrap_err(), RecordError::Stalled));
    }
}
