//! What a BeagleBone's job fetches besides the root file system.

use std::fs;

use super::kernel;
use super::prepare::Lab;
use crate::error::Error;
use crate::stamp::Inputs;

/// The directory of the kernel and the device trees, in the lab.
pub(super) const DIRECTORY: &str = "artifacts/bbb";

/// What the artifacts are made from: the kernel part, whichever version that holds.
pub(super) fn inputs(lab: &Lab) -> Inputs {
    let kernel = fs::metadata(lab.path(kernel::ZIMAGE)).and_then(|metadata| metadata.modified()).ok();
    Inputs::default().text(&format!("{kernel:?}"))
}

/// Puts kernel and device trees where the bench file's mirror rules point.
///
/// # Errors
/// When they cannot be copied.
pub(super) fn make(lab: &Lab) -> Result<(), Error> {
    let directory = lab.scratch.join("bbb");
    fs::create_dir_all(&directory).map_err(Error::file("cannot make", &directory))?;
    for name in ["zImage"].into_iter().chain(kernel::DEVICE_TREES) {
        let from = lab.path(kernel::DIRECTORY).join(name);
        fs::copy(&from, directory.join(name)).map_err(Error::file("cannot copy", &from))?;
    }
    lab.finish(&directory, DIRECTORY)
}
