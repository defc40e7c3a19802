//! Puts members into a tree, under the rules of extraction.

use std::collections::BTreeMap;

use super::pax::Attribute;
use crate::rootfs::error::MemberProblem;
use crate::rootfs::meta::Meta;
use crate::rootfs::path::{MAX_SYMLINKS, components};
use crate::rootfs::permission::check_target;
use crate::rootfs::sparse::Extent;
use crate::rootfs::tree::{MAX_NAME, MAX_TARGET};

/// Index of the root among the nodes.
pub(super) const ROOT: usize = 0;

/// Files and directories that an archive may make, those that it only implies among them.
pub(super) const MAX_NODES: u64 = 2_000_000;
/// Bytes of names and link targets.
const MAX_NAMES: u64 = 256 << 20;
/// Bytes of extended attributes.
const MAX_ATTRIBUTES: u64 = 64 << 20;
/// Extents of all sparse files.
const MAX_EXTENTS: u64 = 4_000_000;
/// Directories and symbolic links that are passed on the ways to all members: bounds the time.
const MAX_STEPS: u64 = 200_000_000;
/// How many links may lie between a hard link and a file that comes after all of them.
const MAX_LINK_CHAIN: u32 = MAX_SYMLINKS;

/// One member of an archive.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) path: Vec<u8>,
    pub(super) meta: Meta,
    pub(super) attributes: Vec<Attribute>,
    pub(super) content: Content,
}

/// What a member holds.
#[derive(Debug)]
pub(super) enum Content {
    Data { offset: u64, size: u64 },
    Sparse { extents: Vec<Extent>, size: u64 },
    Directory,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    None,
}

/// A node of the tree; one that lost all its names stays here, but does not reach the table. Links are counted there.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) meta: Meta,
    pub(super) attributes: Box<[Attribute]>,
    pub(super) content: NodeContent,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum NodeContent {
    Data { offset: u64, size: u64 },
    Sparse { first: usize, count: usize, size: u64 },
    Directory { parent: usize, children: BTreeMap<Box<[u8]>, usize> },
    Symlink(Box<[u8]>),
    None,
}

#[derive(Debug)]
struct PendingLink {
    dir: usize,
    name: Box<[u8]>,
    target: Vec<u8>,
    member: Vec<u8>,
}

/// Something of which an archive may only have so much.
#[derive(Debug)]
struct Allowance {
    used: u64,
    limit: u64,
    what: &'static str,
}

impl Allowance {
    const fn new(limit: u64, what: &'static str) -> Self {
        Self { used: 0, limit, what }
    }

    fn take(&mut self, count: usize) -> Result<(), MemberProblem> {
        self.used = self.used.saturating_add(count as u64);
        if self.used > self.limit {
            return Err(MemberProblem::TooMany { what: self.what, limit: self.limit });
        }
        Ok(())
    }
}

/// The tree while it grows.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) nodes: Vec<Node>,
    pub(super) extents: Vec<Extent>,
    pending: Vec<PendingLink>,
    inodes: Allowance,
    names: Allowance,
    attributes: Allowance,
    extent_allowance: Allowance,
    steps: Allowance,
}

fn check_path(path: &[u8]) -> Result<(), MemberProblem> {
    if path.len() > MAX_TARGET || path.contains(&0) || components(path).any(|part| part.len() > MAX_NAME) {
        return Err(MemberProblem::BadName);
    }
    if components(path).any(|part| part == b"..") {
        return Err(MemberProblem::ParentComponent);
    }
    Ok(())
}

impl Builder {
    /// A tree with an empty root.
    pub(super) fn new() -> Self {
        let content = NodeContent::Directory { parent: ROOT, children: BTreeMap::new() };
        Self {
            nodes: vec![Node { meta: Meta::directory(0o755), attributes: Box::default(), content }],
            extents: Vec::new(),
            pending: Vec::new(),
            inodes: Allowance::new(MAX_NODES, "files and directories"),
            names: Allowance::new(MAX_NAMES, "bytes of names"),
            attributes: Allowance::new(MAX_ATTRIBUTES, "bytes of extended attributes"),
            extent_allowance: Allowance::new(MAX_EXTENTS, "extents of data between holes"),
            steps: Allowance::new(MAX_STEPS, "steps on the ways to its members"),
        }
    }

    fn children(&self, dir: usize) -> Option<&BTreeMap<Box<[u8]>, usize>> {
        match &self.nodes.get(dir)?.content {
            NodeContent::Directory { children, .. } => Some(children),
            _ => None,
        }
    }

    fn child(&self, dir: usize, name: &[u8]) -> Option<usize> {
        self.children(dir)?.get(name).copied()
    }

    fn parent(&self, dir: usize) -> usize {
        match self.nodes.get(dir).map(|node| &node.content) {
            Some(NodeContent::Directory { parent, .. }) => *parent,
            _ => ROOT,
        }
    }

    /// Puts `member` in its place; an earlier one of the same name goes.
    pub(super) fn add(&mut self, member: Member) -> Result<(), MemberProblem> {
        let Member { path, meta, attributes, content } = member;
        check_path(&path)?;
        let mut parts = components(&path);
        let Some(name) = parts.next_back() else {
            return match content {
                Content::Directory => self.set_meta(ROOT, meta, attributes),
                _ => Err(MemberProblem::BadName),
            };
        };
        let parents: Vec<&[u8]> = parts.collect();
        let dir = self.walk(&parents, Some(meta))?;
        if let Content::HardLink(target) = &content {
            return self.add_link(dir, name, target, &path);
        }
        if let Content::Directory = content
            && let Some(existing) = self.child(dir, name)
            && self.children(existing).is_some()
        {
            return self.set_meta(existing, meta, attributes);
        }
        let content = self.node_content(dir, content)?;
        let node = self.push(meta, content)?;
        self.set_meta(node, meta, attributes)?;
        self.enter(dir, name, node)
    }

    fn push(&mut self, meta: Meta, content: NodeContent) -> Result<usize, MemberProblem> {
        self.inodes.take(1)?;
        self.nodes.push(Node { meta, attributes: Box::default(), content });
        Ok(self.nodes.len() - 1)
    }

    fn set_meta(&mut self, node: usize, meta: Meta, attributes: Vec<Attribute>) -> Result<(), MemberProblem> {
        self.attributes.take(attributes.iter().map(|(key, value)| key.len() + value.len()).sum())?;
        if let Some(node) = self.nodes.get_mut(node) {
            node.meta = meta;
            node.attributes = attributes.into();
        }
        Ok(())
    }

    fn node_content(&mut self, parent: usize, content: Content) -> Result<NodeContent, MemberProblem> {
        Ok(match content {
            Content::Data { offset, size } => NodeContent::Data { offset, size },
            Content::Sparse { extents, size } => {
                self.extent_allowance.take(extents.len())?;
                let (first, count) = (self.extents.len(), extents.len());
                self.extents.extend(extents);
                NodeContent::Sparse { first, count, size }
            }
            Content::Directory => NodeContent::Directory { parent, children: BTreeMap::new() },
            Content::Symlink(target) => {
                check_target(&target).map_err(|_| MemberProblem::BadName)?;
                self.names.take(target.len())?;
                NodeContent::Symlink(target.into())
            }
            Content::HardLink(_) | Content::None => NodeContent::None,
        })
    }

    /// Gives `node` a name; whatever had it loses it.
    fn enter(&mut self, dir: usize, name: &[u8], node: usize) -> Result<(), MemberProblem> {
        self.names.take(name.len())?;
        self.remove(dir, name);
        if let Some(NodeContent::Directory { children, .. }) =
            self.nodes.get_mut(dir).map(|dir| &mut dir.content)
        {
            children.insert(name.into(), node);
        }
        Ok(())
    }

    fn remove(&mut self, dir: usize, name: &[u8]) {
        let Some(NodeContent::Directory { children, .. }) =
            self.nodes.get_mut(dir).map(|dir| &mut dir.content)
        else {
            return;
        };
        children.remove(name);
    }

    /// The directory at `parts`. Symbolic links lead on inside the tree; `create` makes what is missing.
    fn walk(&mut self, parts: &[&[u8]], create: Option<Meta>) -> Result<usize, MemberProblem> {
        let mut left: Vec<Box<[u8]>> = parts.iter().rev().map(|part| (*part).into()).collect();
        let mut dir = ROOT;
        let mut links = 0;
        while let Some(part) = left.pop() {
            self.steps.take(1)?;
            if &*part == b".." {
                dir = self.parent(dir);
                continue;
            }
            let Some(next) = self.child(dir, &part) else {
                let meta = create.ok_or(MemberProblem::NotDirectory)?;
                let meta = Meta {
                    mtime: meta.mtime,
                    ctime: meta.ctime,
                    atime: meta.atime,
                    ..Meta::directory(0o755)
                };
                let content = NodeContent::Directory { parent: dir, children: BTreeMap::new() };
                let made = self.push(meta, content)?;
                self.enter(dir, &part, made)?;
                dir = made;
                continue;
            };
            match self.nodes.get(next).map(|node| &node.content) {
                Some(NodeContent::Directory { .. }) => dir = next,
                Some(NodeContent::Symlink(target)) => {
                    links += 1;
                    if links > MAX_SYMLINKS {
                        return Err(MemberProblem::SymlinkLoop);
                    }
                    if target.starts_with(b"/") {
                        dir = ROOT;
                    }
                    left.extend(components(target).rev().map(Box::from));
                }
                _ => return Err(MemberProblem::NotDirectory),
            }
        }
        Ok(dir)
    }

    fn add_link(
        &mut self,
        dir: usize,
        name: &[u8],
        target: &[u8],
        member: &[u8],
    ) -> Result<(), MemberProblem> {
        check_path(target)?;
        match self.find(target) {
            // A link to its own name leaves the file as it is.
            Some(node) if self.child(dir, name) == Some(node) => Ok(()),
            Some(node) => self.link(dir, name, node),
            None => {
                self.remove(dir, name);
                self.inodes.take(1)?;
                self.names.take(name.len() + target.len() + member.len())?;
                let (name, target, member) = (name.into(), target.to_vec(), member.to_vec());
                self.pending.push(PendingLink { dir, name, target, member });
                Ok(())
            }
        }
    }

    fn link(&mut self, dir: usize, name: &[u8], node: usize) -> Result<(), MemberProblem> {
        if self.children(node).is_some() {
            return Err(MemberProblem::LinkToDirectory);
        }
        self.enter(dir, name, node)
    }

    fn find(&mut self, path: &[u8]) -> Option<usize> {
        let mut parts = components(path);
        let name = parts.next_back()?;
        let parents: Vec<&[u8]> = parts.collect();
        let dir = self.walk(&parents, None).ok()?;
        self.child(dir, name)
    }

    /// Resolves hard links that came before their targets.
    ///
    /// # Errors
    /// The first member whose target is nowhere, only reached through itself, or behind too many other links.
    pub(super) fn resolve_links(&mut self) -> Result<(), (Vec<u8>, MemberProblem)> {
        let mut pending = std::mem::take(&mut self.pending);
        for _ in 0..MAX_LINK_CHAIN {
            let before = pending.len();
            let mut unresolved = Vec::new();
            for link in pending {
                if self.child(link.dir, &link.name).is_some() {
                    continue;
                }
                match self.find(&link.target) {
                    Some(node) => {
                        self.link(link.dir, &link.name, node).map_err(|problem| (link.member, problem))?;
                    }
                    None => unresolved.push(link),
                }
            }
            pending = unresolved;
            if pending.is_empty() {
                return Ok(());
            }
            if pending.len() == before {
                let link = pending.swap_remove(0);
                let target = String::from_utf8_lossy(&link.target).into_owned();
                return Err((link.member, MemberProblem::DanglingLink(target)));
            }
        }
        pending.pop().map_or(Ok(()), |link| Err((link.member, MemberProblem::LinkChain)))
    }
}
