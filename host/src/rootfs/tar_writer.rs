//! Writes the members of a tar: ustar headers, and pax records for what does not fit into them.
//!
//! Sources: POSIX.1-2017, pax, "pax Interchange Format"; GNU tar manual, "Storing Sparse Files" (format 1.0).

use std::io::{self, BufReader, Read, Write};

use tar::{Builder, EntryType, Header};

use super::meta::Meta;
use super::{Kind, Timestamp};

/// Bytes that are read from a file at a time.
const CHUNK: usize = 256 << 10;
/// Size of a block of a tar, in bytes.
const BLOCK: usize = 512;

/// A tar that is being written.
pub(super) struct TarWriter<W: Write>(Builder<W>);

/// What a member holds.
pub(super) enum Body<'b> {
    /// Directories, devices, fifos.
    None,
    /// The target of a symbolic link.
    Symlink(&'b [u8]),
    /// The path of an earlier member that this is another name of.
    HardLink(&'b [u8]),
    /// All bytes of a file.
    File { size: u64, data: &'b mut dyn Read },
    /// A file of `size` bytes with holes; `data` yields the bytes of the `extents` (offset and length), one after the
    /// other.
    Sparse { size: u64, extents: &'b [(u64, u64)], data: &'b mut dyn Read },
}

impl<W: Write> TarWriter<W> {
    /// Begins a tar.
    pub(super) fn new(out: W) -> Self {
        Self(Builder::new(out))
    }

    /// Writes a member; `records` are its extended attributes, as keys and values of pax records.
    ///
    /// # Errors
    /// Those of the output and of the file's data, which must have as many bytes as `body` says.
    pub(super) fn member(
        &mut self,
        path: &[u8],
        meta: &Meta,
        records: &[(&str, &[u8])],
        body: Body<'_>,
    ) -> io::Result<()> {
        match body {
            Body::None => {
                self.append(path, None, header(meta, entry_type(meta.kind))?, meta, records, io::empty())
            }
            Body::Symlink(target) => {
                self.append(path, Some(target), header(meta, EntryType::Symlink)?, meta, records, io::empty())
            }
            Body::HardLink(first) => {
                // Attributes are those of the file that it leads to.
                self.append(path, Some(first), header(meta, EntryType::Link)?, meta, &[], io::empty())
            }
            Body::File { size, data } => {
                let mut header = header(meta, EntryType::Regular)?;
                header.set_size(size);
                self.append(path, None, header, meta, records, Exactly { data, left: size })
            }
            Body::Sparse { size, extents, data } => {
                let map = sparse_map(extents, size);
                let stored = extents.iter().map(|(_, length)| length).sum();
                let real_size = size.to_string();
                let mut records = records.to_vec();
                records.extend([
                    ("GNU.sparse.major", &b"1"[..]),
                    ("GNU.sparse.minor", b"0"),
                    ("GNU.sparse.name", path),
                    ("GNU.sparse.realsize", real_size.as_bytes()),
                ]);
                let mut header = header(meta, EntryType::Regular)?;
                header.set_size(map.len() as u64 + stored);
                let data = map.as_slice().chain(Exactly { data, left: stored });
                self.append(path, None, header, meta, &records, data)
            }
        }
    }

    /// Appends a member; what does not fit into its header goes into pax records before it.
    fn append(
        &mut self,
        path: &[u8],
        link: Option<&[u8]>,
        mut header: Header,
        meta: &Meta,
        extended: &[(&str, &[u8])],
        data: impl Read,
    ) -> io::Result<()> {
        let time = pax_time(meta.mtime);
        let mut records: Vec<(&str, &[u8])> = Vec::new();
        let fields = header.as_old_mut();
        if !fill(&mut fields.name, path) {
            records.push(("path", path));
        }
        if let Some(link) = link
            && !fill(&mut fields.linkname, link)
        {
            records.push(("linkpath", link));
        }
        if meta.mtime.nanoseconds != 0 {
            records.push(("mtime", &time));
        }
        records.extend(extended);
        if !records.is_empty() {
            self.0.append_pax_extensions(records)?;
        }
        header.set_cksum();
        self.0.append(&header, BufReader::with_capacity(CHUNK, data))
    }

    /// Ends the tar.
    ///
    /// # Errors
    /// Those of the output.
    pub(super) fn finish(self) -> io::Result<()> {
        self.0.into_inner()?.flush()
    }
}

/// Yields exactly as many bytes as the header promises: the next member is looked for behind them.
struct Exactly<'d> {
    data: &'d mut dyn Read,
    left: u64,
}

impl Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.data.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        if count == 0 && wanted > 0 {
            let text = format!("the data ends {} bytes too early", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Puts `value` into a field of a header, cut to its size; whether it fits.
fn fill(field: &mut [u8], value: &[u8]) -> bool {
    for (byte, value) in field.iter_mut().zip(value) {
        *byte = *value;
    }
    value.len() <= field.len()
}

fn pax_time(time: Timestamp) -> Vec<u8> {
    format!("{}.{:09}", time.seconds, time.nanoseconds).into_bytes()
}

/// The map before the data: count, then offset and length of each extent, a number a line, in whole blocks.
///
/// A hole at the end of the file is told by an empty extent: GNU tar makes the file no longer than the map says.
fn sparse_map(extents: &[(u64, u64)], size: u64) -> Vec<u8> {
    let end = extents.last().map_or(0, |(offset, length)| offset + length);
    let last = (end < size).then_some((size, 0));
    let mut map = format!("{}\n", extents.len() + usize::from(last.is_some()));
    for (offset, length) in extents.iter().chain(&last) {
        map += &format!("{offset}\n{length}\n");
    }
    let mut map = map.into_bytes();
    map.resize(map.len().next_multiple_of(BLOCK), 0);
    map
}

fn entry_type(kind: Kind) -> EntryType {
    match kind {
        Kind::Regular | Kind::Socket => EntryType::Regular,
        Kind::Directory => EntryType::Directory,
        Kind::Symlink => EntryType::Symlink,
        Kind::CharacterDevice => EntryType::Char,
        Kind::BlockDevice => EntryType::Block,
        Kind::Fifo => EntryType::Fifo,
    }
}

fn header(meta: &Meta, kind: EntryType) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(meta.mode);
    header.set_uid(meta.uid.into());
    header.set_gid(meta.gid.into());
    header.set_mtime(meta.mtime.seconds.into());
    header.set_size(0);
    if matches!(kind, EntryType::Char | EntryType::Block) {
        header.set_device_major(meta.device.0)?;
        header.set_device_minor(meta.device.1)?;
    }
    Ok(header)
}
