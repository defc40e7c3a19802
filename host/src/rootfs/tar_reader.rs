//! The archive as the header parser sees it: bounded in how much one member's headers may hold.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

/// Bytes of headers that one member may have: long names and pax records included.
const HEADER_LIMIT: u64 = 1 << 20;

/// How much of the present member's headers may still be read; shared with whoever walks the members.
#[derive(Clone, Debug)]
pub(super) struct HeaderAllowance(Rc<Cell<u64>>);

impl HeaderAllowance {
    /// Grants the next member its share.
    pub(super) fn renew(&self) {
        self.0.set(HEADER_LIMIT);
    }
}

/// Reads headers of an archive without moving the file's own position.
#[derive(Debug)]
pub(super) struct HeaderReader<'a> {
    file: &'a File,
    position: u64,
    allowance: HeaderAllowance,
}

impl<'a> HeaderReader<'a> {
    /// A reader from the start of `file`, and its allowance.
    pub(super) fn new(file: &'a File) -> (Self, HeaderAllowance) {
        let allowance = HeaderAllowance(Rc::new(Cell::new(HEADER_LIMIT)));
        (Self { file, position: 0, allowance: allowance.clone() }, allowance)
    }
}

impl Read for HeaderReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        let left = self.allowance.0.get().checked_sub(count as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("headers of one member exceed {HEADER_LIMIT} bytes"),
            )
        })?;
        self.allowance.0.set(left);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for HeaderReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
