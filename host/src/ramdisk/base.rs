//! The archive of a RAM disk as it was read, and what it makes when it is unpacked.

use std::collections::HashMap;
use std::ops::Range;

use super::cpio::{Archive, Member};
use super::error::RamdiskError;
use super::tree::{Canonical, MAX_STEPS, Node, Step, Tree};
use crate::rootfs::{Kind, components};

/// Device and inode that hard links to one file have in common.
type LinkId = [u32; 3];

/// An archive, its bytes, and how its members hang together.
#[derive(Debug)]
pub(super) struct Base {
    /// The archive and what fills it up.
    pub(super) bytes: Vec<u8>,
    pub(super) archive: Archive,
    /// Members that a later one takes the place of, by the last one.
    earlier: HashMap<usize, Vec<usize>>,
    /// Members that may be names of one file, in their order, and where they are.
    links: HashMap<LinkId, Vec<(usize, Canonical)>>,
    /// Members whose names lead through symbolic links, and where they are.
    pub(super) indirect: Vec<(usize, Canonical)>,
}

impl Base {
    /// Unpacks `archive`, which is in `bytes`, as far as names go: as the kernel does, a later member takes an earlier one's
    /// place, links lead on from where they are at that time, and what has no place is passed over.
    ///
    /// # Errors
    /// [`RamdiskError::TooComplex`]
    pub(super) fn unpack(bytes: Vec<u8>, archive: Archive) -> Result<(Self, Tree), RamdiskError> {
        let (links, indirect) = (HashMap::new(), Vec::new());
        let mut base = Self { bytes, archive, earlier: HashMap::new(), links, indirect };
        let mut tree = Tree::default();
        let mut fuel = MAX_STEPS;
        for index in 0..base.archive.members.len() {
            base.unpack_member(index, &mut tree, &mut fuel)?;
            tree.check_weight()?;
        }
        Ok((base, tree))
    }

    fn unpack_member(&mut self, index: usize, tree: &mut Tree, fuel: &mut u64) -> Result<(), RamdiskError> {
        let Some(member) = self.archive.members.get(index) else { return Ok(()) };
        let name = self.bytes.get(member.name.clone()).unwrap_or_default();
        let path = match tree.resolve(name, false, fuel, |node| self.step(node)) {
            Err(error @ RamdiskError::TooComplex) => return Err(error),
            Err(_) => return Ok(()),
            Ok(path) if path.is_empty() => return Ok(()),
            Ok(path) => path,
        };
        let is_directory = member.header.kind() == Some(Kind::Directory);
        let before = tree.get(&path);
        let is_occupied =
            before.is_some_and(|node| self.step(node) == Step::Directory) && !tree.is_empty(&path);
        if is_occupied && !is_directory {
            return Ok(());
        }
        let is_indirect = components(name).collect::<Vec<_>>().join(&b'/') != path;
        let link_id = self.is_link(member).then_some(member.header.id);
        tree.insert(&path, Node::Old(index));
        if let Some(Node::Old(before)) = before {
            let mut earlier = self.earlier.remove(&before).unwrap_or_default();
            earlier.push(before);
            self.earlier.insert(index, earlier);
        }
        if is_indirect {
            tree.add_weight(&path);
            self.indirect.push((index, path.clone()));
        }
        if let Some(id) = link_id {
            tree.add_weight(&path);
            self.links.entry(id).or_default().push((index, path));
        }
        Ok(())
    }

    /// Whether `member` may be one name of several of a file.
    fn is_link(&self, member: &Member) -> bool {
        member.header.links > 1 && member.header.kind() == Some(Kind::Regular)
    }

    pub(super) fn member(&self, index: usize) -> Option<&Member> {
        self.archive.members.get(index)
    }

    /// What a node of this archive is to a path that leads through it.
    pub(super) fn step(&self, node: Node) -> Step<'_> {
        let Node::Old(index) = node else { return Step::Directory };
        match self.member(index).and_then(|member| member.header.kind()) {
            Some(Kind::Directory) => Step::Directory,
            Some(Kind::Symlink) => Step::Link(self.bytes.get(self.data(index)).unwrap_or_default()),
            _ => Step::Other,
        }
    }

    /// All names of the file that member `index` is one name of: members and where they are.
    pub(super) fn names(&self, index: usize) -> &[(usize, Canonical)] {
        let member = self.member(index).filter(|member| self.is_link(member));
        member.and_then(|member| self.links.get(&member.header.id)).map_or(&[], Vec::as_slice)
    }

    /// Whether other names of a file have their data from member `index`.
    pub(super) fn lends_data(&self, index: usize) -> bool {
        self.member(index).is_some_and(|member| self.is_link(member) && !member.data.is_empty())
    }

    /// Takes the members whose place member `index` has taken.
    pub(super) fn take_earlier(&mut self, index: usize) -> Vec<usize> {
        self.earlier.remove(&index).unwrap_or_default()
    }

    /// Where the data of member `index` is: one of the names of a file has it for all of them.
    pub(super) fn data(&self, index: usize) -> Range<usize> {
        let names = self.names(index).iter().rev().filter_map(|(index, _)| self.member(*index));
        let lender = names.into_iter().find(|member| !member.data.is_empty());
        lender.or_else(|| self.member(index)).map_or(0..0, |member| member.data.clone())
    }

    /// A number of a device that no member is on.
    pub(super) fn free_device(&self) -> [u32; 2] {
        let on_first = self.archive.members.iter().map(|member| member.header.id);
        let mut minors: Vec<u32> =
            on_first.filter_map(|[_, major, minor]| (major == 0).then_some(minor)).collect();
        minors.sort_unstable();
        minors.dedup();
        // The first number that is another than its place in the list; there are fewer members than numbers.
        let free = (0..).zip(&minors).find(|(number, minor)| number != *minor).map(|(number, _)| number);
        [0, free.unwrap_or(minors.len() as u32)]
    }
}
