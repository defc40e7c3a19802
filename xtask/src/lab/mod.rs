//! The virtual board's parts, all made from Debian packages: kernel, initrd, root file system; and what a job needs
//! beside them: artifacts at the places that its URLs are mapped to, a git repository, a bench file. Apart from the
//! board, user-mode Linux: a kernel whose NFS client the tests use; and U-Boot's own test suite.
//!
//! Every part is made beside its place and moved there, and remembers what it was made from: an interrupted build
//! leaves nothing that looks finished, and a second run does nothing.

mod artifacts;
mod bench;
mod binfmt;
mod git_mirror;
mod ids;
mod initrd;
mod kernel;
mod modules;
mod prepare;
mod rootfs;
mod u_boot_tests;
mod user_mode_linux;

pub(crate) use prepare::{packages, prepare};
