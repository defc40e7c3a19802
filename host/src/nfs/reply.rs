//! The reply to a call, whose file data may still be where it lies.

use crate::rootfs::ArchiveExtent;

/// A reply without its record mark.
#[derive(Debug)]
pub struct Reply {
    /// Header and results, up to `data` if there is any.
    pub bytes: Vec<u8>,
    /// What a READ gives at the end of its results: the kernel sends it from the file, and no copy is made.
    pub(super) data: Option<ArchiveExtent>,
}

impl From<Vec<u8>> for Reply {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, data: None }
    }
}

impl Reply {
    /// Bytes of the whole reply, padding included.
    pub fn length(&self) -> usize {
        let data = self.data.as_ref().map_or(0, ArchiveExtent::length);
        self.bytes.len() + data.next_multiple_of(4)
    }

    /// The zeros behind the data (RFC 4506 §4.10).
    pub(super) fn padding(&self) -> &'static [u8] {
        let data = self.data.as_ref().map_or(0, ArchiveExtent::length);
        [0; 3].split_at(data.next_multiple_of(4) - data).0
    }
}
