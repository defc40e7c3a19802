//! POSIX as the board sees it.

mod damaged_log;
mod data;
mod faults;
mod foreign_log;
mod names;
mod permissions;
mod recover;
mod stable;
mod wcc;

use std::ops::ControlFlow;

use super::*;
use crate::rootfs::testing::{TarBuilder, layer_of};
use crate::rootfs::{Attributes, Credential, FsError, Ino, SetAttributes};

pub(super) const MODE: fn(u32) -> SetAttributes = SetAttributes::with_mode;

pub(super) fn root() -> Credential {
    Credential::root()
}

pub(super) fn user(uid: u32) -> Credential {
    Credential { uid, gid: uid, ..Credential::default() }
}

pub(super) fn layer() -> Layer {
    layer_of(
        TarBuilder::new()
            .dir("tmp", 0o1777)
            .dir("etc", 0o755)
            .file("etc/passwd", b"root:x:0:0\n")
            .file_as("etc/shadow", 0o600, 0, b"secret")
            .file_as("home/mine", 0o644, 1000, b"mine")
            .hard_link("etc/passwd-", "etc/passwd")
            .symlink("link", "etc/passwd"),
    )
}

pub(super) fn find(layer: &Layer, path: &str) -> Attributes {
    let found = |dir: Attributes, name: &str| layer.lookup(dir.ino, name.as_bytes(), &root()).unwrap();
    path.split('/').fold(layer.attributes(Ino::ROOT).unwrap(), found)
}

pub(super) fn make_file(
    layer: &Layer,
    dir: Ino,
    name: &str,
    mode: u32,
    who: &Credential,
) -> Result<Attributes, FsError> {
    layer.create(dir, name.as_bytes(), CreateMode::Guarded(MODE(mode)), who).map(|created| created.object)
}

pub(super) fn make_dir(
    layer: &Layer,
    dir: Ino,
    name: &str,
    mode: u32,
    who: &Credential,
) -> Result<Attributes, FsError> {
    layer.make_node(dir, name.as_bytes(), NewNode::Directory, &MODE(mode), who).map(|created| created.object)
}

pub(super) fn read_all(layer: &Layer, ino: Ino) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let outcome = layer.read(ino, 0, &mut buffer, &root()).unwrap();
    assert!(outcome.eof);
    buffer.truncate(outcome.count);
    buffer
}

pub(super) fn names(layer: &Layer, dir: Ino, after: u32, max: usize) -> (Vec<(u32, String)>, bool) {
    let mut names = Vec::new();
    let end = layer.read_directory(dir, after, &root(), &mut |entry| {
        if names.len() == max {
            return ControlFlow::Break(());
        }
        names.push((entry.cookie, String::from_utf8_lossy(entry.name).into_owned()));
        ControlFlow::Continue(())
    });
    (names, end.unwrap().complete)
}
