//! Reading and writing file data.

use std::sync::Arc;

use super::{Layer, WccPair};
use crate::rootfs::meta::Meta;
use crate::rootfs::upper_file::UpperFile;
use crate::rootfs::{ArchiveExtent, Attributes, Credential, FsError, Ino, Kind, Timestamp};

/// A read that is allowed, and how much it will give.
#[derive(Debug)]
pub struct Reading<'l> {
    /// Attributes of the file.
    pub attributes: Attributes,
    /// Bytes that there are to read.
    pub count: usize,
    layer: &'l Layer,
    /// `None` if the file is as in the lower layer.
    file: Option<Arc<UpperFile>>,
    offset: u64,
}

impl Reading<'_> {
    /// Reads into `buffer`, which must be [`Reading::count`] bytes long; how many bytes there were, and whether the file
    /// ends behind them. They are fewer if the file was cut meanwhile.
    ///
    /// # Errors
    /// [`FsError::Io`], [`FsError::Stale`].
    pub fn read(&self, buffer: &mut [u8]) -> Result<(usize, bool), FsError> {
        if let Some(file) = &self.file {
            return file.read(self.offset, buffer);
        }
        if !buffer.is_empty() {
            self.layer.storage.lower.read(self.attributes.ino, self.offset, buffer)?;
        }
        Ok((buffer.len(), self.is_last()))
    }
}

impl Reading<'_> {
    /// Where the data lies, if it is that of the lower layer and in one piece there: all [`Reading::count`] bytes.
    pub fn in_archive(&self) -> Option<ArchiveExtent> {
        let lower = &self.layer.storage.lower;
        let unchanged = self.file.is_none();
        let place = unchanged.then(|| lower.place(self.attributes.ino)).flatten()?;
        Some(ArchiveExtent::new(Arc::clone(lower), place + self.offset, self.count))
    }

    /// Whether the file ends behind the [`Reading::count`] bytes.
    pub const fn is_last(&self) -> bool {
        self.offset.saturating_add(self.count as u64) >= self.attributes.size
    }
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOutcome {
    /// Bytes read.
    pub count: usize,
    /// Whether the file ends behind them.
    pub eof: bool,
    /// Attributes of the file.
    pub attributes: Attributes,
}

/// Data is a regular file's alone. Of anything else, directories too, RFC 1813 §3.3.6 has NFS3ERR_INVAL.
fn check_regular(meta: &Meta) -> Result<(), FsError> {
    if meta.kind == Kind::Regular { Ok(()) } else { Err(FsError::Invalid) }
}

/// Checks that `who` may write an object's data. The owner may, whatever the mode says, as with
/// [`Layer::begin_read`].
fn check_writable(meta: &Meta, who: &Credential) -> Result<(), FsError> {
    check_regular(meta)?;
    if meta.permitted(who) & 2 == 0 && !meta.owned_by(who) {
        return Err(FsError::AccessDenied);
    }
    Ok(())
}

impl Layer {
    /// Reads into `buffer` from byte `offset`.
    ///
    /// # Errors
    /// As [`Layer::begin_read`], and [`FsError::Io`].
    pub fn read(
        &self,
        ino: Ino,
        offset: u64,
        buffer: &mut [u8],
        who: &Credential,
    ) -> Result<ReadOutcome, FsError> {
        let reading = self.begin_read(ino, offset, buffer.len(), who)?;
        let (target, _) = buffer.split_at_mut(reading.count);
        let (count, eof) = reading.read(target)?;
        Ok(ReadOutcome { count, eof, attributes: reading.attributes })
    }

    /// Begins to read at most `limit` bytes from byte `offset`.
    ///
    /// The owner may read whatever the mode says (a file may be opened first and closed to oneself after), and whoever
    /// may execute a file may read it, as NFS servers must allow (RFC 1813 §4.4).
    ///
    /// # Errors
    /// [`FsError::AccessDenied`], [`FsError::Invalid`] if it is no regular file, [`FsError::Stale`].
    pub fn begin_read(
        &self,
        ino: Ino,
        offset: u64,
        limit: usize,
        who: &Credential,
    ) -> Result<Reading<'_>, FsError> {
        let (file, attributes) = {
            let tree = self.tree();
            let meta = tree.meta(ino)?;
            check_regular(&meta)?;
            if meta.permitted(who) & 5 == 0 && !meta.owned_by(who) {
                return Err(FsError::AccessDenied);
            }
            (tree.upper_file(ino)?.map(Arc::clone), tree.attributes(ino)?)
        };
        let left = usize::try_from(attributes.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        Ok(Reading { attributes, count: left.min(limit), layer: self, file, offset })
    }

    /// Whether reading `count` bytes from byte `offset` of a file may wait for a disk. Its last byte speaks for all: the
    /// kernel reads ahead.
    pub fn may_wait_to_read(&self, ino: Ino, offset: u64, count: u32) -> bool {
        let tree = self.tree();
        let Ok(attributes) = tree.attributes(ino) else { return false };
        let end = offset.saturating_add(count.into()).min(attributes.size);
        if attributes.kind != Kind::Regular || end <= offset {
            return false;
        }
        match tree.upper_file(ino) {
            Ok(Some(file)) => !file.is_in_memory(end - 1),
            _ => !self.storage.lower.is_in_memory(ino, end - 1),
        }
    }

    /// Writes `data` at byte `offset`.
    ///
    /// # Errors
    /// [`FsError::AccessDenied`], [`FsError::Invalid`] if it is no regular file, [`FsError::NoSpace`],
    /// [`FsError::FileTooLarge`], [`FsError::Io`], [`FsError::Stale`].
    pub fn write(&self, ino: Ino, offset: u64, data: &[u8], who: &Credential) -> Result<WccPair, FsError> {
        let mutation = self.mutation()?;
        check_writable(&self.tree().meta(ino)?, who)?;
        let file = mutation.copied_up(ino)?;
        let size = match file.write(offset, data) {
            Err(FsError::NoSpace) if self.reclaim() => file.write(offset, data)?,
            written => written?,
        };
        let mut tree = mutation.tree();
        // Taken with the change: a client must see what another has done in between (RFC 1813 §2.6).
        let before = Attributes { size, ..tree.attributes(ino)? };
        if !data.is_empty() {
            let inode = tree.inode_mut(ino)?;
            // The file is in use: who creates it again must not take it for a new one.
            inode.verifier = None;
            let meta = &mut inode.meta;
            meta.mtime = Timestamp::now();
            meta.ctime = meta.mtime;
            if !who.is_root() {
                meta.drop_set_ids();
            }
        }
        let after = tree.attributes(ino)?;
        tree.commit(who.call)?;
        Ok(WccPair { before, after })
    }

    /// [`Layer::commit`] for one who could have written to the file `ino`. Nothing of it is changed: what is before is
    /// after.
    ///
    /// # Errors
    /// [`FsError::AccessDenied`], [`FsError::Invalid`] if it is no regular file, [`FsError::Stale`], and those of
    /// [`Layer::commit`].
    pub fn commit_file(&self, ino: Ino, who: &Credential) -> Result<WccPair, FsError> {
        let attributes = {
            let tree = self.tree();
            check_writable(&tree.meta(ino)?, who)?;
            tree.attributes(ino)?
        };
        self.commit()?;
        Ok(WccPair { before: attributes, after: attributes })
    }
}
