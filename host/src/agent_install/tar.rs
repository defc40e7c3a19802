//! A root filesystem's tar, compressed or not.
//!
//! A new archive takes the old one's place. All members but those of an installation are copied as they are, byte by byte;
//! an installation's come at the end.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ::tar::{Builder, EntryType, Header};

use super::compressed::decompressed;
use super::error::InstallError;
use super::names::{Names, normal};
use super::replace::replace;
use super::tree::{Change, Found, Tree};
use crate::codec::Codec;
use crate::rootfs::{Kind, RootfsError, Span, spans};

/// Most bytes of an archive when it is decompressed.
const MAX_TAR: u64 = 64 << 30;

/// An archive as a root filesystem.
pub(super) struct Tar {
    path: PathBuf,
    codec: Option<Codec>,
    /// The archive, decompressed.
    file: File,
    spans: Vec<Span>,
    /// Where the archive ends: what comes then is filling.
    end: u64,
    names: Names,
}

impl Tar {
    /// Opens the archive at `path`.
    ///
    /// # Errors
    /// Those of the file; [`InstallError::Tar`] if it is no tar or damaged.
    pub(super) fn open(path: &Path, codec: Option<Codec>) -> Result<Self, InstallError> {
        let file = match codec {
            None => File::open(path).map_err(InstallError::io("open", path))?,
            Some(codec) => decompressed(path, codec, MAX_TAR)?,
        };
        let (spans, end) = spans(path, &file)?;
        if spans.is_empty() {
            return Err(RootfsError::Empty { path: path.to_owned() }.into());
        }
        let mut names = Names::default();
        for (index, span) in spans.iter().enumerate() {
            names.add(&span.path, index);
        }
        Ok(Self { path: path.to_owned(), codec, file, spans, end, names })
    }

    fn span(&self, path: &str) -> Option<&Span> {
        self.names.get(path).flatten().and_then(|index| self.spans.get(index))
    }

    /// The member that has the data of the regular file at `path`, which may be a hard link to it.
    fn file_of(&self, path: &str) -> Option<&Span> {
        let span = self.span(path)?;
        match span.kind {
            Some(Kind::Regular) => Some(span),
            None if !span.link.is_empty() => {
                self.span(&normal(&span.link)?).filter(|span| span.kind == Some(Kind::Regular))
            }
            _ => None,
        }
    }

    /// Copies the archive with `changes` to `out`.
    fn copy(&self, changes: &[Change], out: &mut dyn Write) -> io::Result<()> {
        let replaced: BTreeSet<&str> = changes.iter().map(Change::path).collect();
        let copy = |begin: u64, end: u64, out: &mut dyn Write| {
            (&self.file).seek(SeekFrom::Start(begin))?;
            let copied = io::copy(&mut (&self.file).take(end - begin), out)?;
            if copied == end - begin { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
        };
        let mut begin = 0;
        for span in &self.spans {
            if normal(&span.path).is_some_and(|name| replaced.contains(name.as_str())) {
                copy(begin, span.whole.start, out)?;
                begin = span.whole.end;
            }
        }
        copy(begin, self.end, out)?;
        let mut builder = Builder::new(out);
        for change in changes {
            add(&mut builder, change)?;
        }
        builder.into_inner()?;
        Ok(())
    }
}

fn add(builder: &mut Builder<&mut dyn Write>, change: &Change) -> io::Result<()> {
    match change {
        Change::MakeDirectory(path) => {
            let mut header = header(EntryType::Directory, 0o755, 0);
            builder.append_data(&mut header, format!("{path}/"), io::empty())
        }
        Change::Write { path, mode, content } => {
            let mut header = header(EntryType::Regular, *mode, content.len() as u64);
            builder.append_data(&mut header, path, content.as_slice())
        }
        Change::Link { path, target } => {
            let mut header = header(EntryType::Symlink, 0o777, 0);
            builder.append_link(&mut header, path, target)
        }
        Change::RemoveFile(_) | Change::RemoveDirectory(_) => Ok(()),
    }
}

/// A header of something of root's that was made now.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    // Root by name as well as by number, as in the archives of distributions. The names fit.
    let _ = header.set_username("root").and_then(|()| header.set_groupname("root"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    header.set_mtime(now.as_secs());
    header
}

impl Tree for Tar {
    fn look(&mut self, path: &str) -> Result<Option<Found>, InstallError> {
        if path.is_empty() {
            return Ok(Some(Found::Directory));
        }
        let Some(node) = self.names.get(path) else { return Ok(None) };
        let Some(span) = node.and_then(|index| self.spans.get(index)) else {
            return Ok(Some(Found::Directory));
        };
        Ok(Some(match span.kind {
            Some(Kind::Directory) => Found::Directory,
            Some(Kind::Symlink) => String::from_utf8(span.link.clone()).map_or(Found::Other, Found::Link),
            _ => match self.file_of(path) {
                Some(file) => Found::File { size: file.data.end - file.data.start, mode: file.mode },
                None => Found::Other,
            },
        }))
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, InstallError> {
        Ok(self.names.list(path))
    }

    fn read(&mut self, path: &str, limit: usize) -> Result<Vec<u8>, InstallError> {
        let failed = InstallError::io("read", &self.path);
        let Some(span) = self.file_of(path) else { return Ok(Vec::new()) };
        let length = (span.data.end - span.data.start).min(limit as u64);
        let mut content = Vec::new();
        (&self.file).seek(SeekFrom::Start(span.data.start)).map_err(&failed)?;
        (&self.file).take(length).read_to_end(&mut content).map_err(failed)?;
        Ok(content)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), InstallError> {
        replace(&self.path, |out| {
            let copied = match self.codec {
                None => self.copy(changes, out),
                Some(codec) => codec.compress(out, |out| self.copy(changes, out)),
            };
            copied.map_err(InstallError::io("write", &self.path))
        })
    }
}
