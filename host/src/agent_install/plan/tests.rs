use std::collections::BTreeMap;

use super::*;
use crate::agent_install::program::Build;
use crate::agent_install::status;

/// A root filesystem in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Memory(BTreeMap<String, Node>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Directory,
    File(u32, Vec<u8>),
    Link(String),
}

impl Memory {
    /// `path/` is a directory, `path -> target` a link, anything else a file.
    fn new(all: &[&str]) -> Self {
        let node = |text: &&str| match (text.split_once(" -> "), text.strip_suffix('/')) {
            (Some((path, target)), _) => (path.to_owned(), Node::Link(target.to_owned())),
            (_, Some(path)) => (path.to_owned(), Node::Directory),
            _ => ((*text).to_owned(), Node::File(0o644, b"x".to_vec())),
        };
        Self(all.iter().map(node).collect())
    }
}

impl Tree for Memory {
    fn look(&mut self, path: &str) -> Result<Option<Found>, InstallError> {
        Ok(self.0.get(path).map(|node| match node {
            Node::Directory => Found::Directory,
            Node::File(mode, content) => Found::File { size: content.len() as u64, mode: *mode },
            Node::Link(target) => Found::Link(target.clone()),
        }))
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, InstallError> {
        let names = self.0.keys().map(|key| split(key)).filter(|(parent, _)| *parent == path);
        Ok(names.map(|(_, name)| name.to_owned()).collect())
    }

    fn read(&mut self, path: &str, limit: usize) -> Result<Vec<u8>, InstallError> {
        match self.0.get(path) {
            Some(Node::File(_, content)) => Ok(content.iter().copied().take(limit).collect()),
            other => panic!("{path} is {other:?}"),
        }
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), InstallError> {
        for change in changes {
            let path = change.path().to_owned();
            let parent = split(&path).0;
            assert!(parent.is_empty() || self.0.get(parent) == Some(&Node::Directory), "{change:?}");
            let before = match change {
                Change::MakeDirectory(_) => self.0.insert(path, Node::Directory),
                Change::Write { mode, content, .. } => self
                    .0
                    .insert(path, Node::File(*mode, content.clone()))
                    .filter(|old| *old == Node::Directory),
                Change::Link { target, .. } => {
                    self.0.insert(path, Node::Link(target.clone())).filter(|old| *old == Node::Directory)
                }
                Change::RemoveFile(_) => self.0.remove(&path).filter(|old| *old == Node::Directory),
                Change::RemoveDirectory(_) => {
                    assert!(self.list(&path)?.is_empty(), "{path} is not empty");
                    self.0.remove(&path).filter(|old| *old != Node::Directory)
                }
            };
            assert_eq!(before, None, "{change:?}");
        }
        Ok(())
    }
}

fn program(version: &str) -> Program {
    let build = Build { version: version.to_owned(), arch: "armv7".to_owned(), protocol: [1, 1] };
    Program { build, binary: version.as_bytes().to_vec() }
}

fn installed(memory: &mut Memory, version: &str) -> Vec<Change> {
    let changes = install(memory, &program(version)).unwrap();
    memory.apply(&changes).unwrap();
    changes
}

fn problems(memory: &mut Memory) -> Vec<String> {
    status::of_tree(memory).unwrap().unwrap().problems
}

#[test]
fn what_is_installed_is_whole_and_what_is_removed_leaves_no_trace() {
    for before in [
        Memory::new(&["bin/", "usr/", "usr/bin/", "usr/lib/", "usr/lib/libc.so"]),
        // A RAM disk of BusyBox alone.
        Memory::new(&["bin/", "bin/busybox", "init"]),
        Memory::new(&["System/", "System/bin/", "System/lib/", "usr -> System", "bin -> usr/bin"]),
        Memory::new(&["sbin/", "usr/", "usr/lib -> /opt/lib", "usr/bin/", "opt/", "opt/lib/"]),
    ] {
        let mut memory = before.clone();
        assert_eq!(status::of_tree(&mut memory).unwrap(), None);
        installed(&mut memory, "0.1.0");
        assert_eq!(problems(&mut memory), Vec::<String>::new());
        assert_eq!(installed(&mut memory, "0.1.0"), [], "nothing is left to do");
        let changes = remove(&mut memory).unwrap();
        memory.apply(&changes).unwrap();
        assert_eq!(memory, before);
        assert_eq!(remove(&mut memory).unwrap(), []);
    }
}

#[test]
fn links_of_a_linked_directory_lead_nowhere_else() {
    let mut memory = Memory::new(&["System/", "System/bin/", "System/lib/", "usr -> /System"]);
    installed(&mut memory, "0.1.0");
    assert!(memory.0.contains_key("System/lib/lava-agent/bin/lava-send"));
    assert_eq!(memory.0.get("System/bin/lava-agent"), Some(&Node::Link(AGENT.to_owned())));
}

#[test]
fn another_release_takes_the_place_of_an_earlier_one() {
    let mut memory = Memory::new(&["bin/", "usr/", "usr/bin/", "usr/lib/"]);
    installed(&mut memory, "0.1.0");
    let manifest = "usr/lib/lava-agent/manifest.toml";
    let Some(Node::File(mode, text)) = memory.0.get(manifest).cloned() else { panic!("no manifest") };
    // As if it had had a helper that is no more.
    let text = String::from_utf8(text).unwrap().replace("\"lava-send\"", "\"lava-old\", \"lava-send\"");
    memory.0.insert(manifest.to_owned(), Node::File(mode, text.into_bytes()));
    let old = "usr/lib/lava-agent/bin/lava-old";
    memory.0.insert(old.to_owned(), Node::Link("lava-agent".to_owned()));
    let changes = installed(&mut memory, "0.2.0");
    assert_eq!(
        changes.iter().map(Change::path).collect::<Vec<_>>(),
        ["usr/lib/lava-agent/bin/lava-agent", old, manifest]
    );
    assert_eq!(problems(&mut memory), Vec::<String>::new());
}

#[test]
fn what_is_not_as_it_was_installed_is_told_and_put_right() {
    let mut memory = Memory::new(&["bin/", "usr/", "usr/bin/", "usr/lib/"]);
    installed(&mut memory, "0.1.0");
    let whole = memory.clone();
    memory.0.insert("usr/lib/lava-agent/bin/lava-agent".to_owned(), Node::File(0o755, b"else".to_vec()));
    memory.0.remove("usr/lib/lava-agent/bin/lava-send");
    memory.0.remove("usr/bin/lava-agent");
    assert_eq!(
        problems(&mut memory),
        [
            "bin/lava-send is no link to the agent",
            "bin/lava-agent is not the file that was installed",
            "/usr/bin/lava-agent does not lead to it"
        ]
    );
    installed(&mut memory, "0.1.0");
    assert_eq!(memory, whole);
}

#[test]
fn what_others_have_put_there_is_left_alone() {
    for (foreign, path) in [
        ("usr/lib/lava-agent", "usr/lib/lava-agent"),
        ("usr/lib/lava-agent/x", "usr/lib/lava-agent"),
        ("usr/lib/lava-agent/bin/sh -> lava", "usr/lib/lava-agent"),
        ("usr/lib/lava-agent/.lava-agent-new-x/", "usr/lib/lava-agent"),
        ("usr/bin/lava-agent", "usr/bin/lava-agent"),
        ("usr/bin/lava-agent -> /opt/agent", "usr/bin/lava-agent"),
        ("usr/lib -> /nowhere", "usr/lib"),
    ] {
        let mut memory = Memory::new(&["bin/", "usr/", "usr/bin/", "usr/lib/", foreign]);
        for parent in ["usr/lib/lava-agent/bin", "usr/lib/lava-agent"] {
            if foreign.starts_with(&format!("{parent}/")) {
                memory.0.insert(parent.to_owned(), Node::Directory);
            }
        }
        let error = install(&mut memory, &program("0.1.0")).unwrap_err();
        assert!(matches!(&error, InstallError::Occupied { path: at } if at == path), "{foreign}: {error:?}");
    }
    let mut memory = Memory::new(&["usr/", "usr/lib/", "usr/lib/lava-agent/", "usr/lib/lava-agent/x"]);
    assert!(matches!(remove(&mut memory), Err(InstallError::Occupied { .. })));
    let mut nothing = Memory::new(&["home/"]);
    assert!(matches!(install(&mut nothing, &program("0.1.0")), Err(InstallError::NotARoot)));
}

#[test]
fn links_are_followed_as_the_board_follows_them() {
    let mut memory = Memory::new(&[
        "bin -> usr/bin",
        "usr/",
        "usr/bin/",
        "usr/bin/sh -> /bin/../../../bin/dash",
        "usr/bin/dash",
        "loop -> loop",
        "gone -> /nowhere",
    ]);
    assert_eq!(resolve(&mut memory, "bin/sh").unwrap().as_deref(), Some("usr/bin/dash"));
    for path in ["loop", "gone", "usr/bin/dash/x"] {
        assert_eq!(resolve(&mut memory, path).unwrap(), None, "{path}");
    }
}
