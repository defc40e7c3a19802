//! `context`: what a job says of the boards that it runs on.

use std::collections::BTreeMap;
use std::time::Duration;

/// `context` of a job or role: values that stand in for those of the board type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// `extra_kernel_args`: added to the kernel's command line.
    pub extra_kernel_args: Option<String>,
    /// `extra_nfsroot_args`: added to the options of the NFS root, such as `,tcp`.
    pub extra_nfsroot_args: Option<String>,
    /// `console_device`: name of the console in Linux, such as `ttyO0`.
    pub console_device: Option<String>,
    /// `bootloader_prompt`: U-Boot's prompt, a regular expression.
    pub bootloader_prompt: Option<String>,
    /// `uboot_extra_error_message`: one more text that means that a command of U-Boot failed.
    pub uboot_extra_error_message: Option<String>,
    /// `boot_character_delay`: pause after each character that is typed into U-Boot.
    pub boot_character_delay: Option<Duration>,
    /// `kernel_start_message`: the kernel's first words, a regular expression.
    pub kernel_start_message: Option<String>,
    /// `lava_test_results_dir`: directory for the tests on the board; `%s` is the node's id.
    pub results_directory: Option<String>,
    /// Addresses in the board's memory, by their keys, such as `bootz_kernel_addr`.
    pub addresses: BTreeMap<String, String>,
}

impl Context {
    /// The values of `self`, and those of `other` where `self` has none.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let mut addresses = other.addresses.clone();
        addresses.extend(self.addresses);
        Self {
            extra_kernel_args: self.extra_kernel_args.or_else(|| other.extra_kernel_args.clone()),
            extra_nfsroot_args: self.extra_nfsroot_args.or_else(|| other.extra_nfsroot_args.clone()),
            console_device: self.console_device.or_else(|| other.console_device.clone()),
            bootloader_prompt: self.bootloader_prompt.or_else(|| other.bootloader_prompt.clone()),
            uboot_extra_error_message: self
                .uboot_extra_error_message
                .or_else(|| other.uboot_extra_error_message.clone()),
            boot_character_delay: self.boot_character_delay.or(other.boot_character_delay),
            kernel_start_message: self.kernel_start_message.or_else(|| other.kernel_start_message.clone()),
            results_directory: self.results_directory.or_else(|| other.results_directory.clone()),
            addresses,
        }
    }
}
