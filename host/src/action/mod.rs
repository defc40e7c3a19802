//! The actions of a job, one file each, and what they share.
//!
//! An action gets its node's context, the phase that it runs in (name, place, deadline) and what the node has
//! acquired so far; it returns when it is done, or with the fault that ends the node.

mod attempts;
mod boot_help;
mod boot_minimal;
mod boot_ssh;
mod boot_uboot;
mod command;
mod console;
mod definition_files;
mod definition_git;
mod definition_links;
mod deploy_tftp;
mod fetch;
mod group_calls;
mod images;
mod overlay;
mod power;
mod rootfs;
mod rootfs_tar;
mod shell;
mod test;
mod uboot_command;

pub(crate) use attempts::{Attempts, within_attempt};
pub(crate) use boot_help::{WrongSpeed, advice};
pub(crate) use boot_minimal::{boot_minimal, new_connection};
pub(crate) use boot_ssh::{boot_ssh, leave};
pub(crate) use boot_uboot::{UBOOT_LINE_LIMIT, boot_bootloader, boot_uboot, dialog_settings};
pub(crate) use command::{command, undo_commands};
pub(crate) use console::{SharedConsole, reopen_console};
pub(crate) use deploy_tftp::{Deployed, TestsIn, deploy_tftp};
pub(crate) use group_calls::call_group;
pub(crate) use overlay::{Overlay, prepare};
pub(crate) use power::PoweredBoard;
pub(crate) use shell::KERNEL_FAILED;
pub(crate) use test::{clear_over_console, interactive, monitors, test};
