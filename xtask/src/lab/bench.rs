//! The bench file: one virtual board that stands in for a BeagleBone Black, and where its jobs' URLs lead.

use std::fs;

use super::prepare::Lab;
use crate::error::Error;
use crate::stamp::Inputs;

/// The bench file, in the lab.
pub(super) const FILE: &str = "bench.toml";

const TEXT: &str = include_str!("../../lab/bench.toml");

/// What the bench file is made from.
pub(super) fn inputs() -> Inputs {
    Inputs::default().text(TEXT)
}

/// Writes the bench file.
///
/// # Errors
/// When it cannot be written.
pub(super) fn make(lab: &Lab) -> Result<(), Error> {
    let file = lab.scratch.join(FILE);
    fs::write(&file, TEXT).map_err(Error::file("cannot write", &file))?;
    lab.finish(&file, FILE)
}
