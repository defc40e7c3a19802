//! Record marking (RFC 5531 §11): RPC messages on a blocking socket, in fragments, bounded in size and time.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};

use super::reply::Reply;
use crate::pace::Pace;

/// The largest message, in bytes: a WRITE of 1 MiB with its headers.
pub(super) const MAX_RECORD: usize = (1 << 20) + 4096;
/// The largest message of somebody who has nothing to write to, in bytes.
pub(super) const SMALL_RECORD: usize = 16 << 10;
/// Fragments that a message may have.
const MAX_FRAGMENTS: u32 = 1024;
const LAST_FRAGMENT: u32 = 1 << 31;
/// Bytes of a record mark.
const MARK: usize = 4;
/// The largest buffer that is kept to be used again, in bytes: a WRITE of 256 KiB, as boards are told to make, fits.
const MAX_SPARE: usize = 288 << 10;
/// Room that a stream has for small messages, in bytes.
const READ_AHEAD: usize = 16 << 10;

/// Why a stream is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// The stream failed, or ended within a message.
    #[error("the stream failed")]
    Io(#[from] io::Error),
    /// A message is larger than any call.
    #[error("a message of {0} bytes or more, where less is allowed")]
    TooLong(usize),
    /// A message in more fragments than any client makes.
    #[error("a message in more than {MAX_FRAGMENTS} fragments")]
    TooManyFragments,
    /// A message to which there is no reply.
    #[error("a message that is no call")]
    NotACall,
    /// The peer stopped in the middle of a message.
    #[error("no progress within {0:?} in the middle of a message")]
    Stalled(Duration),
}

impl From<Errno> for RecordError {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

/// A blocking socket with messages both ways.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire<'s> {
    socket: BorrowedFd<'s>,
    patience: Duration,
}

impl<'s> Wire<'s> {
    /// Messages on `socket`; `patience` is how long the rest of a message may take once it has begun, and how long a
    /// message may take to go out.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) fn new(socket: BorrowedFd<'s>, patience: Duration) -> io::Result<Self> {
        set_socket_timeout(socket, Timeout::Recv, Some(patience))?;
        set_socket_timeout(socket, Timeout::Send, Some(patience))?;
        Ok(Self { socket, patience })
    }

    /// Whether something has come that was not read.
    pub(super) fn is_waiting(self) -> bool {
        // A socket that fails here fails again when it is read.
        rustix::io::ioctl_fionread(self.socket).unwrap_or_default() > 0
    }

    /// Reads what has come, or waits for it; `None` if that took too long, which with [`RecvFlags::DONTWAIT`] it does at
    /// once.
    fn receive(self, buffer: &mut [u8], flags: RecvFlags) -> Result<Option<usize>, RecordError> {
        loop {
            match rustix::net::recv(self.socket, &mut *buffer, flags) {
                Ok((count, _)) => return Ok(Some(count)),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends messages that [`append`] has put together, and `last` behind them.
    ///
    /// # Errors
    /// [`RecordError::Io`], [`RecordError::TooLong`], [`RecordError::Stalled`].
    pub(super) fn send(self, batch: &[u8], last: Option<&Reply>) -> Result<(), RecordError> {
        let begun = Instant::now();
        let Some(last) = last else { return self.send_all(&[batch], SendFlags::NOSIGNAL, begun) };
        let head = [batch, &mark(last)?, &last.bytes];
        let Some(data) = &last.data else { return self.send_all(&head, SendFlags::NOSIGNAL, begun) };
        self.send_all(&head, SendFlags::NOSIGNAL | SendFlags::MORE, begun)?;
        let mut sent = 0;
        while sent < data.length() {
            sent += self.sent(data.copy_to(self.socket, sent), begun)?;
        }
        self.send_all(&[last.padding()], SendFlags::NOSIGNAL, begun)
    }

    fn send_all(self, messages: &[&[u8]], flags: SendFlags, begun: Instant) -> Result<(), RecordError> {
        let mut parts: Vec<_> = messages.iter().map(|message| IoSlice::new(message)).collect();
        let mut parts = parts.as_mut_slice();
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            let mut control = SendAncillaryBuffer::default();
            let sent = rustix::net::sendmsg(self.socket, parts, &mut control, flags);
            IoSlice::advance_slices(&mut parts, self.sent(sent, begun)?);
        }
        Ok(())
    }

    /// How many bytes one system call has sent.
    fn sent(self, sent: Result<usize, Errno>, begun: Instant) -> Result<usize, RecordError> {
        match sent {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(_) | Err(Errno::INTR) if begun.elapsed() > self.patience => {
                Err(RecordError::Stalled(self.patience))
            }
            Ok(count) => Ok(count),
            Err(Errno::INTR) => Ok(0),
            Err(Errno::AGAIN) => Err(RecordError::Stalled(self.patience)),
            Err(error) => Err(error.into()),
        }
    }
}

/// The mark of a message that goes out as a single fragment.
fn mark(message: &Reply) -> Result<[u8; MARK], RecordError> {
    let length = u32::try_from(message.length()).ok().filter(|length| length & LAST_FRAGMENT == 0);
    Ok((length.ok_or(RecordError::TooLong(message.length()))? | LAST_FRAGMENT).to_be_bytes())
}

/// Appends a message without file data.
///
/// # Errors
/// [`RecordError::TooLong`].
pub(super) fn append(batch: &mut Vec<u8>, message: &Reply) -> Result<(), RecordError> {
    batch.extend_from_slice(&mark(message)?);
    batch.extend_from_slice(&message.bytes);
    Ok(())
}

/// What has come on a stream and was not taken yet.
#[derive(Debug, Default)]
pub(super) struct Records {
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// Bytes of the largest message so far: another one of that size is no surprise.
    largest: usize,
    pace: Pace,
}

/// A message that was taken out of a stream.
#[derive(Debug)]
pub(super) struct Record {
    buffer: Vec<u8>,
    place: Range<usize>,
}

impl Record {
    /// The message.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.place.clone()).unwrap_or_default()
    }

    /// The buffer that it was in, to be used again; nothing if it was an uncommonly large one.
    pub(super) fn into_spare(self) -> Vec<u8> {
        if self.buffer.len() <= MAX_SPARE { self.buffer } else { Vec::new() }
    }
}

impl Records {
    /// Where the next message is, for [`Records::get`] and [`Records::take`]; `None` if the stream ended between
    /// messages. Waits for a message to begin as long as it takes; `may_be_large` is asked when one has more than
    /// [`SMALL_RECORD`] bytes.
    ///
    /// # Errors
    /// [`RecordError`].
    pub(super) fn next(
        &mut self,
        wire: Wire<'_>,
        may_be_large: impl Fn() -> bool,
    ) -> Result<Option<Range<usize>>, RecordError> {
        let mut begun = None;
        if !self.fill(wire, MARK, &mut begun)? {
            return Ok(None);
        }
        // The mark may have come along with the message before; what is missing from now on is missing within this one.
        begun.get_or_insert_with(Instant::now);
        // Fragments are put together where they are: each further mark goes.
        let mut length = 0;
        for _ in 0..MAX_FRAGMENTS {
            self.fill(wire, length + MARK, &mut begun)?;
            let at = self.begin + length;
            let mark = self.buffer.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
            let mark = u32::from_be_bytes(mark);
            if length == 0 {
                self.begin += MARK;
            } else {
                self.buffer.copy_within(at + MARK..self.end, at);
                self.end -= MARK;
            }
            length += (mark & !LAST_FRAGMENT) as usize;
            if length > MAX_RECORD || length > SMALL_RECORD && !may_be_large() {
                return Err(RecordError::TooLong(length));
            }
            self.fill(wire, length, &mut begun)?;
            if mark & LAST_FRAGMENT != 0 {
                let place = self.begin..self.begin + length;
                self.begin = place.end;
                self.largest = self.largest.max(length);
                return Ok(Some(place));
            }
        }
        Err(RecordError::TooManyFragments)
    }

    /// The message at `place`.
    pub(super) fn get(&self, place: Range<usize>) -> &[u8] {
        self.buffer.get(place).unwrap_or_default()
    }

    /// Takes the message at `place` out of the stream, with the buffer that it is in: `spare` stands in for that.
    pub(super) fn take(&mut self, place: Range<usize>, mut spare: Vec<u8>) -> Record {
        let rest = self.buffer.get(self.begin..self.end).unwrap_or_default();
        if spare.len() < rest.len() {
            spare.resize(rest.len(), 0);
        }
        if let Some(room) = spare.get_mut(..rest.len()) {
            room.copy_from_slice(rest);
        }
        (self.begin, self.end) = (0, rest.len());
        Record { buffer: std::mem::replace(&mut self.buffer, spare), place }
    }

    /// Whether a whole message of one fragment is here already.
    pub(super) fn has_whole(&self) -> bool {
        let rest = self.buffer.get(self.begin..self.end).unwrap_or_default();
        rest.split_first_chunk().is_some_and(|(mark, rest)| {
            let mark = u32::from_be_bytes(*mark);
            mark & LAST_FRAGMENT != 0 && rest.len() >= (mark & !LAST_FRAGMENT) as usize
        })
    }

    /// Takes what has come meanwhile, without waiting; whether there was anything.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub(super) fn gather(&mut self, wire: Wire<'_>) -> Result<bool, RecordError> {
        self.make_room(0);
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        // The end of the stream is seen again by who waits for more.
        let received = wire.receive(room, RecvFlags::DONTWAIT)?.unwrap_or_default();
        self.end += received;
        Ok(received > 0)
    }

    /// Whether anything is here that belongs to a further message.
    pub(super) const fn has_more(&self) -> bool {
        self.begin < self.end
    }

    /// Waits until `count` bytes are here; `false` if the stream ends before the first of a message. `begun` is when
    /// the first of it was seen.
    fn fill(
        &mut self,
        wire: Wire<'_>,
        count: usize,
        begun: &mut Option<Instant>,
    ) -> Result<bool, RecordError> {
        while self.end - self.begin < count {
            self.make_room(count);
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            let between = begun.is_none() && self.begin == self.end;
            let received = if between {
                self.pace.wait(|flags| wire.receive(room, flags))?
            } else {
                wire.receive(room, RecvFlags::empty())?
            };
            match received {
                // Between messages a stream may be silent; it need not keep room for large ones then.
                None if between => {
                    *self = Self::default();
                    continue;
                }
                None => return Err(RecordError::Stalled(wire.patience)),
                Some(0) if between => return Ok(false),
                Some(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Some(received) => self.end += received,
            }
            if begun.get_or_insert_with(Instant::now).elapsed() > wire.patience {
                return Err(RecordError::Stalled(wire.patience));
            }
        }
        Ok(true)
    }

    /// Makes room for more, where `count` bytes from the beginning are wanted: it grows with what has come, and not
    /// with what was promised.
    fn make_room(&mut self, count: usize) {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        if self.end == self.buffer.len() && self.end < count.max(READ_AHEAD) {
            let believed = (2 * self.end).max(self.largest).max(READ_AHEAD);
            let room = count.clamp(READ_AHEAD, believed);
            self.buffer.reserve_exact(room.saturating_sub(self.buffer.len()));
            self.buffer.resize(room, 0);
        }
    }
}

#[cfg(fuzzing)]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;
