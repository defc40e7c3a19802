//! A root filesystem as an installer sees it, whatever holds it.

use std::collections::VecDeque;

use super::error::InstallError;
use super::layout::{join, split};

/// Symbolic links that one path may lead through, as Linux has it.
const MAX_LINKS: usize = 40;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Bytes in it.
        size: u64,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link and its target.
    Link(String),
    /// A device, a socket, a pipe, or a link to what is not UTF-8.
    Other,
}

/// One thing that is to be different afterwards. Paths lead through no symbolic link; what is made is root's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Makes a directory, mode 0755, in one that is there.
    MakeDirectory(String),
    /// Makes a file, or puts another one in its place.
    Write {
        /// The file.
        path: String,
        /// Permission bits.
        mode: u32,
        /// What is to be in it.
        content: Vec<u8>,
    },
    /// Makes a symbolic link, also in the place of another one.
    Link {
        /// The link.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// Removes a file or a link.
    RemoveFile(String),
    /// Removes a directory, of which all else is removed before.
    RemoveDirectory(String),
}

impl Change {
    /// What is changed.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::MakeDirectory(path) | Self::RemoveFile(path) | Self::RemoveDirectory(path) => path,
            Self::Write { path, .. } | Self::Link { path, .. } => path,
        }
    }
}

/// A root filesystem.
///
/// Paths have no slash at either end; the root is the empty one. Those of all methods lead through no symbolic link:
/// [`resolve`] finds such.
pub(super) trait Tree {
    /// What is at `path`; `None` if nothing is.
    ///
    /// # Errors
    /// When the target cannot be read.
    fn look(&mut self, path: &str) -> Result<Option<Found>, InstallError>;

    /// The names in the directory at `path`.
    ///
    /// # Errors
    /// When the target cannot be read, or has a name in it that is not UTF-8.
    fn list(&mut self, path: &str) -> Result<Vec<String>, InstallError>;

    /// The file at `path`, but at most its first `limit` bytes.
    ///
    /// # Errors
    /// When the target cannot be read.
    fn read(&mut self, path: &str, limit: usize) -> Result<Vec<u8>, InstallError>;

    /// Makes all of `changes`, in their order, or none.
    ///
    /// # Errors
    /// When the target cannot be written; it is as it was then.
    fn apply(&mut self, changes: &[Change]) -> Result<(), InstallError>;
}

/// Finds the path without symbolic links that `path` leads to, as a process finds it whose root the tree is: nothing leads out.
/// `None` if a part of it, or its end, is not there.
///
/// # Errors
/// When the target cannot be read.
pub(super) fn resolve(tree: &mut dyn Tree, path: &str) -> Result<Option<String>, InstallError> {
    let mut left: VecDeque<String> = parts(path);
    let (mut at, mut links) = (String::new(), 0);
    while let Some(name) = left.pop_front() {
        if name == ".." {
            at.truncate(split(&at).0.len());
            continue;
        }
        let next = join(&at, &name);
        match tree.look(&next)? {
            Some(Found::Link(target)) if links < MAX_LINKS => {
                links += 1;
                if target.starts_with('/') {
                    at.clear();
                }
                let mut new = parts(&target);
                new.append(&mut left);
                left = new;
            }
            Some(Found::Directory) => at = next,
            Some(Found::File { .. } | Found::Other) if left.is_empty() => at = next,
            _ => return Ok(None),
        }
    }
    Ok(Some(at))
}

fn parts(path: &str) -> VecDeque<String> {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
}
