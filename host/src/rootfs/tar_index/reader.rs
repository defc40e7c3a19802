//! Walks the headers of an archive: what describes the next member is read with it, data is skipped.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::header::{BLOCK, Block};
use super::pax::Extended;
use crate::rootfs::error::MemberProblem;

/// Bytes of headers that one member may have: long names and pax records included.
const HEADER_LIMIT: u64 = 1 << 20;

/// An archive that can be read anywhere.
pub(super) trait ReadAt {
    /// Fills `buffer` from byte `position`.
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, position)
    }
}

/// A member with everything that describes it.
pub(super) struct RawMember {
    pub(super) header: Block,
    pub(super) extended: Extended,
    /// The name as it counts.
    pub(super) path: Vec<u8>,
    /// Where its data begins, in bytes from the beginning of the archive.
    pub(super) position: u64,
    /// Bytes that its data takes in the archive; they may go past its end.
    pub(super) size: u64,
}

/// What is wrong with an archive.
#[derive(Debug)]
pub(super) enum ReadError {
    /// There is no header where one should be.
    Archive(io::Error),
    /// A member's headers are wrong.
    Member(Vec<u8>, MemberProblem),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Archive(error)
    }
}

/// Goes from header to header.
pub(super) struct Reader<'a, A: ReadAt> {
    archive: &'a A,
    length: u64,
    next: u64,
    globals: Extended,
}

/// What came before a member's own header.
#[derive(Default)]
struct Before {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Option<Vec<u8>>,
    used: u64,
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

impl<'a, A: ReadAt> Reader<'a, A> {
    /// A reader from the start of `archive`, which has `length` bytes.
    pub(super) fn new(archive: &'a A, length: u64) -> Self {
        Self { archive, length, next: 0, globals: Extended::default() }
    }

    /// The next member; `None` at the block of zeros that ends an archive.
    pub(super) fn next(&mut self) -> Result<Option<RawMember>, ReadError> {
        let mut before = Before::default();
        loop {
            let Some(header) = self.header()? else {
                let described = before.name.is_some() || before.link.is_some() || before.records.is_some();
                return if described {
                    Err(invalid("the archive ends where a long name or pax records announce a member").into())
                } else {
                    Ok(None)
                };
            };
            match header.kind() {
                b'L' => before.name = Some(without_end(self.description(&header, &mut before.used)?)),
                b'K' => before.link = Some(without_end(self.description(&header, &mut before.used)?)),
                // `X` is what Solaris called it.
                b'x' | b'X' => before.records = Some(self.description(&header, &mut before.used)?),
                b'g' => {
                    let records = self.description(&header, &mut before.used)?;
                    let applied = self.globals.apply_global(&records);
                    applied.map_err(|problem| ReadError::Member(header.path(), problem))?;
                }
                _ => return self.member(header, before).map(Some),
            }
        }
    }

    /// The header at the present place, `None` if it is a block of zeros.
    fn header(&mut self) -> Result<Option<Block>, ReadError> {
        if self.next.checked_add(BLOCK).is_none_or(|end| end > self.length) {
            let error = io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the archive is cut off: the block of zeros that ends it is missing",
            );
            return Err(error.into());
        }
        let mut bytes = [0; BLOCK as usize];
        self.archive.read_exact_at(&mut bytes, self.next)?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Block::parse(&bytes).ok_or_else(|| invalid("the checksum of a header is wrong"))?;
        self.next += BLOCK;
        Ok(Some(header))
    }

    /// Moves on by `size` bytes and what fills the last block.
    fn skip(&mut self, size: u64) -> Option<()> {
        self.next = self.next.checked_add(size.checked_next_multiple_of(BLOCK)?)?;
        Some(())
    }

    /// The data of a member that describes the next one.
    fn description(&mut self, header: &Block, used: &mut u64) -> Result<Vec<u8>, ReadError> {
        let size = header.size().map_err(|problem| ReadError::Member(header.path(), problem))?;
        *used = used.saturating_add(BLOCK).saturating_add(size);
        if *used > HEADER_LIMIT {
            return Err(invalid(format!("headers of one member exceed {HEADER_LIMIT} bytes")).into());
        }
        let mut data = vec![0; size as usize];
        self.archive.read_exact_at(&mut data, self.next)?;
        self.skip(size).ok_or_else(|| invalid("a size overflows"))?;
        Ok(data)
    }

    fn member(&mut self, header: Block, before: Before) -> Result<RawMember, ReadError> {
        let mut extended = self.globals.clone();
        let name = before.name.unwrap_or_else(|| header.path());
        let applied = before.records.map_or(Ok(()), |records| extended.apply(&records));
        let path = extended.sparse.name.take().or_else(|| extended.path.take()).unwrap_or(name);
        let refused = |problem| ReadError::Member(path.clone(), problem);
        applied.map_err(refused)?;
        extended.link = extended.link.or(before.link);
        let size = match header.kind() {
            // Links, devices, directories, fifos: no data, whatever the size says (POSIX.1-2017, ustar).
            b'1'..=b'6' => 0,
            _ => extended.size.map_or_else(|| header.size(), Ok).map_err(refused)?,
        };
        let position = self.next;
        self.skip(size).ok_or_else(|| refused(MemberProblem::Truncated { size }))?;
        Ok(RawMember { header, extended, path, position, size })
    }

    /// Where the next header is, in bytes from the beginning of the archive.
    pub(super) fn place(&self) -> u64 {
        self.next
    }

    /// Moves on over blocks that belong to the header of the present member, to byte `position`, and the data behind.
    pub(super) fn skip_to_data(&mut self, position: u64, size: u64) -> Option<()> {
        self.next = position;
        self.skip(size)
    }
}

/// A name without the NULs that end it.
fn without_end(mut name: Vec<u8>) -> Vec<u8> {
    while name.last() == Some(&0) {
        name.pop();
    }
    name
}
