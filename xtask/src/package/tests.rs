//! Packages as `dpkg`, `systemd-analyze` and `udevadm` see them.
//!
//! The program in them is the one of the tests: building another takes too long. The agents must have been built
//! (`cargo xtask agent`).

mod chroot;
mod installed;
mod rules;
mod units;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Format, Profile, make};
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
        let file = make(&workspace, Profile::Dev, Format::Deb, directory.path()).unwrap();
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
