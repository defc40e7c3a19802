//! Records in a file: length, checksum, bytes. What a crash cut off is told from what was written whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::JournalError;
use super::record::{Change, LogHeader};

/// Length and CRC-32 of the payload, both little-endian.
const HEAD: usize = 8;
/// Longest payload, in bytes; an operation needs far less, and a snapshot uses many.
pub(super) const MAX_PAYLOAD: usize = 256 << 10;

/// Longest payload that is read: no longer than a full frame with one change more.
const LONGEST: usize = 2 * MAX_PAYLOAD;
/// What of a file is written to the disk as a whole, or more than that, in bytes.
const PAGE: u64 = 4096;

/// One frame as it goes to the file.
pub(super) struct Frame(Vec<u8>);

impl Frame {
    pub(super) fn of_header(header: &LogHeader) -> Result<Self, JournalError> {
        let mut frame = Self::new();
        frame.0 = postcard::to_extend(header, std::mem::take(&mut frame.0)).map_err(JournalError::Encode)?;
        Ok(frame)
    }

    /// An empty frame.
    pub(super) fn new() -> Self {
        Self(vec![0; HEAD])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == HEAD
    }

    /// Adds a change; `false` if the frame is full, and the change is not in it.
    pub(super) fn push(&mut self, change: &Change<'_>) -> Result<bool, JournalError> {
        let before = self.0.len();
        self.0 = postcard::to_extend(change, std::mem::take(&mut self.0)).map_err(JournalError::Encode)?;
        let fits = self.0.len() <= HEAD + MAX_PAYLOAD || before == HEAD;
        if !fits {
            self.0.truncate(before);
        }
        Ok(fits)
    }

    /// The bytes for the file.
    pub(super) fn seal(mut self) -> Vec<u8> {
        let (head, payload) = self.0.split_at_mut(HEAD);
        let (length, checksum) = head.split_at_mut(4);
        length.copy_from_slice(&(payload.len() as u32).to_le_bytes());
        checksum.copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
        self.0
    }
}

/// Reads the frames of a log, one after the other.
pub(super) struct Frames<'f> {
    file: &'f File,
    length: u64,
    position: u64,
    payload: Vec<u8>,
}

impl<'f> Frames<'f> {
    pub(super) fn new(file: &'f File) -> io::Result<Self> {
        Ok(Self { file, length: file.metadata()?.len(), position: 0, payload: Vec::new() })
    }

    /// The payload of the next frame; `None` at the end of what was written whole.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let mut head = [0; HEAD];
        let left = self.length.saturating_sub(self.position);
        if left < HEAD as u64 {
            return Ok(None);
        }
        self.file.read_exact_at(&mut head, self.position)?;
        let (bytes, checksum) = parse(head);
        if bytes == 0 || bytes > LONGEST || bytes as u64 > left - HEAD as u64 {
            return Ok(None);
        }
        self.payload.resize(bytes, 0);
        self.file.read_exact_at(&mut self.payload, self.position + HEAD as u64)?;
        if crc32fast::hash(&self.payload) != checksum {
            return Ok(None);
        }
        self.position += (HEAD + bytes) as u64;
        Ok(Some(&self.payload))
    }

    /// Whether a whole frame follows where the whole frames end. No process is killed while it writes what lies before a
    /// frame that is whole: that was damaged later.
    ///
    /// A power failure may leave a later frame and not an earlier one, if nobody had synced them: then the pages between
    /// were never written, and nothing that was called stable is lost.
    pub(super) fn are_damaged(&self) -> io::Result<bool> {
        let reach = self.torn().min(2 * (HEAD + LONGEST) as u64);
        let mut bytes = vec![0; usize::try_from(reach).unwrap_or_default()];
        self.file.read_exact_at(&mut bytes, self.position)?;
        let next = (1..bytes.len().min(HEAD + LONGEST + 1)).find(|start| begins_whole(&bytes, *start));
        let between = next.and_then(|next| bytes.get(..next));
        Ok(between.is_some_and(|between| !has_unwritten_page(between, self.position)))
    }

    /// Where the whole frames end, in bytes.
    pub(super) fn end(&self) -> u64 {
        self.position
    }

    /// Bytes behind the whole frames.
    pub(super) fn torn(&self) -> u64 {
        self.length - self.position
    }
}

/// Length and checksum of a payload.
fn parse([a, b, c, d, e, f, g, h]: [u8; HEAD]) -> (usize, u32) {
    (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]))
}

/// Whether a whole frame begins at `start`.
fn begins_whole(bytes: &[u8], start: usize) -> bool {
    let Some((head, rest)) = bytes.get(start..).and_then(|rest| rest.split_first_chunk()) else {
        return false;
    };
    let (length, checksum) = parse(*head);
    (1..=LONGEST).contains(&length)
        && rest.get(..length).is_some_and(|payload| crc32fast::hash(payload) == checksum)
}

/// Whether one of the pages of `bytes`, which are at `position` of a file, holds zeros up to its end.
fn has_unwritten_page(mut bytes: &[u8], position: u64) -> bool {
    let mut left = (PAGE - position % PAGE) as usize;
    while let Some((page, behind)) = bytes.split_at_checked(left) {
        if page.iter().all(|byte| *byte == 0) {
            return true;
        }
        bytes = behind;
        left = PAGE as usize;
    }
    false
}
