//! Board types: what is the same on all boards of one make.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::job::BootImage;

/// A board type.
#[derive(Clone, Debug, PartialEq)]
pub struct BoardType {
    /// Its name, such as `beaglebone-black`.
    pub name: String,
    /// Architecture of the agent, such as `armv7`.
    pub arch: String,
    /// Its console.
    pub console: SerialConsole,
    /// U-Boot on it.
    pub uboot: UbootSettings,
    /// Linux on it.
    pub linux: LinuxSettings,
}

/// A board's serial console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialConsole {
    /// Name of the device in Linux, such as `ttyS0`.
    pub device: String,
    /// Speed in baud.
    pub baud: u32,
}

/// U-Boot on a board. Texts that are matched are regular expressions that compile, unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct UbootSettings {
    /// What it prints when a key stops autoboot.
    pub autoboot_prompt: String,
    /// What is typed then.
    pub interrupt: String,
    /// Its command prompts.
    pub prompts: Vec<String>,
    /// What it prints before it gives way to the kernel.
    pub final_message: String,
    /// Pause after each character typed.
    pub character_delay: Duration,
    /// Where the kernel is loaded, such as `0x82000000`.
    pub kernel_addr: String,
    /// Where the RAM disk is loaded.
    pub ramdisk_addr: String,
    /// Where the device tree is loaded.
    pub dtb_addr: String,
    /// The device tree that the kernel is started with, where it is not the job's: an address or `${variable}`.
    pub boot_dtb_addr: Option<String>,
    /// Kinds of kernel image that it starts.
    pub images: Vec<BootImage>,
    /// Plain texts that mean that a command failed.
    pub errors: Vec<String>,
    /// Lists of commands, by name: templates with `{KERNEL_ADDR}` and the like.
    pub commands: BTreeMap<String, Vec<String>>,
}

/// Linux on a board. Texts are regular expressions that compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinuxSettings {
    /// The kernel's first words.
    pub kernel_start_message: String,
    /// What it prints when it restarts.
    pub shutdown_message: String,
    /// A login prompt.
    pub login_prompt: String,
}
