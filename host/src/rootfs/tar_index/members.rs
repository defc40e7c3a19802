//! Reads the headers of an archive, member by member.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::path::Path;

use tar::{Archive, Entry, EntryType, Header};

use super::builder::{Builder, Content, Member};
use crate::rootfs::error::MemberProblem;
use crate::rootfs::lower::Lower;
use crate::rootfs::meta::Meta;
use crate::rootfs::sparse;
use crate::rootfs::tar_reader::HeaderReader;
use crate::rootfs::{Kind, RootfsError, Timestamp};

/// Members that an archive may have.
const MAX_MEMBERS: u64 = 5_000_000;
/// Extents of all sparse members together.
const MAX_EXTENTS: usize = 4_000_000;

/// Indexes the tar at `path`; see [`Lower::from_tar`].
pub(in crate::rootfs) fn index(path: &Path) -> Result<Lower, RootfsError> {
    let open = |source| RootfsError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open)?;
    let length = file.metadata().map_err(open)?.len();
    let mut builder = read_members(path, &file, length)?;
    builder.resolve_links().map_err(|(member, problem)| RootfsError::Member {
        path: path.to_owned(),
        member: String::from_utf8_lossy(&member).into_owned(),
        problem,
    })?;
    super::flatten::flatten(builder, file, length).ok_or_else(|| RootfsError::TooLarge {
        path: path.to_owned(),
        what: "bytes of names",
        limit: u64::from(u32::MAX),
    })
}

fn read_members(path: &Path, file: &File, length: u64) -> Result<Builder, RootfsError> {
    let mut builder = Builder::new();
    let mut after = String::new();
    let mut count = 0;
    let (reader, allowance) = HeaderReader::new(file);
    let mut archive = Archive::new(reader);
    let broken = |after: &str, index, source| RootfsError::Archive {
        path: path.to_owned(),
        after: after.into(),
        index,
        source,
    };
    let mut entries = archive.entries_with_seek().map_err(|source| broken("", 0, source))?;
    loop {
        allowance.renew();
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(|source| broken(&after, count, source))?;
        after = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refused = |problem| RootfsError::Member { path: path.to_owned(), member: after.clone(), problem };
        let extents = builder.extents.len();
        if let Some(member) = read_member(file, length, &mut entry, extents).map_err(refused)? {
            builder.add(member).map_err(refused)?;
        }
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
fn read_member<R: io::Read>(
    file: &File,
    length: u64,
    entry: &mut Entry<'_, R>,
    extents: usize,
) -> Result<Option<Member>, MemberProblem> {
    let header = entry.header().clone();
    let kind = header.entry_type();
    if kind == EntryType::XGlobalHeader || kind.as_byte() == b'V' {
        return Ok(None);
    }
    let mut meta = meta(&header)?;
    apply_pax(entry, &mut meta)?;
    let size = entry.size();
    let content = match kind {
        EntryType::Regular | EntryType::Continuous => {
            let offset = entry.raw_file_position();
            let end = offset.checked_add(size).filter(|end| *end <= length);
            end.ok_or(MemberProblem::Truncated { size })?;
            Content::Data { offset, size }
        }
        EntryType::GNUSparse => {
            let limit = MAX_EXTENTS.saturating_sub(extents);
            let extents = sparse::extents(file, &header, entry.raw_file_position(), size, limit)?;
            if extents.last().is_some_and(|last| last.position + last.length > length) {
                return Err(MemberProblem::Truncated { size });
            }
            Content::Sparse { extents, size }
        }
        EntryType::Directory => Content::Directory,
        EntryType::Symlink => Content::Symlink(link_target(entry)?),
        EntryType::Link => Content::HardLink(link_target(entry)?),
        EntryType::Char | EntryType::Block => {
            let number = |field: io::Result<Option<u32>>| match field {
                Ok(Some(number)) => Ok(number),
                _ => Err(MemberProblem::BadField("device number")),
            };
            meta.device = (number(header.device_major())?, number(header.device_minor())?);
            Content::None
        }
        EntryType::Fifo => Content::None,
        other => return Err(MemberProblem::Unsupported(char::from(other.as_byte()).to_string())),
    };
    meta.kind = kind_of(kind);
    meta.nlink = 1;
    Ok(Some(Member { path: entry.path_bytes().into_owned(), meta, content }))
}

fn kind_of(kind: EntryType) -> Kind {
    match kind {
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink,
        EntryType::Char => Kind::CharacterDevice,
        EntryType::Block => Kind::BlockDevice,
        EntryType::Fifo => Kind::Fifo,
        _ => Kind::Regular,
    }
}

fn meta(header: &Header) -> Result<Meta, MemberProblem> {
    let bad = MemberProblem::BadField;
    let id =
        |value: io::Result<u64>, field| value.ok().and_then(|id| u32::try_from(id).ok()).ok_or(bad(field));
    let seconds = header.mtime().map_err(|_| bad("mtime"))?;
    let time = Timestamp { seconds: u32::try_from(seconds).unwrap_or(u32::MAX), nanoseconds: 0 };
    Ok(Meta {
        kind: Kind::Regular,
        mode: header.mode().map_err(|_| bad("mode"))? & 0o7777,
        nlink: 1,
        uid: id(header.uid(), "uid")?,
        gid: id(header.gid(), "gid")?,
        device: (0, 0),
        atime: time,
        mtime: time,
        ctime: time,
    })
}

/// Takes times from the pax records (name, size and ids are the reader's), and refuses sparse maps in them.
fn apply_pax<R: io::Read>(entry: &mut Entry<'_, R>, meta: &mut Meta) -> Result<(), MemberProblem> {
    let Some(records) = entry.pax_extensions().map_err(|_| MemberProblem::BadField("pax"))? else {
        return Ok(());
    };
    for record in records {
        let record = record.map_err(|_| MemberProblem::BadField("pax"))?;
        let time = || pax_time(record.value_bytes()).ok_or(MemberProblem::BadField("pax time"));
        match record.key_bytes() {
            b"mtime" => {
                meta.mtime = time()?;
                meta.atime = meta.mtime;
                meta.ctime = meta.mtime;
            }
            key if key.starts_with(b"GNU.sparse.") => {
                return Err(MemberProblem::Unsupported("pax sparse".into()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Seconds with an optional fraction; before 1970 and after 2106 is clamped, digits below a nanosecond are cut.
fn pax_time(value: &[u8]) -> Option<Timestamp> {
    let text = str::from_utf8(value).ok()?;
    if text.starts_with('-') {
        return Some(Timestamp::default());
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds = u32::try_from(whole.parse::<u64>().ok()?).unwrap_or(u32::MAX);
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    Some(Timestamp { seconds, nanoseconds: digits.parse().ok()? })
}

fn link_target<R: io::Read>(entry: &Entry<'_, R>) -> Result<Vec<u8>, MemberProblem> {
    entry.link_name_bytes().map(Cow::into_owned).ok_or(MemberProblem::BadName)
}
