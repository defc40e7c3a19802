//! A RAM disk that is read, changed and written.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Read as _, Write};
use std::path::Path;

use super::base::Base;
use super::cpio::MAX_NAME;
use super::error::RamdiskError;
use super::inode::{Data, Inode, Meta};
use super::packing::{Last, MAX_RAMDISK, Packing, last_archive};
use super::tree::{Canonical, MAX_STEPS, Node, Step, Tree, ancestors, shown};
use super::uimage::{self, Header, ImageKind};
use crate::rootfs::Kind;

/// Permission bits of directories that nobody says anything about.
const DIRECTORY_MODE: u32 = 0o755;

/// A RAM disk: the root filesystem that is its last archive, and all else as it is in the file.
///
/// Paths are those of the board. Symbolic links on the way are followed inside the RAM disk, never on this PC; directories that
/// are not there are made, mode 0755, of root. What is in the way of a file is replaced, unless it is a directory.
///
/// Needs memory for what is packed and what is not packed, and when it is read for twice the latter for a moment; besides for what
/// is put into it (of a tar nothing) and for some 200 bytes a file. When it is written nothing is added to that, but with U-Boot's
/// header all of the new image.
#[derive(Debug)]
pub struct Ramdisk {
    header: Option<Header>,
    /// What is before the last archive in the image, as it is there.
    pub(super) before: Vec<u8>,
    pub(super) packing: Packing,
    /// Archives that are packed together with the last one.
    pub(super) packed_before: Vec<u8>,
    pub(super) base: Base,
    /// Which members of the last archive are not written any more.
    pub(super) is_gone: Vec<bool>,
    pub(super) tree: Tree,
    /// What was put into it, by the numbers in the tree.
    pub(super) inodes: Vec<Inode>,
    /// Whether names of members begin with `./`.
    pub(super) has_dot: bool,
}

/// What is at a path of a RAM disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The type.
    pub kind: Kind,
    /// Permission bits; 0o755 of a directory that only what is in it implies.
    pub mode: u32,
    /// Bytes of a file, or of a link's target.
    pub size: u64,
}

impl Ramdisk {
    /// Reads the RAM disk in the file at `path`, with U-Boot's header or without.
    ///
    /// # Errors
    /// [`RamdiskError`], for example if it is none or damaged.
    pub fn open(path: &Path) -> Result<Self, RamdiskError> {
        let failed = RamdiskError::file("read", path);
        let mut image = Vec::new();
        let file = File::open(path).map_err(RamdiskError::file("open", path))?;
        file.take(MAX_RAMDISK + 1).read_to_end(&mut image).map_err(&failed)?;
        if image.len() as u64 > MAX_RAMDISK {
            return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
        }
        Self::parse(image)
    }

    /// Reads the RAM disk `image`, with U-Boot's header or without.
    ///
    /// # Errors
    /// [`RamdiskError`], for example if it is none or damaged.
    pub fn parse(mut image: Vec<u8>) -> Result<Self, RamdiskError> {
        let mut header = None;
        if uimage::is_image(&image) {
            let (found, data) = Header::parse(&image)?;
            if found.kind != ImageKind::Ramdisk {
                return Err(RamdiskError::OtherImage);
            }
            let size = data.len();
            header = Some(found);
            image.truncate(uimage::HEADER + size);
            image.drain(..uimage::HEADER);
        }
        let Last { before, packing, packed_before, bytes, archive } = last_archive(image)?;
        let is_gone = vec![false; archive.members.len()];
        let (base, tree) = Base::unpack(bytes, archive)?;
        let second = base.member(1).and_then(|member| base.bytes.get(member.name.clone()));
        let has_dot = second.is_some_and(|name| name.starts_with(b"./"));
        let inodes = Vec::new();
        Ok(Self { header, before, packing, packed_before, base, is_gone, tree, inodes, has_dot })
    }

    /// U-Boot's header that it was read with, or was given.
    pub const fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Gives it another header of U-Boot's, or none, when it is written.
    pub fn set_header(&mut self, header: Option<Header>) {
        self.header = header;
    }

    /// What is at `path`; a link at its end is not followed.
    pub fn look(&self, path: &str) -> Option<Found> {
        let directory = Found { kind: Kind::Directory, mode: DIRECTORY_MODE, size: 0 };
        let path = self.resolve(path.as_bytes(), false).ok()?;
        if path.is_empty() {
            return Some(directory);
        }
        match self.tree.get(&path)? {
            Node::Implied => Some(directory),
            Node::Old(index) => {
                let header = &self.base.member(index)?.header;
                let size = self.base.data(index).len() as u64;
                Some(Found { kind: header.kind()?, mode: header.mode & 0o7777, size })
            }
            Node::New(index) => {
                let inode = self.inodes.get(index)?;
                Some(Found { kind: inode.kind, mode: inode.meta.mode, size: inode.data.size() })
            }
        }
    }

    /// The names in the directory at `path`; those that are not UTF-8 are left out.
    pub fn list(&self, path: &str) -> Vec<String> {
        let Ok(path) = self.resolve(path.as_bytes(), true) else { return Vec::new() };
        let begin = if path.is_empty() { 0 } else { path.len() + 1 };
        let names = self.tree.below(&path).filter_map(|path| str::from_utf8(path.get(begin..)?).ok());
        names.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }

    /// The content of the file, or the target of the link, at `path`, but at most its first `limit` bytes.
    ///
    /// # Errors
    /// [`RamdiskError`] if it is of a tar that cannot be read.
    pub fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, RamdiskError> {
        let path = self.resolve(path.as_bytes(), false)?;
        let mut content = Vec::new();
        let old;
        let data = match self.tree.get(&path) {
            Some(Node::Old(index)) => {
                old = Data::Base(self.base.data(index));
                Some(&old)
            }
            Some(Node::New(index)) => self.inodes.get(index).map(|inode| &inode.data),
            Some(Node::Implied) | None => None,
        };
        if let Some(data) = data {
            data.copy_to(&self.base.bytes, limit, &mut content)?;
        }
        Ok(content)
    }

    /// Puts a file at `path`.
    ///
    /// # Errors
    /// [`RamdiskError`] if a directory is there, or the path leads through a file; nothing is changed then.
    pub fn put_file(&mut self, path: &str, meta: Meta, content: Vec<u8>) -> Result<(), RamdiskError> {
        self.put(path.as_bytes(), Inode::new(Kind::Regular, meta, content)).map(drop)
    }

    /// Puts a symbolic link to `target` at `path`.
    ///
    /// # Errors
    /// As of [`put_file`](Self::put_file).
    pub fn put_link(&mut self, path: &str, target: &str, mtime: u32) -> Result<(), RamdiskError> {
        let meta = Meta::of_root(0o777, mtime);
        self.put(path.as_bytes(), Inode::new(Kind::Symlink, meta, target.into())).map(drop)
    }

    /// Makes the directory at `path`; one that is there already, or that a link leads to, stays as it is.
    ///
    /// # Errors
    /// [`RamdiskError`] if the path, or the link at its end, leads to a file; nothing is changed then.
    pub fn make_directory(&mut self, path: &str, meta: Meta) -> Result<(), RamdiskError> {
        self.directory(path.as_bytes(), meta).map(drop)
    }

    /// Removes what is at `path`, if anything is. A link at its end goes itself.
    ///
    /// # Errors
    /// [`RamdiskError`] for a directory with something in it; nothing is changed then.
    pub fn remove(&mut self, path: &str) -> Result<(), RamdiskError> {
        let path = self.resolve(path.as_bytes(), false)?;
        if path.is_empty() || self.is_directory(&path) && !self.tree.is_empty(&path) {
            return Err(RamdiskError::IsDirectory { path: shown(&path) });
        }
        self.take_away(&path);
        Ok(())
    }

    /// Writes it to a new file at `path`, packed as it was.
    ///
    /// # Errors
    /// [`RamdiskError`]; the file may be there in part then.
    pub fn write(&self, path: &Path) -> Result<(), RamdiskError> {
        let failed = RamdiskError::file("write", path);
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path).map_err(&failed)?);
        self.write_to(&mut out).map_err(|error| match error {
            RamdiskError::Pack(source) => failed(source),
            error => error,
        })?;
        out.into_inner().map_err(|error| failed(error.into_error())).map(drop)
    }

    /// Writes it to `out`, packed as it was.
    ///
    /// # Errors
    /// [`RamdiskError`]
    pub fn write_to(&self, out: &mut dyn Write) -> Result<(), RamdiskError> {
        self.check_size()?;
        let Some(header) = &self.header else { return Ok(self.write_image(out)?) };
        let mut image = Vec::new();
        self.write_image(&mut image)?;
        out.write_all(&header.for_data(&image)?)?;
        Ok(out.write_all(&image)?)
    }

    pub(super) fn resolve(&self, path: &[u8], follow_last: bool) -> Result<Canonical, RamdiskError> {
        self.tree.resolve(path, follow_last, &mut { MAX_STEPS }, |node| self.step(node))
    }

    fn step(&self, node: Node) -> Step<'_> {
        match node {
            Node::New(index) => {
                self.inodes.get(index).map_or(Step::Other, |inode| inode.step(&self.base.bytes))
            }
            node => self.base.step(node),
        }
    }

    fn is_directory(&self, path: &[u8]) -> bool {
        path.is_empty() || self.tree.get(path).is_some_and(|node| self.step(node) == Step::Directory)
    }

    /// Puts `inode` at `path`; its number.
    pub(super) fn put(&mut self, path: &[u8], inode: Inode) -> Result<usize, RamdiskError> {
        if inode.kind == Kind::Symlink && inode.data.size() >= MAX_NAME as u64 {
            return Err(RamdiskError::BadPath { path: shown(path) });
        }
        let place = self.vacate(path, inode.meta.mtime)?;
        let index = self.inodes.len();
        self.inodes.push(inode);
        self.tree.insert(&place, Node::New(index));
        Ok(index)
    }

    /// Gives the new file number `index` another name, `path`.
    pub(super) fn put_name(&mut self, path: &[u8], index: usize, mtime: u32) -> Result<(), RamdiskError> {
        let place = self.vacate(path, mtime)?;
        self.tree.insert(&place, Node::New(index));
        Ok(())
    }

    /// Takes away what is at `path`, so that a file can be put there, and makes the directories above; where it is.
    fn vacate(&mut self, path: &[u8], mtime: u32) -> Result<Canonical, RamdiskError> {
        let place = self.resolve(path, false)?;
        check_name(&place)?;
        if self.is_directory(&place) {
            return Err(RamdiskError::IsDirectory { path: shown(&place) });
        }
        self.tree.check_weight()?;
        self.take_away(&place);
        self.make_ancestors(&place, mtime);
        Ok(place)
    }

    /// Makes the directory at `path`, if it is not there; where it is.
    pub(super) fn directory(&mut self, path: &[u8], meta: Meta) -> Result<Canonical, RamdiskError> {
        let mut place = self.resolve(path, false)?;
        let step = self.tree.get(&place).map(|node| self.step(node));
        if matches!(step, Some(Step::Link(_))) {
            place = self.resolve(path, true)?;
            if !self.is_directory(&place) && self.tree.get(&place).is_some() {
                return Err(RamdiskError::NotDirectory { path: shown(path) });
            }
        }
        check_name(&place)?;
        if place.is_empty() || self.is_directory(&place) && self.tree.get(&place) != Some(Node::Implied) {
            return Ok(place);
        }
        self.tree.check_weight()?;
        self.take_away(&place);
        self.make_ancestors(&place, meta.mtime);
        self.insert_directory(&place, meta);
        Ok(place)
    }

    /// The kernel makes no directories that have no member.
    fn make_ancestors(&mut self, path: &[u8], mtime: u32) {
        for above in ancestors(path) {
            if matches!(self.tree.get(above), None | Some(Node::Implied)) {
                self.insert_directory(above, Meta::of_root(DIRECTORY_MODE, mtime));
            }
        }
    }

    fn insert_directory(&mut self, path: &[u8], meta: Meta) {
        self.tree.insert(path, Node::New(self.inodes.len()));
        self.inodes.push(Inode::new(Kind::Directory, meta, Vec::new()));
    }

    /// Takes away what is at `path`, a directory only if nothing is in it or if it is made anew at once.
    fn take_away(&mut self, path: &[u8]) {
        let Some(Node::Old(index)) = self.tree.remove(path) else { return };
        let kind = self.base.member(index).and_then(|member| member.header.kind());
        self.discard(index);
        if kind == Some(Kind::Symlink) {
            self.renew_indirect();
        }
    }

    /// Puts members whose names lead through links there anew, by names that do not, since a link has gone. With a directory all
    /// that is in it is put behind it.
    fn renew_indirect(&mut self) {
        let indirect = std::mem::take(&mut self.base.indirect);
        let alive =
            indirect.into_iter().filter(|(index, path)| self.tree.get(path) == Some(Node::Old(*index)));
        let alive: Vec<Canonical> = alive.map(|(_, path)| path).collect();
        let below = alive.iter().flat_map(|path| self.tree.below(path)).map(<[u8]>::to_vec);
        let paths: BTreeSet<Canonical> = below.chain(alive.iter().cloned()).collect();
        for path in paths {
            if let Some(Node::Old(index)) = self.tree.get(&path) {
                self.renew(index, path);
            }
        }
    }

    /// Leaves member `index` out, and those whose place it has taken. Other names of a file whose data one of them has get the
    /// data themselves.
    fn discard(&mut self, index: usize) {
        let mut left = vec![index];
        while let Some(index) = left.pop() {
            match self.is_gone.get_mut(index) {
                Some(is_gone) if !*is_gone => *is_gone = true,
                _ => continue,
            }
            left.extend(self.base.take_earlier(index));
            if self.base.lends_data(index) {
                let names = self.names(index);
                left.extend(names.iter().map(|(member, _)| *member));
                self.rename(index, &names);
            }
        }
    }

    /// Puts what member `index` has made at `path` there anew, with its other names.
    fn renew(&mut self, index: usize, path: Canonical) {
        let mut names = self.names(index);
        if names.is_empty() {
            names.push((index, path));
        }
        self.rename(index, &names);
        names.iter().for_each(|(member, _)| self.discard(*member));
    }

    /// The names, by members and places, that the file of member `index` still has.
    fn names(&self, index: usize) -> Vec<(usize, Canonical)> {
        let names = self.base.names(index).iter();
        names.filter(|(member, path)| self.tree.get(path) == Some(Node::Old(*member))).cloned().collect()
    }

    /// Lets `names` be those of a new file, which is otherwise that of the first of them, with the data of member `index`.
    fn rename(&mut self, index: usize, names: &[(usize, Canonical)]) {
        let first = names.first().and_then(|(first, _)| self.base.member(*first));
        let inode = first.and_then(|member| Inode::of_member(&member.header, self.base.data(index)));
        let Some(inode) = inode else { return };
        for (_, path) in names {
            self.tree.insert(path, Node::New(self.inodes.len()));
        }
        self.inodes.push(inode);
    }
}

/// Whether an archive can hold a member at `path`, with `./` before it and a NUL behind it.
fn check_name(path: &[u8]) -> Result<(), RamdiskError> {
    match path.len() + 3 > MAX_NAME || path.contains(&0) {
        true => Err(RamdiskError::BadPath { path: shown(path) }),
        false => Ok(()),
    }
}
