//! A file tree as plain as can be: what a RAM disk is held against.

use std::collections::BTreeMap;

use super::super::cpio::{Archive, Header, type_bits};
use super::super::uimage;
use super::{Made, archive};
use crate::rootfs::Kind;

/// What something is, whatever it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: u32,
    pub(super) device: [u32; 2],
    pub(super) data: Vec<u8>,
}

impl Thing {
    pub(super) fn directory(mtime: u32) -> Self {
        Self { kind: Kind::Directory, mode: 0o755, uid: 0, gid: 0, mtime, device: [0, 0], data: Vec::new() }
    }
}

/// Names and things; names of one file share its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) names: BTreeMap<String, usize>,
    pub(super) things: Vec<Thing>,
}

/// Why something cannot be put there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused;

impl Model {
    pub(super) fn thing(&self, path: &str) -> Option<&Thing> {
        self.names.get(path).map(|number| &self.things[*number])
    }

    fn is_directory(&self, path: &str) -> bool {
        path.is_empty() || self.thing(path).is_some_and(|thing| thing.kind == Kind::Directory)
    }

    /// Follows the links of `path`, from the directory `at` on.
    fn real(&self, at: &str, path: &str, follow_last: bool, fuel: &mut u32) -> Result<String, Refused> {
        let Some(((first, rest), at)) = path.split_once('/').or(Some((path, ""))).map(|parts| (parts, at))
        else {
            return Ok(at.to_owned());
        };
        let next = match first {
            "" | "." => at.to_owned(),
            ".." => at.rsplit_once('/').map_or("", |(above, _)| above).to_owned(),
            name if at.is_empty() => name.to_owned(),
            name => format!("{at}/{name}"),
        };
        let is_last = rest.split('/').all(|part| part.is_empty() || part == ".");
        match self.thing(&next) {
            Some(thing) if thing.kind == Kind::Symlink && (follow_last || !is_last) => {
                *fuel = fuel.checked_sub(1).ok_or(Refused)?;
                let target = String::from_utf8(thing.data.clone()).unwrap();
                let from = if target.starts_with('/') { "" } else { at };
                let whole = if is_last { target } else { format!("{target}/{rest}") };
                self.real(from, &whole, follow_last, fuel)
            }
            Some(thing) if thing.kind != Kind::Directory && !is_last => Err(Refused),
            _ if is_last => Ok(next),
            _ => self.real(&next, rest, follow_last, fuel),
        }
    }

    fn resolve(&self, path: &str, follow_last: bool) -> Result<String, Refused> {
        self.real("", path, follow_last, &mut 40)
    }

    fn make_above(&mut self, path: &str, mtime: u32) {
        for (at, _) in path.match_indices('/') {
            let above = &path[..at];
            if !self.names.contains_key(above) {
                self.names.insert(above.to_owned(), self.things.len());
                self.things.push(Thing::directory(mtime));
            }
        }
    }

    pub(super) fn put(&mut self, path: &str, number: usize) -> Result<(), Refused> {
        let path = self.resolve(path, false)?;
        if self.is_directory(&path) {
            return Err(Refused);
        }
        self.make_above(&path, self.things[number].mtime);
        self.names.insert(path, number);
        Ok(())
    }

    pub(super) fn add(&mut self, thing: Thing) -> usize {
        self.things.push(thing);
        self.things.len() - 1
    }

    pub(super) fn directory(&mut self, path: &str, thing: Thing) -> Result<String, Refused> {
        let mut place = self.resolve(path, false)?;
        if self.thing(&place).is_some_and(|thing| thing.kind == Kind::Symlink) {
            place = self.resolve(path, true)?;
            if self.thing(&place).is_some_and(|thing| thing.kind != Kind::Directory) {
                return Err(Refused);
            }
        }
        if !self.is_directory(&place) {
            self.make_above(&place, thing.mtime);
            let number = self.add(thing);
            self.names.insert(place.clone(), number);
        }
        Ok(place)
    }

    pub(super) fn remove(&mut self, path: &str) -> Result<(), Refused> {
        let path = self.resolve(path, false)?;
        let below = format!("{path}/");
        if path.is_empty() || self.names.keys().any(|name| name.starts_with(&below)) {
            return Err(Refused);
        }
        self.names.remove(&path);
        Ok(())
    }

    /// Unpacks `tar` in `directory`, name by name in an order that nothing depends on.
    pub(super) fn unpack(&mut self, tar: &Self, directory: &str, mtime: u32) -> Result<(), Refused> {
        let top = self.directory(directory, Thing::directory(mtime))?;
        let mut numbers = BTreeMap::new();
        let mut places = BTreeMap::from([(String::new(), top)]);
        for (path, number) in &tar.names {
            let thing = tar.things[*number].clone();
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            let place = match places[above].as_str() {
                "" => name.to_owned(),
                above => format!("{above}/{name}"),
            };
            if thing.kind == Kind::Directory {
                let place = self.directory(&place, thing)?;
                places.insert(path.clone(), place);
                continue;
            }
            let number = *numbers.entry(*number).or_insert_with(|| self.add(thing));
            self.put(&place, number)?;
        }
        Ok(())
    }

    /// The archive of it; of several names of a file the first or the last one has the data.
    pub(super) fn archive(&self, first_has_data: bool) -> Vec<u8> {
        let names_of = |number: usize| -> Vec<&String> {
            self.names.iter().filter(|(_, other)| **other == number).map(|(name, _)| name).collect()
        };
        let mut made: Vec<Made<'_>> = Vec::new();
        for (path, number) in &self.names {
            let thing = &self.things[*number];
            let names = names_of(*number);
            let holder = if first_has_data { names.first() } else { names.last() };
            let data = if holder == Some(&path) { &*thing.data } else { &b""[..] };
            let Thing { kind, mode, uid, gid, mtime, device, .. } = *thing;
            let links = names.len() as u32;
            let id = [*number as u32, 3, 4];
            made.push((
                path,
                Header { id, mode: type_bits(kind) | mode, uid, gid, links, mtime, device },
                data,
            ));
        }
        archive(&made)
    }

    /// Unpacks an archive as the kernel does: without links to follow, since a RAM disk that was changed has no member behind one,
    /// and with each directory before what is in it.
    pub(super) fn of_archive(image: &[u8]) -> Self {
        assert!(!uimage::is_image(image));
        let mut model = Self::default();
        let mut files: BTreeMap<[u32; 3], usize> = BTreeMap::new();
        for member in Archive::parse(image).unwrap().members {
            let path = String::from_utf8(image[member.name].to_vec()).unwrap();
            let above = path.rsplit_once('/').map_or("", |(above, _)| above);
            assert!(model.is_directory(above), "{path} is in no directory");
            let Header { id, mode, uid, gid, links, mtime, device } = member.header;
            let (kind, mode) = (member.header.kind().unwrap(), mode & 0o7777);
            let data = image[member.data].to_vec();
            let known = files.get(&id).copied().filter(|_| links > 1 && kind == Kind::Regular);
            let number = known.unwrap_or_else(|| {
                model.add(Thing { kind, mode, uid, gid, mtime, device, data: Vec::new() })
            });
            if !data.is_empty() {
                model.things[number].data = data;
            }
            files.insert(id, number);
            assert_eq!(model.names.insert(path.clone(), number), None, "{path} comes twice");
        }
        model
    }

    /// All that can be seen: path, thing, and the first of its names.
    pub(super) fn sight(&self) -> Vec<(&str, &Thing, &str)> {
        let mut first = BTreeMap::new();
        for (path, number) in &self.names {
            first.entry(*number).or_insert(path.as_str());
        }
        self.names
            .iter()
            .map(|(path, number)| (path.as_str(), &self.things[*number], first[number]))
            .collect()
    }
}
