//! The names of an archive's members as a tree of paths.

use std::collections::BTreeMap;

use super::layout::{join, split};

/// What is at a path: the member, or none for a directory that is only implied by what is in it.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, Option<usize>>);

impl Names {
    /// Adds member `index`; of several with one name the last one counts, as it does when they are unpacked.
    pub(super) fn add(&mut self, name: &[u8], index: usize) {
        let Some(name) = normal(name) else { return };
        let mut parent = split(&name).0;
        while !parent.is_empty() && !self.0.contains_key(parent) {
            self.0.insert(parent.to_owned(), None);
            parent = split(parent).0;
        }
        self.0.insert(name, Some(index));
    }

    /// The member at `path`, or `Some(None)` for an implied directory.
    pub(super) fn get(&self, path: &str) -> Option<Option<usize>> {
        self.0.get(path).copied()
    }

    /// The names in the directory at `path`.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let names = self.0.range(below.clone()..).map_while(|(node, _)| node.strip_prefix(&below));
        names.filter(|name| !name.is_empty() && !name.contains('/')).map(str::to_owned).collect()
    }
}

/// A member's name as a path in a tree; `None` for the root itself, and for what leads out or is not UTF-8.
pub(super) fn normal(name: &[u8]) -> Option<String> {
    let mut normal = String::new();
    for part in std::str::from_utf8(name).ok()?.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => normal = join(&normal, part),
        }
    }
    (!normal.is_empty()).then_some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_imply_the_directories_they_are_in() {
        let mut names = Names::default();
        for (index, name) in ["./", "./usr/bin/sh", "usr/", "usr-local", "../etc"].into_iter().enumerate() {
            names.add(name.as_bytes(), index);
        }
        assert_eq!(names.get("usr/bin"), Some(None));
        assert_eq!(names.get("usr"), Some(Some(2)));
        assert_eq!(names.get("etc"), None);
        assert_eq!(names.list(""), ["usr", "usr-local"]);
        assert_eq!(names.list("usr"), ["bin"]);
    }
}
