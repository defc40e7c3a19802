//! What has to change in a root filesystem, worked out from what is there.

use std::collections::BTreeSet;

use super::error::InstallError;
use super::layout::{AGENT, BESIDE, BIN, LIBRARIES, MANIFEST, NAME, PROGRAMS, SHELLS_BESIDE, join, split};
use super::manifest::{MAX_MANIFEST, Manifest};
use super::program::{MAX_AGENT, Program};
use super::tree::{Change, Found, Tree, resolve};

/// Directories of an installation that may lie in each other.
const MAX_DEPTH: usize = 8;

/// Where the parts of an installation are, or would be.
pub(super) struct Place {
    /// Its directory, if it is there.
    pub(super) base: Option<String>,
    /// What was installed, if the directory says so.
    pub(super) manifest: Option<Manifest>,
    /// The link that users call the agent by, if it is there and is the installation's.
    pub(super) link: Option<String>,
    /// Removes what an interrupted installation has left beside.
    pub(super) leftovers: Vec<Change>,
    /// Whether the directory has something in it that no installation puts there.
    has_foreign: bool,
}

impl Place {
    /// Looks for an installation in `tree`.
    ///
    /// # Errors
    /// [`InstallError::NotARoot`], [`InstallError::Occupied`], or when the target cannot be read.
    pub(super) fn find(tree: &mut dyn Tree) -> Result<Self, InstallError> {
        let mut is_root = false;
        for name in ["bin", "sbin", "usr"] {
            is_root = is_root || tree.look(name)?.is_some();
        }
        if !is_root {
            return Err(InstallError::NotARoot);
        }
        let mut place =
            Self { base: None, manifest: None, link: None, leftovers: Vec::new(), has_foreign: false };
        if let Some(libraries) = resolve(tree, LIBRARIES)? {
            for name in SHELLS_BESIDE {
                let beside = join(&libraries, name);
                if tree.look(&beside)? == Some(Found::Directory) {
                    clear(tree, &beside, MAX_DEPTH, &mut place.leftovers)?;
                }
            }
            let base = join(&libraries, NAME);
            place.base = match tree.look(&base)? {
                None => None,
                Some(Found::Directory) => Some(base),
                Some(_) => return Err(InstallError::Occupied { path: base }),
            };
        }
        if let Some(base) = place.base.clone() {
            place.manifest = manifest(tree, &base)?;
            place.look_into(tree, &base)?;
        }
        if let Some(programs) = resolve(tree, PROGRAMS)? {
            let link = join(&programs, NAME);
            place.link = match tree.look(&link)? {
                None => None,
                Some(Found::Link(target)) if target == AGENT => Some(link),
                Some(_) => return Err(InstallError::Occupied { path: link }),
            };
            let beside = join(&programs, &format!("{BESIDE}{NAME}"));
            if tree.look(&beside)?.is_some() {
                place.leftovers.push(Change::RemoveFile(beside));
            }
        }
        Ok(place)
    }

    /// Finds what was left in the installation's directory, and if there is no manifest, whether all of it is an installation's.
    fn look_into(&mut self, tree: &mut dyn Tree, base: &str) -> Result<(), InstallError> {
        let bin = join(base, BIN);
        let mut directories = vec![base];
        if tree.look(&bin)? == Some(Found::Directory) {
            directories.push(&bin);
        }
        for directory in directories {
            for name in tree.list(directory)? {
                let path = join(directory, &name);
                let is_beside = name.starts_with(BESIDE);
                if self.manifest.is_some() && !is_beside {
                    continue;
                }
                let found = tree.look(&path)?;
                if is_beside && matches!(found, Some(Found::File { .. } | Found::Link(_))) {
                    self.leftovers.push(Change::RemoveFile(path));
                    continue;
                }
                let is_ours = match (directory == base, found) {
                    (true, Some(Found::Directory)) => name == BIN,
                    (true, Some(Found::File { .. })) => name == MANIFEST,
                    (false, Some(Found::File { .. })) => name == NAME,
                    (false, Some(Found::Link(target))) => target == NAME,
                    _ => false,
                };
                self.has_foreign |= !is_ours;
            }
        }
        Ok(())
    }

    /// Whether an installation was begun and not finished.
    pub(super) fn is_interrupted(&self) -> bool {
        let is_begun = self.base.is_some() && self.manifest.is_none();
        !self.has_foreign && (is_begun || !self.leftovers.is_empty())
    }

    /// The installation's directory.
    ///
    /// # Errors
    /// [`InstallError::Occupied`] if what is there is no installation: without a manifest, and not only made by halves.
    fn own(&self) -> Result<Option<&str>, InstallError> {
        match (&self.base, &self.manifest) {
            (Some(base), None) if self.has_foreign => Err(InstallError::Occupied { path: base.clone() }),
            (base, _) => Ok(base.as_deref()),
        }
    }
}

fn manifest(tree: &mut dyn Tree, base: &str) -> Result<Option<Manifest>, InstallError> {
    let path = join(base, MANIFEST);
    match tree.look(&path)? {
        Some(Found::File { size, .. }) if size <= MAX_MANIFEST as u64 => {
            Ok(Manifest::parse(&tree.read(&path, MAX_MANIFEST)?))
        }
        _ => Ok(None),
    }
}

/// Works out how `program` is installed; nothing is left to do where it is already.
///
/// # Errors
/// [`InstallError::NotARoot`], [`InstallError::Occupied`], or when the target cannot be read.
pub(super) fn install(tree: &mut dyn Tree, program: &Program) -> Result<Vec<Change>, InstallError> {
    let place = Place::find(tree)?;
    place.own()?;
    let mut plan = Plan { tree, changes: place.leftovers.clone(), made: Vec::new() };
    let libraries = plan.directory(LIBRARIES)?;
    let programs = plan.directory(PROGRAMS)?;
    let mut made = plan.made.clone();
    if let Some(before) = &place.manifest {
        made.extend(before.made.iter().cloned());
    }
    let manifest = Manifest::new(program, made);
    let base = join(&libraries, NAME);
    let bin = join(&base, BIN);
    plan.make_directory(&base)?;
    plan.make_directory(&bin)?;
    plan.write(&join(&bin, NAME), 0o755, &program.binary)?;
    for name in &manifest.links {
        plan.link(&join(&bin, name), NAME)?;
    }
    plan.link(&join(&programs, NAME), AGENT)?;
    // What an earlier release had and this one has no more.
    let kept: BTreeSet<&str> = manifest.links.iter().map(String::as_str).collect();
    for name in place.manifest.iter().flat_map(|before| &before.links) {
        let path = join(&bin, name);
        if !kept.contains(name.as_str()) && plan.tree.look(&path)? == Some(Found::Link(NAME.to_owned())) {
            plan.changes.push(Change::RemoveFile(path));
        }
    }
    plan.write(&join(&base, MANIFEST), 0o644, manifest.text().as_bytes())?;
    Ok(plan.changes)
}

/// Works out how the installation is removed; nothing is left to do where none is.
///
/// # Errors
/// [`InstallError::NotARoot`], [`InstallError::Occupied`], or when the target cannot be read.
pub(super) fn remove(tree: &mut dyn Tree) -> Result<Vec<Change>, InstallError> {
    let place = Place::find(tree)?;
    let base = place.own()?;
    let mut changes: Vec<Change> = place.link.iter().cloned().map(Change::RemoveFile).collect();
    let below = base.map(|base| format!("{base}/"));
    let is_outside = |change: &&Change| !below.as_ref().is_some_and(|below| change.path().starts_with(below));
    changes.extend(place.leftovers.iter().filter(is_outside).cloned());
    if let Some(base) = base {
        clear(tree, base, MAX_DEPTH, &mut changes)?;
    }
    // What was made for the installation goes if nothing else has come into it.
    for directory in place.manifest.iter().flat_map(|manifest| manifest.made.iter().rev()) {
        let gone: BTreeSet<&str> = changes.iter().map(Change::path).collect();
        let is_there = tree.look(directory)? == Some(Found::Directory);
        if is_there && tree.list(directory)?.iter().all(|name| gone.contains(join(directory, name).as_str()))
        {
            changes.push(Change::RemoveDirectory(directory.clone()));
        }
    }
    Ok(changes)
}

/// Removes a directory and what is in it.
fn clear(
    tree: &mut dyn Tree,
    directory: &str,
    depth: usize,
    changes: &mut Vec<Change>,
) -> Result<(), InstallError> {
    for name in tree.list(directory)? {
        let path = join(directory, &name);
        match tree.look(&path)? {
            Some(Found::Directory) if depth == 0 => return Err(InstallError::Occupied { path }),
            Some(Found::Directory) => clear(tree, &path, depth - 1, changes)?,
            _ => changes.push(Change::RemoveFile(path)),
        }
    }
    changes.push(Change::RemoveDirectory(directory.to_owned()));
    Ok(())
}

/// Changes as they are collected; what is as it should be is left alone.
struct Plan<'t> {
    tree: &'t mut dyn Tree,
    changes: Vec<Change>,
    /// Directories that are not the installation's own and had to be made.
    made: Vec<String>,
}

impl Plan<'_> {
    /// The path that `path` leads to; what is missing of it is made.
    fn directory(&mut self, path: &str) -> Result<String, InstallError> {
        if self.made.iter().any(|made| made == path) {
            return Ok(path.to_owned());
        }
        match resolve(self.tree, path)? {
            Some(found) if self.tree.look(&found)? == Some(Found::Directory) => return Ok(found),
            Some(path) => return Err(InstallError::Occupied { path }),
            None => {}
        }
        let (parent, name) = split(path);
        let parent = if parent.is_empty() { String::new() } else { self.directory(parent)? };
        let path = join(&parent, name);
        // Of a link that leads nowhere nobody knows what it is to become.
        if !self.made.contains(&parent) && self.tree.look(&path)?.is_some() {
            return Err(InstallError::Occupied { path });
        }
        self.changes.push(Change::MakeDirectory(path.clone()));
        self.made.push(path.clone());
        Ok(path)
    }

    fn make_directory(&mut self, path: &str) -> Result<(), InstallError> {
        match self.look(path)? {
            Some(Found::Directory) => {}
            None => self.changes.push(Change::MakeDirectory(path.to_owned())),
            Some(_) => return Err(InstallError::Occupied { path: path.to_owned() }),
        }
        Ok(())
    }

    fn write(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<(), InstallError> {
        match self.look(path)? {
            Some(Found::File { size, mode: is })
                if is == mode
                    && size == content.len() as u64
                    && self.tree.read(path, MAX_AGENT as usize)? == content =>
            {
                return Ok(());
            }
            Some(Found::Directory) => return Err(InstallError::Occupied { path: path.to_owned() }),
            _ => {}
        }
        self.changes.push(Change::Write { path: path.to_owned(), mode, content: content.to_vec() });
        Ok(())
    }

    fn link(&mut self, path: &str, target: &str) -> Result<(), InstallError> {
        match self.look(path)? {
            Some(Found::Link(is)) if is == target => return Ok(()),
            Some(Found::Directory) => return Err(InstallError::Occupied { path: path.to_owned() }),
            _ => {}
        }
        self.changes.push(Change::Link { path: path.to_owned(), target: target.to_owned() });
        Ok(())
    }

    /// What is at `path`, below what is still to be made as well.
    fn look(&mut self, path: &str) -> Result<Option<Found>, InstallError> {
        let parent = split(path).0;
        let is_new =
            self.changes.iter().any(|change| matches!(change, Change::MakeDirectory(made) if made == parent));
        if is_new { Ok(None) } else { self.tree.look(path) }
    }
}

#[cfg(test)]
mod tests;
