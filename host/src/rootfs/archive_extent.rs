//! File data that lies in one piece in the lower layer's archive, to be sent from there.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use rustix::io::Errno;

use super::Lower;

/// A piece of the archive. It never changes, so that it may be read after the call that found it.
#[derive(Debug)]
pub struct ArchiveExtent {
    lower: Arc<Lower>,
    offset: u64,
    length: usize,
}

impl ArchiveExtent {
    /// `length` bytes of the archive of `lower` from byte `offset` on.
    pub(super) const fn new(lower: Arc<Lower>, offset: u64, length: usize) -> Self {
        Self { lower, offset, length }
    }

    /// Bytes that it has.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Lets the kernel copy what follows the first `skip` bytes to `out`; how many bytes it has copied, 0 if the archive
    /// was cut meanwhile.
    ///
    /// # Errors
    /// Those of `sendfile`, that of a time-out of `out` among them.
    pub fn copy_to(&self, out: BorrowedFd<'_>, skip: usize) -> Result<usize, Errno> {
        let mut offset = self.offset + skip as u64;
        rustix::fs::sendfile(out, &self.lower.file, Some(&mut offset), self.length.saturating_sub(skip))
    }
}
