//! Links among the files of a test definition: on the target they are copies of what they lead to.

use std::collections::{BTreeMap, VecDeque};

use super::definition_files::{FilesError, MAX_FILES};
use super::overlay::{MAX_DEFINITION_BYTES, OverlayFile};

/// Most links that lead to each other, as in Linux.
const MAX_FOLLOWED: usize = 40;

/// Longest target of a link, and longest path that one leads to, in bytes: Linux's `PATH_MAX`.
const MAX_PATH: usize = 4096;

/// Most entries of directories that are looked at for all links together.
const MAX_VISITED: usize = 4 * MAX_FILES;

/// A link among the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its path from the top.
    pub(super) path: String,
    /// Where it leads.
    pub(super) target: String,
    pub(super) kind: LinkKind,
}

/// How the target of a link is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkKind {
    /// From the directory of the link. An absolute path is one of the target, and leads to none of the files.
    Symbolic,
    /// From the top.
    Hard,
}

/// What is at a path.
enum Found {
    /// The file of this number.
    File(usize),
    /// The directory of this path, without `/` at its end.
    Directory(String),
}

/// Files and links, by their paths; directories are what paths go through.
struct Tree<'a> {
    nodes: BTreeMap<&'a str, Node<'a>>,
    files: &'a [OverlayFile],
    copies: Vec<(String, usize)>,
    /// Bytes of files and copies.
    bytes: u64,
    visited: usize,
    nowhere: usize,
}

#[derive(Clone, Copy)]
enum Node<'a> {
    File(usize),
    Link(&'a Link),
}

/// Adds to `files` what `links` lead to, under the names of the links. Returns the number of those that lead to nothing
/// of them.
///
/// # Errors
/// [`FilesError::TooLarge`]
pub(super) fn follow(files: &mut Vec<OverlayFile>, links: &[Link]) -> Result<usize, FilesError> {
    let of_links = links.iter().map(|link| (link.path.as_str(), Node::Link(link)));
    let of_files = files.iter().enumerate().map(|(index, file)| (file.path.as_str(), Node::File(index)));
    let bytes = files.iter().map(|file| file.content.len() as u64).sum();
    let nodes = of_links.chain(of_files).collect();
    let mut tree = Tree { nodes, files, copies: Vec::new(), bytes, visited: 0, nowhere: 0 };
    for link in links {
        tree.copy(&link.path, &link.path, &mut Vec::new())?;
    }
    let Tree { copies, nowhere, .. } = tree;
    let copies: Vec<_> = copies
        .into_iter()
        .filter_map(|(path, index)| {
            let OverlayFile { mode, content, .. } = files.get(index)?;
            Some(OverlayFile { path, mode: *mode, content: content.clone() })
        })
        .collect();
    files.extend(copies);
    Ok(nowhere)
}

impl Tree<'_> {
    /// Copies what is at `from` to `to`; `within` are the directories that are being copied.
    fn copy(&mut self, from: &str, to: &str, within: &mut Vec<String>) -> Result<(), FilesError> {
        match self.find(from) {
            Some(Found::File(index)) => self.copy_file(index, to),
            // A directory in a copy of itself would have no end.
            Some(Found::Directory(path)) if !within.contains(&path) => {
                within.push(path.clone());
                let below = format!("{path}/");
                let inside: Vec<(String, Node<'_>)> = self
                    .nodes
                    .range(below.as_str()..)
                    .take_while(|(path, _)| path.starts_with(&below))
                    .map(|(path, node)| ((*path).to_owned(), *node))
                    .collect();
                self.visited += inside.len();
                if self.visited > MAX_VISITED {
                    return Err(FilesError::TooLarge);
                }
                for (path, node) in inside {
                    let copy = format!("{to}/{}", path.get(below.len()..).unwrap_or_default());
                    match node {
                        Node::File(index) => self.copy_file(index, &copy)?,
                        Node::Link(_) => self.copy(&path, &copy, within)?,
                    }
                }
                within.pop();
                Ok(())
            }
            Some(Found::Directory(_)) | None => {
                self.nowhere += 1;
                Ok(())
            }
        }
    }

    fn copy_file(&mut self, index: usize, to: &str) -> Result<(), FilesError> {
        self.bytes += self.files.get(index).map_or(0, |file| file.content.len() as u64);
        if self.bytes > MAX_DEFINITION_BYTES || self.copies.len() == MAX_FILES {
            return Err(FilesError::TooLarge);
        }
        self.copies.push((to.to_owned(), index));
        Ok(())
    }

    /// What is at `path`, part by part as Linux does it (path_resolution(7)); `None` if that is nothing, or above the top.
    fn find(&self, path: &str) -> Option<Found> {
        let mut left: VecDeque<&str> = path.split('/').collect();
        let mut reached: Vec<&str> = Vec::new();
        let mut followed = 0;
        while let Some(part) = left.pop_front() {
            match part {
                "" | "." => continue,
                ".." => {
                    reached.pop()?;
                    continue;
                }
                part => reached.push(part),
            }
            let here = reached.join("/");
            match self.nodes.get(here.as_str()) {
                Some(Node::Link(link)) => {
                    followed += 1;
                    let is_absolute = link.kind == LinkKind::Symbolic && link.target.starts_with('/');
                    let length = link.target.len() + here.len();
                    if followed > MAX_FOLLOWED || is_absolute || link.target.is_empty() || length > MAX_PATH {
                        return None;
                    }
                    match link.kind {
                        LinkKind::Symbolic => drop(reached.pop()),
                        LinkKind::Hard => reached.clear(),
                    }
                    link.target.rsplit('/').for_each(|part| left.push_front(part));
                }
                Some(Node::File(index)) => return left.is_empty().then_some(Found::File(*index)),
                None => {}
            }
        }
        let path = reached.join("/");
        let below = format!("{path}/");
        let is_directory =
            self.nodes.range(below.as_str()..).next().is_some_and(|(path, _)| path.starts_with(&below));
        is_directory.then_some(Found::Directory(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(files: &[(&str, &str)], links: &[(&str, &str)]) -> (Vec<String>, usize) {
        let file = |(path, content): &(&str, &str)| OverlayFile {
            path: (*path).to_owned(),
            mode: 0o644,
            content: content.as_bytes().to_vec(),
        };
        let mut files: Vec<_> = files.iter().map(file).collect();
        let links: Vec<_> =
            links.iter().map(|(path, target)| link(path, target, LinkKind::Symbolic)).collect();
        let known = files.len();
        let nowhere = follow(&mut files, &links).unwrap();
        let new = files.split_off(known);
        let shown = |file: OverlayFile| format!("{}={}", file.path, String::from_utf8_lossy(&file.content));
        (new.into_iter().map(shown).collect(), nowhere)
    }

    fn link(path: &str, target: &str, kind: LinkKind) -> Link {
        Link { path: path.to_owned(), target: target.to_owned(), kind }
    }

    #[test]
    fn a_link_becomes_the_file_or_the_directory_that_it_leads_to() {
        let files = [("lib/a.sh", "a"), ("lib/sub/b.sh", "b")];
        let links = [("tests/one/lib", "../../lib"), ("latest", "lib/a.sh"), ("again", "./latest")];
        let (new, nowhere) = followed(&files, &links);
        assert_eq!(new, ["tests/one/lib/a.sh=a", "tests/one/lib/sub/b.sh=b", "latest=a", "again=a"]);
        assert_eq!(nowhere, 0);
    }

    #[test]
    fn links_in_a_directory_that_a_link_leads_to_are_copied_as_well() {
        let links = [
            ("lib/latest", "a.sh"),
            ("tests/lib", "../lib"),
            ("tests/only", "../more"),
            ("more/x", "../lib"),
        ];
        let (new, nowhere) = followed(&[("lib/a.sh", "a")], &links);
        let expected = [
            "lib/latest=a",
            "tests/lib/a.sh=a",
            "tests/lib/latest=a",
            "tests/only/x/a.sh=a",
            "tests/only/x/latest=a",
            "more/x/a.sh=a",
            "more/x/latest=a",
        ];
        assert_eq!((new, nowhere), (expected.map(str::to_owned).to_vec(), 0));
    }

    #[test]
    fn dots_behind_a_link_count_from_where_it_leads() {
        let files = [("versions/v2/tool", "x"), ("versions/common", "v"), ("common", "wrong")];
        let (new, nowhere) = followed(&files, &[("current", "versions/v2"), ("tool", "current/../common")]);
        assert_eq!((new, nowhere), (vec!["current/tool=x".to_owned(), "tool=v".to_owned()], 0));
    }

    #[test]
    fn a_hard_link_has_the_name_of_another_file() {
        let mut files = vec![OverlayFile { path: "top/a".to_owned(), mode: 0o755, content: b"x".to_vec() }];
        assert_eq!(follow(&mut files, &[link("top/sub/b", "top/a", LinkKind::Hard)]).unwrap(), 0);
        assert_eq!((files[1].path.as_str(), files[1].mode), ("top/sub/b", 0o755));
    }

    #[test]
    fn links_that_lead_out_to_nothing_or_in_a_circle_are_counted() {
        let long = format!("{}file", "./".repeat(MAX_PATH));
        let links = [
            ("out", "../../etc/passwd"),
            ("passwd", "/etc/passwd"),
            ("none", "missing"),
            ("empty", ""),
            ("through", "file/x"),
            ("a", "b"),
            ("b", "a"),
            ("c", "c/d"),
            ("root", "."),
            ("long", long.as_str()),
        ];
        let (new, nowhere) = followed(&[("file", "x")], &links);
        assert_eq!((new, nowhere), (Vec::new(), links.len()));
    }

    #[test]
    fn a_directory_is_not_copied_into_itself_without_end() {
        let (new, nowhere) = followed(&[("d/file", "x")], &[("d/up", "../d")]);
        assert_eq!((new, nowhere), (vec!["d/up/file=x".to_owned()], 1));
    }

    #[test]
    fn links_cannot_multiply_files_without_end() {
        let mut files = vec![OverlayFile { path: "big".to_owned(), mode: 0o644, content: vec![0; 1 << 20] }];
        let links: Vec<_> =
            (0..100).map(|index| link(&format!("l{index}"), "big", LinkKind::Symbolic)).collect();
        assert!(matches!(follow(&mut files, &links), Err(FilesError::TooLarge)));
        assert_eq!(files.len(), 1);
        // Each directory has two links to the next one; there is no file in any.
        let pairs = (0..40).flat_map(|level| {
            let target = format!("../d{}", level + 1);
            ["l", "r"].map(|side| link(&format!("d{level}/{side}"), &target, LinkKind::Symbolic))
        });
        assert!(matches!(follow(&mut files, &pairs.collect::<Vec<_>>()), Err(FilesError::TooLarge)));
    }
}
