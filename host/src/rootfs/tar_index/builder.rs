//! Puts members into a tree, under the rules of extraction.

use std::collections::BTreeMap;

use crate::rootfs::error::MemberProblem;
use crate::rootfs::meta::Meta;
use crate::rootfs::path::{MAX_SYMLINKS, components};
use crate::rootfs::sparse::Extent;
use crate::rootfs::tree::{MAX_NAME, MAX_TARGET};

/// Index of the root among the nodes.
pub(super) const ROOT: usize = 0;

/// One member of an archive.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) path: Vec<u8>,
    pub(super) meta: Meta,
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

struct PendingLink {
    dir: usize,
    name: Box<[u8]>,
    target: Vec<u8>,
    member: Vec<u8>,
}

/// The tree while it grows.
pub(super) struct Builder {
    pub(super) nodes: Vec<Node>,
    pub(super) extents: Vec<Extent>,
    pending: Vec<PendingLink>,
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
            nodes: vec![Node { meta: Meta::directory(0o755), content }],
            extents: Vec::new(),
            pending: Vec::new(),
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
        check_path(&member.path)?;
        let mut parts = components(&member.path);
        let Some(name) = parts.next_back() else {
            return self.set_root(&member);
        };
        let parents: Vec<&[u8]> = parts.collect();
        let dir = self.walk(&parents, Some(member.meta))?;
        if let Content::HardLink(target) = &member.content {
            return self.add_link(dir, name, target, &member.path);
        }
        if let Content::Directory = member.content
            && let Some(existing) = self.child(dir, name)
            && self.children(existing).is_some()
        {
            self.set_meta(existing, member.meta);
            return Ok(());
        }
        let content = self.node_content(dir, member.content)?;
        self.nodes.push(Node { meta: member.meta, content });
        self.enter(dir, name, self.nodes.len() - 1);
        Ok(())
    }

    fn set_root(&mut self, member: &Member) -> Result<(), MemberProblem> {
        if !matches!(member.content, Content::Directory) {
            return Err(MemberProblem::BadName);
        }
        self.set_meta(ROOT, member.meta);
        Ok(())
    }

    fn set_meta(&mut self, node: usize, meta: Meta) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.meta = meta;
        }
    }

    fn node_content(&mut self, parent: usize, content: Content) -> Result<NodeContent, MemberProblem> {
        Ok(match content {
            Content::Data { offset, size } => NodeContent::Data { offset, size },
            Content::Sparse { extents, size } => {
                let (first, count) = (self.extents.len(), extents.len());
                self.extents.extend(extents);
                NodeContent::Sparse { first, count, size }
            }
            Content::Directory => NodeContent::Directory { parent, children: BTreeMap::new() },
            Content::Symlink(target) => {
                if target.is_empty() || target.len() >= MAX_TARGET || target.contains(&0) {
                    return Err(MemberProblem::BadName);
                }
                NodeContent::Symlink(target.into())
            }
            Content::HardLink(_) | Content::None => NodeContent::None,
        })
    }

    /// Gives `node` a name; whatever had it loses it.
    fn enter(&mut self, dir: usize, name: &[u8], node: usize) {
        self.remove(dir, name);
        if let Some(NodeContent::Directory { children, .. }) =
            self.nodes.get_mut(dir).map(|dir| &mut dir.content)
        {
            children.insert(name.into(), node);
        }
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
                self.nodes.push(Node { meta, content });
                let made = self.nodes.len() - 1;
                self.enter(dir, &part, made);
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
        self.enter(dir, name, node);
        Ok(())
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
    /// The first member whose target is nowhere, or only reached through itself.
    pub(super) fn resolve_links(&mut self) -> Result<(), (Vec<u8>, MemberProblem)> {
        let mut pending = std::mem::take(&mut self.pending);
        loop {
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
    }
}
