//! The actions of a job, one file each, and what they share.
//!
//! An action gets its node's context, the phase that it runs in (name, place, deadline) and what the node has
//! acquired so far; it returns when it is done, or with the fault that ends the node.

mod attempts;
mod boot_ssh;
mod boot_uboot;
mod deploy_ssh;
mod deploy_tftp;
mod overlay;
mod power;
mod rootfs;
mod rootfs_tar;
mod test;

pub(crate) use boot_ssh::boot_ssh;
pub(crate) use boot_uboot::boot_uboot;
pub(crate) use deploy_ssh::deploy_ssh;
pub(crate) use deploy_tftp::{Deployed, deploy_tftp};
pub(crate) use overlay::{Overlay, prepare};
pub(crate) use power::PoweredBoard;
pub(crate) use test::test;
