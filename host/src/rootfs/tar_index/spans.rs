//! Where the members of an archive lie in it, so that they can be copied as they are.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use super::members::MAX_MEMBERS;
use super::reader::{ReadError, Reader};
use super::sparse_map;
use crate::rootfs::{Kind, RootfsError};

/// A member, not looked into any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its name, as the archive has it.
    pub(crate) path: Vec<u8>,
    /// What it makes; `None` for a hard link and for what makes nothing, such as a label.
    pub(crate) kind: Option<Kind>,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Target of a hard or symbolic link; empty for anything else.
    pub(crate) link: Vec<u8>,
    /// All that the archive has of it, headers and filling included, in bytes from the beginning.
    pub(crate) whole: Range<u64>,
    /// Its data; of a sparse file what is between the holes.
    pub(crate) data: Range<u64>,
}

/// Lists the members of the tar at `path`, which is open as `file`, in their order, and says where the end of the archive is.
///
/// # Errors
/// [`RootfsError::Archive`] and [`RootfsError::Member`] for a damaged archive, [`RootfsError::TooLarge`] for too many
/// members.
pub(crate) fn spans(path: &Path, file: &File) -> Result<(Vec<Span>, u64), RootfsError> {
    let open = |source| RootfsError::Open { path: path.to_owned(), source };
    let length = file.metadata().map_err(open)?.len();
    let mut reader = Reader::new(file, length);
    let mut spans: Vec<Span> = Vec::new();
    loop {
        let begin = reader.place();
        let refused = |member: &[u8], problem| RootfsError::Member {
            path: path.to_owned(),
            member: String::from_utf8_lossy(member).into_owned(),
            problem,
        };
        let mut raw = match reader.next() {
            Ok(Some(raw)) => raw,
            Ok(None) => return Ok((spans, begin)),
            Err(ReadError::Member(member, problem)) => return Err(refused(&member, problem)),
            Err(ReadError::Archive(source)) => {
                let after = spans.last().map(|span| String::from_utf8_lossy(&span.path).into_owned());
                let index = spans.len() as u64;
                return Err(RootfsError::Archive {
                    path: path.to_owned(),
                    after: after.unwrap_or_default(),
                    index,
                    source,
                });
            }
        };
        if spans.len() as u64 == MAX_MEMBERS {
            return Err(RootfsError::TooLarge { path: path.to_owned(), what: "members", limit: MAX_MEMBERS });
        }
        let letter = raw.header.kind();
        if letter == b'S' {
            sparse_map::gnu(file, &mut reader, &mut raw).map_err(|problem| refused(&raw.path, problem))?;
        }
        let mode = raw.header.mode().map_err(|problem| refused(&raw.path, problem))?;
        let link = match letter {
            b'1' | b'2' => raw.extended.link.take().unwrap_or_else(|| raw.header.link()),
            _ => Vec::new(),
        };
        let kind = kind(letter, raw.path.ends_with(b"/"));
        let data = raw.position..raw.position.saturating_add(raw.size);
        spans.push(Span { path: raw.path, kind, mode, link, whole: begin..reader.place(), data });
    }
}

fn kind(letter: u8, ends_with_slash: bool) -> Option<Kind> {
    Some(match letter {
        // Before ustar there was no type for directories.
        0 | b'0' | b'7' if ends_with_slash => Kind::Directory,
        b'5' | b'D' => Kind::Directory,
        0 | b'0' | b'7' | b'S' => Kind::Regular,
        b'2' => Kind::Symlink,
        b'3' => Kind::CharacterDevice,
        b'4' => Kind::BlockDevice,
        b'6' => Kind::Fifo,
        _ => return None,
    })
}
