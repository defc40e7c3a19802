//! What is on the disk itself before its call is answered.

use std::sync::Arc;

use super::{find, root};
use crate::rootfs::storage::Storage;
use crate::rootfs::testing::{TarBuilder, new_directory};
use crate::rootfs::{
    CallId, CreateMode, Credential, Durability, FsError, Ino, Layer, LayerOptions, NewNode, SetAttributes,
};

fn layer(durability: Durability) -> Layer {
    let lower = TarBuilder::new().file("file", &[7; 20_000]).dir("dir", 0o755).index().unwrap();
    let options = LayerOptions { budget: 64 * 4096, durability };
    Layer::new(Arc::new(lower), new_directory(), options).unwrap()
}

type Call = fn(&Layer, &Credential) -> Result<(), FsError>;

/// Every call that changes more than data, each once.
const CALLS: [(&str, Call); 9] = [
    ("SETATTR", |layer, who| {
        let cut = SetAttributes { size: Some(5_000), ..SetAttributes::with_mode(0o600) };
        layer.set_attributes(find(layer, "file").ino, &cut, None, who).map(drop)
    }),
    ("CREATE", |layer, who| {
        let how = CreateMode::Guarded(SetAttributes::with_mode(0o644));
        layer.create(Ino::ROOT, b"new", how, who).map(drop)
    }),
    ("MKDIR", |layer, who| make_node(layer, NewNode::Directory, b"new-dir", who)),
    ("SYMLINK", |layer, who| make_node(layer, NewNode::Symlink(b"file".to_vec()), b"link", who)),
    ("MKNOD", |layer, who| make_node(layer, NewNode::Fifo, b"fifo", who)),
    ("RENAME", |layer, who| layer.rename((Ino::ROOT, b"new"), (Ino::ROOT, b"moved"), who).map(drop)),
    ("LINK", |layer, who| layer.link(find(layer, "file").ino, Ino::ROOT, b"second", who).map(drop)),
    ("RMDIR", |layer, who| layer.remove_directory(Ino::ROOT, b"dir", who).map(drop)),
    ("REMOVE", |layer, who| layer.remove(Ino::ROOT, b"file", who).map(drop)),
];

fn make_node(layer: &Layer, node: NewNode, name: &[u8], who: &Credential) -> Result<(), FsError> {
    layer.make_node(Ino::ROOT, name, node, &SetAttributes::default(), who).map(drop)
}

fn caller(xid: u32) -> Credential {
    Credential { call: Some(CallId { xid, checksum: 0 }), ..root() }
}

/// How many syncs of the log `work` makes.
fn syncs(layer: &Layer, work: impl FnOnce()) -> u32 {
    let faults = &layer.storage.journal.faults;
    let before = faults.syncs();
    work();
    faults.syncs() - before
}

#[test]
fn a_boards_change_of_names_or_attributes_is_stable_where_power_counts() {
    for (durability, expected) in [(Durability::Power, 1), (Durability::Process, 0)] {
        let layer = layer(durability);
        for (xid, (name, call)) in (0..).zip(CALLS) {
            let made = syncs(&layer, || call(&layer, &caller(xid)).unwrap());
            assert_eq!(made, expected, "{name}, {durability:?}");
        }
    }
}

#[test]
fn a_write_waits_for_its_commit_and_so_does_what_the_runner_does() {
    let layer = layer(Durability::Power);
    let file = find(&layer, "file").ino;
    let unstable = syncs(&layer, || {
        layer.write(file, 0, &[1; 10_000], &root()).unwrap();
        layer.write_file("/dir/by-the-runner", 0o644, b"x").unwrap();
    });
    assert_eq!(unstable, 0);
    assert_eq!(syncs(&layer, || layer.commit().unwrap()), 1);
}

#[test]
fn a_call_that_cannot_be_made_stable_fails() {
    for (name, call) in CALLS.into_iter().filter(|(name, _)| *name != "RENAME") {
        let layer = layer(Durability::Power);
        layer.storage.journal.faults.fail_next_sync();
        assert_eq!(call(&layer, &caller(1)), Err(FsError::Io), "{name}");
    }
}

#[test]
fn old_content_beside_an_unstable_write_is_on_the_disk_before_the_log_says_that_it_moved() {
    let layer = layer(Durability::Power);
    let file = find(&layer, "file").ino;
    let Storage { store, .. } = &*layer.storage;
    let before = store.faults.syncs();
    layer.write(file, 4_096, &[1; 8_192], &root()).unwrap();
    assert_eq!(store.faults.syncs(), before, "all of its blocks are the board's to write again");
    layer.write(file, 100, b"new", &root()).unwrap();
    assert_eq!(store.faults.syncs(), before + 1);
    layer.write(file, 200, b"new", &root()).unwrap();
    assert_eq!(store.faults.syncs(), before + 1, "it has moved already");
}
