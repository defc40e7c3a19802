//! `cargo xtask test`: every check there is, as a developer and a CI machine run it.

mod jobs;
mod licences;
mod steps;

pub(crate) use steps::run;
