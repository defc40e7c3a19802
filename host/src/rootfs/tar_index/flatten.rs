//! From the tree of nodes to the compact table.

use std::fs::File;

use super::builder::{Builder, NodeContent, ROOT};
use super::pax::Attribute;
use crate::rootfs::lower::{Lower, LowerAttribute, LowerContent, LowerEntry, LowerInode, Name, Span};
use crate::rootfs::tree::DIRECTORY_SIZE;
use crate::rootfs::{Ino, Kind};

/// What is reachable from the root, breadth first.
struct Numbering {
    /// The nodes, in the order of their numbers; the first has [`Ino::ROOT`].
    order: Vec<usize>,
    /// The number of each node that is reachable.
    numbers: Vec<Option<Ino>>,
    /// Names that lead to each node.
    links: Vec<u32>,
}

impl Numbering {
    fn new(builder: &Builder) -> Option<Self> {
        let mut numbers: Vec<Option<Ino>> = vec![None; builder.nodes.len()];
        let mut links = vec![0_u32; builder.nodes.len()];
        let mut order = vec![ROOT];
        *numbers.get_mut(ROOT)? = Some(Ino::ROOT);
        let mut at = 0;
        while let Some(&node) = order.get(at) {
            at += 1;
            let NodeContent::Directory { children, .. } = &builder.nodes.get(node)?.content else { continue };
            for &child in children.values() {
                *links.get_mut(child)? += 1;
                let number = numbers.get_mut(child)?;
                if number.is_none() {
                    *number = Some(Ino::new(u32::try_from(order.len()).ok()?.checked_add(Ino::ROOT.get())?)?);
                    order.push(child);
                }
            }
        }
        Some(Self { order, numbers, links })
    }

    fn number(&self, node: usize) -> Option<Ino> {
        *self.numbers.get(node)?
    }
}

/// Numbers what is reachable from the root and packs it; `None` if a 32-bit index is too small.
pub(super) fn flatten(builder: Builder, file: File, archive: u64) -> Option<Lower> {
    let numbering = Numbering::new(&builder)?;
    let order = &numbering.order;
    let mut lower = Lower {
        file,
        archive,
        inodes: Vec::with_capacity(order.len()),
        entries: Vec::with_capacity(order.len()),
        names: Vec::new(),
        extents: builder.extents,
        attributes: Vec::new(),
        attribute_bytes: Vec::new(),
        bytes: 0,
    };
    for &index in order {
        let node = builder.nodes.get(index)?;
        let mut meta = node.meta;
        meta.nlink = *numbering.links.get(index)?;
        let (size, content) = match &node.content {
            NodeContent::Data { offset, size } => (*size, LowerContent::Data { offset: *offset }),
            NodeContent::Sparse { first, count, size } => (
                *size,
                LowerContent::Sparse {
                    first: u32::try_from(*first).ok()?,
                    count: u32::try_from(*count).ok()?,
                },
            ),
            NodeContent::Directory { parent, children } => {
                let first = u32::try_from(lower.entries.len()).ok()?;
                meta.nlink = 2;
                for (name, child) in children {
                    let name = intern(&mut lower.names, name)?;
                    lower.entries.push(LowerEntry { name, ino: numbering.number(*child)? });
                    meta.nlink += u32::from(builder.nodes.get(*child)?.meta.kind == Kind::Directory);
                }
                let (count, parent) = (u32::try_from(children.len()).ok()?, numbering.number(*parent)?);
                (DIRECTORY_SIZE, LowerContent::Directory { first, count, parent })
            }
            NodeContent::Symlink(target) => {
                (target.len() as u64, LowerContent::Target(intern(&mut lower.names, target)?))
            }
            NodeContent::None => (0, LowerContent::None),
        };
        if meta.kind == Kind::Symlink {
            meta.mode = 0o777;
        }
        let ino = Ino::new(Ino::ROOT.get() + u32::try_from(lower.inodes.len()).ok()?)?;
        for attribute in &node.attributes {
            let attribute = keep_attribute(&mut lower.attribute_bytes, ino, attribute)?;
            lower.attributes.push(attribute);
        }
        lower.bytes = lower.bytes.saturating_add(size);
        lower.inodes.push(LowerInode { meta, size, content });
    }
    lower.entries.shrink_to_fit();
    lower.names.shrink_to_fit();
    lower.extents.shrink_to_fit();
    lower.attributes.shrink_to_fit();
    lower.attribute_bytes.shrink_to_fit();
    Some(lower)
}

fn keep_attribute(arena: &mut Vec<u8>, ino: Ino, (key, value): &Attribute) -> Option<LowerAttribute> {
    let mut keep = |bytes: &[u8]| {
        let start = u32::try_from(arena.len()).ok()?;
        arena.extend_from_slice(bytes);
        Some(Span { start, length: u32::try_from(bytes.len()).ok()? })
    };
    Some(LowerAttribute { ino, key: keep(key.as_bytes())?, value: keep(value)? })
}

fn intern(names: &mut Vec<u8>, name: &[u8]) -> Option<Name> {
    let start = u32::try_from(names.len()).ok()?;
    names.extend_from_slice(name);
    u32::try_from(names.len()).ok()?;
    Some(Name { start, length: u16::try_from(name.len()).ok()? })
}
