//! The check of a layer that was opened again: names, inodes, link counts and blocks must agree.
//!
//! A log whose end was torn off leaves nothing to repair: an operation counts as a whole or not at all. What is found
//! here besides was done to the files from outside.

use std::collections::HashMap;
use std::fmt;

use crate::rootfs::block_store::Run;
use crate::rootfs::inode::{Content, Inode};
use crate::rootfs::tree::Tree;
use crate::rootfs::{Ino, Kind};

/// Something that was not as it must be when a layer was opened, and is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// An operation that was being logged when the process ended; nobody was told that it was done.
    TornLog {
        /// Bytes of the log that were cut.
        bytes: u64,
    },
    /// Changes in the log that no layer makes were left out.
    UnfitChanges {
        /// How many.
        count: u64,
    },
    /// A name without an inode was removed.
    DanglingName {
        /// The directory.
        dir: Ino,
        /// The name, invalid UTF-8 replaced.
        name: String,
    },
    /// A directory had a second name, which was removed.
    SecondName {
        /// The directory that held it.
        dir: Ino,
        /// The name, invalid UTF-8 replaced.
        name: String,
    },
    /// An inode that no name leads to was given up.
    Orphan {
        /// The inode.
        ino: Ino,
    },
    /// A count of links was corrected.
    LinkCount {
        /// The inode.
        ino: Ino,
        /// What it was.
        was: u32,
        /// What it is.
        is: u32,
    },
    /// Blocks that two files claimed were left to the first; the other shows what was below.
    SharedBlocks {
        /// The file that lost them.
        ino: Ino,
        /// How many bytes.
        bytes: u64,
    },
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TornLog { bytes } => {
                write!(f, "cut {bytes} bytes of what was not finished, or not on the disk, off the log")
            }
            Self::UnfitChanges { count } => {
                write!(f, "left out {count} changes of the log that cannot be this layer's")
            }
            Self::DanglingName { dir, name } => {
                write!(f, "removed the name {name:?}, which led nowhere, from directory {}", dir.get())
            }
            Self::SecondName { dir, name } => {
                write!(f, "removed {name:?}, the second name of a directory, from directory {}", dir.get())
            }
            Self::Orphan { ino } => write!(f, "gave up inode {}, to which no name leads", ino.get()),
            Self::LinkCount { ino, was, is } => {
                write!(f, "corrected the number of links of inode {} from {was} to {is}", ino.get())
            }
            Self::SharedBlocks { ino, bytes } => {
                write!(f, "took {bytes} bytes that belong to another file from inode {}", ino.get())
            }
        }
    }
}

/// Checks and repairs `tree`, and returns the blocks in use, in order.
pub(super) fn check(tree: &mut Tree, repairs: &mut Vec<Repair>) -> Vec<Run> {
    let links = walk(tree, repairs);
    check_inodes(tree, &links, repairs);
    check_blocks(tree, repairs)
}

/// Follows every name from the root, removes those that cannot be, and counts the links of what is found.
fn walk(tree: &mut Tree, repairs: &mut Vec<Repair>) -> HashMap<Ino, u32> {
    let mut links = HashMap::from([(Ino::ROOT, 2)]);
    let mut left = vec![Ino::ROOT];
    while let Some(dir) = left.pop() {
        let Ok(names) = tree.list(dir, 0) else { continue };
        let names: Vec<(Vec<u8>, Ino)> = names.map(|(_, name, ino)| (name.to_vec(), ino)).collect();
        let mut subdirectories = 0;
        for (name, ino) in names {
            let shown = || String::from_utf8_lossy(&name).into_owned();
            let kind = tree.meta(ino).map(|meta| meta.kind);
            let repair = match kind {
                Err(_) => Some(Repair::DanglingName { dir, name: shown() }),
                Ok(Kind::Directory) if links.contains_key(&ino) => {
                    Some(Repair::SecondName { dir, name: shown() })
                }
                Ok(Kind::Directory) => {
                    subdirectories += 1;
                    links.insert(ino, 2);
                    left.push(ino);
                    adopt(tree, ino, dir);
                    None
                }
                Ok(_) => {
                    *links.entry(ino).or_default() += 1;
                    None
                }
            };
            if let Some(repair) = repair {
                // The directory was just listed.
                let _ = tree.remove_name(dir, &name);
                repairs.push(repair);
            }
        }
        *links.entry(dir).or_default() += subdirectories;
    }
    links
}

/// Lets `..` of a directory lead to where its name is.
fn adopt(tree: &mut Tree, dir: Ino, parent: Ino) {
    if tree.parent(dir) != Ok(parent) {
        // It is a directory, as its kind says.
        let _ = tree.set_parent(dir, parent);
    }
}

fn check_inodes(tree: &mut Tree, links: &HashMap<Ino, u32>, repairs: &mut Vec<Repair>) {
    let changed = tree.changed.iter().filter(|(_, inode)| inode.is_some());
    let mut orphans: Vec<Ino> = changed.map(|(ino, _)| *ino).filter(|ino| !links.contains_key(ino)).collect();
    orphans.sort_unstable();
    for ino in orphans {
        tree.forget(ino);
        repairs.push(Repair::Orphan { ino });
    }
    let mut wrong: Vec<(Ino, u32, u32)> = links
        .iter()
        .filter_map(|(ino, is)| Some((*ino, tree.meta(*ino).ok()?.nlink, *is)))
        .filter(|(_, was, is)| was != is)
        .collect();
    wrong.sort_unstable();
    for (ino, was, is) in wrong {
        if let Ok(inode) = tree.inode_mut(ino) {
            inode.meta.nlink = is;
            repairs.push(Repair::LinkCount { ino, was, is });
        }
    }
}

fn check_blocks(tree: &Tree, repairs: &mut Vec<Repair>) -> Vec<Run> {
    let mut claims = Vec::new();
    for (ino, inode) in &tree.changed {
        if let Some(Inode { content: Content::File(file), .. }) = inode {
            claims.extend(file.runs().into_iter().map(|(block, run)| (run, *ino, block)));
        }
    }
    claims.sort_unstable_by_key(|(run, ino, _)| (run.start, *ino));
    let mut used: Vec<Run> = Vec::with_capacity(claims.len());
    let mut end = 0;
    for (run, ino, block) in claims {
        if run.start < end {
            if let Ok(Some(file)) = tree.upper_file(ino) {
                file.give_up(block);
            }
            repairs.push(Repair::SharedBlocks { ino, bytes: run.count * crate::rootfs::block_store::BLOCK });
            continue;
        }
        end = run.start + run.count;
        used.push(run);
    }
    used
}
