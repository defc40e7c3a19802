//! Why the rest of a device dictionary is not carried over.

use super::set_lines::UNKNOWN;
use super::uboot::METHOD;
use crate::document::Value;
use crate::import::findings::Findings;
use crate::import::keys::{Item, Keys};

/// Notes every key that was not taken.
pub(super) fn leave_rest(keys: &Keys<'_>, is_whole: bool, findings: &mut Findings) {
    for item in keys.left().into_iter().flat_map(parts).filter(|item| !means_nothing(item)) {
        let is_unknown = !is_whole && item.path().first() == Some(&UNKNOWN);
        findings.leave(&item, if is_unknown { UNKNOWN_VARIABLE } else { reason(&item.path()) });
    }
}

/// `item`, or what is in it if that are things with reasons of their own.
fn parts(item: Item<'_>) -> Vec<Item<'_>> {
    match item.path().as_slice() {
        [UNKNOWN | "actions" | "commands" | "constants" | "parameters"]
        | ["actions", "boot" | "deploy"]
        | ["actions", "boot" | "deploy", "methods"]
        | ["actions", "deploy", "parameters"]
        | ["constants", "u-boot"] => item.entries().into_iter().flat_map(parts).collect(),
        _ => vec![item],
    }
}

/// What the templates write whatever the device is: an empty place, or a method that is always there here.
fn means_nothing(item: &Item<'_>) -> bool {
    let is_empty = match &item.node.value {
        Value::Null => true,
        Value::Mapping(entries) => entries.is_empty(),
        Value::Sequence(items) => items.is_empty(),
        _ => false,
    };
    is_empty
        && matches!(
            item.path().as_slice(),
            ["parameters", "pass"] | ["actions", _, "methods", "tftp" | "ssh" | "minimal"]
        )
}

fn reason(path: &[&str]) -> &'static str {
    match path {
        ["timeouts", ..] => {
            "time-outs are the job's: write what differs from the runner's own into its `timeouts` (docs/timeouts.md)"
        }
        ["commands", rest @ ..] => command(rest),
        ["constants", rest @ ..] => constant(rest),
        ["character_delays", ..] => "tests are not typed: the agent runs them",
        ["parameters", rest @ ..] => parameter(rest),
        ["actions", "deploy", rest @ ..] => deploy(rest),
        ["actions", "boot", "connections", ..] => KINDS_OF_CONNECTION,
        path if path.starts_with(&METHOD) => "the runner does not do this with U-Boot",
        ["actions", "boot", ..] => "another way to boot: there are `u-boot`, `minimal` and `ssh`",
        ["device_info", ..] => "devices for containers: tests run on the board itself",
        ["static_info", ..] => "it is a list of mappings of names to texts",
        [
            "adb_serial_number"
            | "fastboot_serial_number"
            | "fastboot_options"
            | "fastboot_via_uboot"
            | "flash_cmds_order",
            ..,
        ] => "fastboot and adb are not supported",
        ["extra_kernel_args" | "uboot_mac_addr" | "uboot_set_mac"] => {
            "it belongs into the command lists of the board type, which is not a built-in one: write it there"
        }
        _ => "it has no counterpart here",
    }
}

const UNKNOWN_VARIABLE: &str =
    "what it does is said by LAVA's template: give its directory with --templates DIR";

const KINDS_OF_CONNECTION: &str =
    "kinds of connections: the serial console and SSH are always there, others never";

fn command(path: &[&str]) -> &'static str {
    match path {
        ["pre_power_command" | "pre_os_command", ..] => {
            "nothing runs before power or kernel; before power, put it in front of `on` and `reset`, which may be lists of commands"
        }
        ["soft_reset", ..] => "fastboot and adb are not supported",
        ["users", ..] => "a command for jobs has `do`, and `undo` where something is to be undone",
        _ => "it has no counterpart here",
    }
}

fn constant(path: &[&str]) -> &'static str {
    match path {
        ["posix" | "spawn_maxread" | "failure_retry" | "boot_retry" | "default-shell-prompt", ..] => {
            "settings of LAVA's own machinery: the agent needs no shell prompt, retries are the job's `failure_retry`"
        }
        ["u-boot", "dfu-download", ..] => "DFU is not supported",
        ["u-boot", ..] => "it has no counterpart here",
        ["barebox" | "grub" | "grub-efi" | "ipxe" | "depthcharge" | "uefi" | "uefi-menu", ..] => {
            "settings of another boot loader: the runner boots by U-Boot"
        }
        _ => "it has no counterpart here",
    }
}

fn parameter(path: &[&str]) -> &'static str {
    match path {
        ["media", ..] => {
            "the runner does not deploy to the board's own disks: it boots by TFTP and NFS, or a RAM disk"
        }
        ["interfaces", ..] => "networks are not switched for a job; `target` alone is carried over",
        ["dtb_base_resize", ..] => "`{DTB_BASE_RESIZE}` is always 1 MiB",
        ["text_offset", ..] => "an address is hexadecimal, or a variable of U-Boot's",
        ["bootz" | "booti" | "bootm" | "zimage" | "image" | "uimage", ..] => {
            "LAVA takes those of U-Boot's command; a kind of image needs the addresses `kernel`, `ramdisk` and `dtb`, hexadecimal or variables of U-Boot's"
        }
        _ => "it has no counterpart here",
    }
}

fn deploy(path: &[&str]) -> &'static str {
    match path {
        ["connections", ..] => KINDS_OF_CONNECTION,
        ["parameters", "add_header", ..] => "RAM disks are given U-Boot's header (`u-boot`) or none",
        ["parameters", "append_dtb", ..] => {
            "device trees are loaded on their own, never appended to a kernel"
        }
        ["parameters", "use_xip" | "enable_dtbo" | "mkimage_arch", ..] => {
            "the runner does not do this with a kernel"
        }
        _ => "another way to deploy: there are `tftp` and `ssh`",
    }
}
