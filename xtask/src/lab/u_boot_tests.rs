//! U-Boot's own test suite, out of the source of Debian's package: it is run against the virtual board.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::prepare::Lab;
use crate::error::Error;
use crate::process;
use crate::stamp::Inputs;

/// The test suite, in the lab.
pub(super) const TEST_PY: &str = "u-boot/test/py";

/// The directory of all that is taken from the source, in the lab.
const DIRECTORY: &str = "u-boot";
/// A script of U-Boot's that its tests run; in the lab.
pub(super) const SCRIPT: &str = "u-boot/scripts/env2string.awk";
const PACKAGE: &str = "u-boot";
/// What the name of the archive has that U-Boot's own developers have made.
const ORIGINAL: &str = ".orig.tar.";

/// What the part is made from.
pub(super) fn inputs() -> Inputs {
    Inputs::default().text(PACKAGE).text(TEST_PY).text(SCRIPT)
}

/// Fetches the source and takes the test suite from it.
///
/// # Errors
/// When the archive cannot be reached or the source is not as expected.
pub(super) fn make(lab: &Lab) -> Result<(), Error> {
    let (fetched, taken) = (lab.scratch.join("u-boot-source"), lab.scratch.join("u-boot"));
    for directory in [&fetched, &taken] {
        fs::create_dir_all(directory).map_err(Error::file("cannot make", directory))?;
    }
    lab.apt()?.fetch_source(PACKAGE, &fetched)?;
    let mut tar = Command::new("tar");
    tar.arg("--extract").arg("--file").arg(original(&fetched)?).arg("--directory").arg(&taken);
    tar.args(["--strip-components=1", "--wildcards", "*/test/py", "*/scripts/env2string.awk"]);
    process::logged(&mut tar, &lab.log("u-boot-tests"))?;
    lab.finish(&taken, DIRECTORY)
}

fn original(directory: &Path) -> Result<PathBuf, Error> {
    let entries = fs::read_dir(directory).map_err(Error::file("cannot read", directory))?;
    let mut paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let found = paths.find(|path| path.to_string_lossy().contains(ORIGINAL));
    found.ok_or_else(|| Error::Content { directory: directory.to_owned(), what: format!("*{ORIGINAL}*") })
}
