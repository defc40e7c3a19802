//! From the headers of an archive to plain members.

use std::fs::File;
use std::path::Path;

use super::builder::{Builder, Content, Member};
use super::reader::{RawMember, ReadAt, ReadError, Reader};
use super::sparse_map;
use crate::rootfs::error::MemberProblem;
use crate::rootfs::lower::{Lower, MAX_FILE};
use crate::rootfs::meta::Meta;
use crate::rootfs::sparse::Extent;
use crate::rootfs::{Kind, RootfsError, Timestamp};

/// Members that an archive may have.
pub(in crate::rootfs) const MAX_MEMBERS: u64 = 2_000_000;

/// Indexes the tar at `path`; see [`Lower::from_tar`].
pub(in crate::rootfs) fn index(path: &Path) -> Result<Lower, RootfsError> {
    let open = |source| RootfsError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open)?;
    let length = file.metadata().map_err(open)?.len();
    let mut builder = read_members(path, &file, length)?;
    builder.resolve_links().map_err(|(member, problem)| refused(path, &member, problem))?;
    super::flatten::flatten(builder, file, length).ok_or_else(|| RootfsError::TooLarge {
        path: path.to_owned(),
        what: "bytes of names",
        limit: u64::from(u32::MAX),
    })
}

fn refused(path: &Path, member: &[u8], problem: MemberProblem) -> RootfsError {
    RootfsError::Member {
        path: path.to_owned(),
        member: String::from_utf8_lossy(member).into_owned(),
        problem,
    }
}

/// Reads all members of `archive`, which has `length` bytes; `path` is for errors.
pub(super) fn read_members<A: ReadAt>(path: &Path, archive: &A, length: u64) -> Result<Builder, RootfsError> {
    let mut builder = Builder::new();
    let mut reader = Reader::new(archive, length);
    let mut after = Vec::new();
    let mut count = 0;
    loop {
        let raw = match reader.next() {
            Ok(Some(raw)) => raw,
            Ok(None) => break,
            Err(ReadError::Archive(_)) if length == 0 => break,
            Err(ReadError::Archive(source)) => {
                let after = String::from_utf8_lossy(&after).into_owned();
                return Err(RootfsError::Archive { path: path.to_owned(), after, index: count, source });
            }
            Err(ReadError::Member(member, problem)) => return Err(refused(path, &member, problem)),
        };
        after.clone_from(&raw.path);
        let member = read_member(archive, length, &mut reader, raw);
        let added = member.and_then(|member| member.map_or(Ok(()), |member| builder.add(member)));
        added.map_err(|problem| refused(path, &after, problem))?;
        count += 1;
        if count > MAX_MEMBERS {
            return Err(RootfsError::TooLarge { path: path.to_owned(), what: "members", limit: MAX_MEMBERS });
        }
    }
    if count == 0 {
        return Err(RootfsError::Empty { path: path.to_owned() });
    }
    Ok(builder)
}

/// One member, or `None` for records that describe the archive and not a file.
fn read_member<A: ReadAt>(
    archive: &A,
    length: u64,
    reader: &mut Reader<'_, A>,
    mut raw: RawMember,
) -> Result<Option<Member>, MemberProblem> {
    let mut meta = meta(&raw)?;
    let content = match raw.header.kind() {
        // A volume's label.
        b'V' => return Ok(None),
        // Before ustar there was no type for directories; `D` is one with a list of names as its data.
        0 | b'0' | b'7' if raw.path.ends_with(b"/") => Content::Directory,
        b'5' | b'D' => Content::Directory,
        0 | b'0' | b'7' => match raw.extended.sparse.size {
            Some(size) => sparse(sparse_map::pax(archive, &raw, size)?)?,
            None => Content::Data { offset: raw.position, size: raw.size },
        },
        b'S' => sparse(sparse_map::gnu(archive, reader, &mut raw)?)?,
        b'1' => Content::HardLink(target(&mut raw)),
        b'2' => Content::Symlink(target(&mut raw)),
        b'3' | b'4' => {
            meta.device = raw.header.device()?;
            Content::None
        }
        b'6' => Content::None,
        other => return Err(MemberProblem::Unsupported(char::from(other).to_string())),
    };
    if raw.position.checked_add(raw.size).is_none_or(|end| end > length) {
        return Err(MemberProblem::Truncated { size: raw.size });
    }
    meta.kind = kind_of(raw.header.kind(), &content);
    Ok(Some(Member { path: raw.path, meta, attributes: raw.extended.attributes, content }))
}

fn sparse((extents, size): (Vec<Extent>, u64)) -> Result<Content, MemberProblem> {
    if size > MAX_FILE {
        return Err(MemberProblem::BadField("size"));
    }
    Ok(Content::Sparse { extents, size })
}

fn kind_of(letter: u8, content: &Content) -> Kind {
    match (content, letter) {
        (Content::Directory, _) => Kind::Directory,
        (Content::Symlink(_), _) => Kind::Symlink,
        (Content::None, b'3') => Kind::CharacterDevice,
        (Content::None, b'4') => Kind::BlockDevice,
        (Content::None, _) => Kind::Fifo,
        _ => Kind::Regular,
    }
}

/// What header and records say; times that are not told are the one of the last change.
fn meta(raw: &RawMember) -> Result<Meta, MemberProblem> {
    let (header, extended) = (&raw.header, &raw.extended);
    let mtime = match extended.mtime {
        Some(time) => time,
        None => Timestamp { seconds: header.mtime()?, nanoseconds: 0 },
    };
    Ok(Meta {
        kind: Kind::Regular,
        mode: header.mode()?,
        nlink: 1,
        uid: extended.uid.map_or_else(|| header.uid(), Ok)?,
        gid: extended.gid.map_or_else(|| header.gid(), Ok)?,
        device: (0, 0),
        atime: extended.atime.unwrap_or(mtime),
        mtime,
        ctime: extended.ctime.unwrap_or(mtime),
    })
}

fn target(raw: &mut RawMember) -> Vec<u8> {
    raw.extended.link.take().unwrap_or_else(|| raw.header.link())
}
