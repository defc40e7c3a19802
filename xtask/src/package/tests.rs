//! Packages as `dpkg`, `systemd-analyze` and `udevadm` see them.
//!
//! Program and agents in them are those that are built already: `cargo build --workspace --bins` and `cargo xtask agent` do it.
//! Cargo would build some of the libraries anew in the environment of a test.

mod chroot;
mod installed;
mod rules;
mod system;
mod units;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Profile, make_deb};
use crate::workspace::Workspace;

/// A package in a directory of its own, which goes with it.
struct Made {
    directory: TempDir,
    file: PathBuf,
}

impl Made {
    fn deb() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::locate().unwrap();
        let program = workspace.target.join("debug/host-runner");
        assert!(program.exists(), "{} is not built: cargo build --workspace --bins", program.display());
        let file = make_deb(&workspace, &program, Profile::Dev, directory.path()).unwrap();
        Self { directory, file }
    }
}

#[test]
fn the_same_program_gives_the_same_package() {
    let (one, other) = (Made::deb(), Made::deb());
    assert_ne!(one.file, other.file);
    assert_eq!(one.file.file_name(), other.file.file_name());
    assert!(fs::read(&one.file).unwrap() == fs::read(&other.file).unwrap(), "two packages differ");
    let left = fs::read_dir(one.directory.path()).unwrap().count();
    assert_eq!(left, 1, "the package, and nothing that it was made of");
}
