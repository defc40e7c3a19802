//! `context`: values that stand in for those of the board type.

use std::time::Duration;

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Node, Reader, Value};
use crate::job::model::{Context, Located};

/// Longest pause after a character, in milliseconds.
pub(crate) const MAX_DELAY: u32 = 10_000;

/// Addresses in memory.
pub(crate) const ADDRESSES: [&str; 9] = [
    "booti_dtb_addr",
    "booti_kernel_addr",
    "booti_ramdisk_addr",
    "bootm_dtb_addr",
    "bootm_kernel_addr",
    "bootm_ramdisk_addr",
    "bootz_dtb_addr",
    "bootz_kernel_addr",
    "bootz_ramdisk_addr",
];

/// Keys of LAVA's that have no effect here: of its emulator, of other boot loaders, and of what is done otherwise.
pub(crate) const IDLE: [&str; 28] = [
    "arch",
    "boot_console",
    "boot_retry",
    "boot_root",
    "cpu",
    "custom_kernel_args",
    "deploy_character_delay",
    "extra_options",
    "failure_retry",
    "guestfs_driveid",
    "guestfs_interface",
    "guestfs_size",
    "kernel_loglevel",
    "machine",
    "memory",
    "menu_interrupt_prompt",
    "model",
    "monitor",
    "mustang_menu_list",
    "netdevice",
    "no_kvm",
    "no_network",
    "serial",
    "test_character_delay",
    "tftp_mac_address",
    "uboot_altbank",
    // A prompt that comes by itself is taken as well as one that autoboot must be stopped for.
    "uboot_needs_interrupt",
    "vga",
];

/// Keys that have an effect.
const EFFECTIVE: [&str; 8] = [
    "boot_character_delay",
    "bootloader_prompt",
    "console_device",
    "extra_kernel_args",
    "extra_nfsroot_args",
    "kernel_start_message",
    "lava_test_results_dir",
    "uboot_extra_error_message",
];

/// The keys of `context` that have no effect here, each with its place.
pub(crate) fn idle(node: &Node) -> Vec<Located<String>> {
    let Value::Mapping(entries) = &node.value else { return Vec::new() };
    let idle = entries.iter().filter(|(key, _)| IDLE.contains(&key.name.as_str()));
    idle.map(|(key, _)| Located { value: format!("context.{}", key.name), span: key.span }).collect()
}

/// Reads `context`. A lab's templates may have keys of their own, so that unknown ones are no more than a warning.
pub(crate) fn read(reader: &mut Reader<'_>, node: &Node) -> Context {
    let Some(fields) = reader.fields(node, "context") else { return Context::default() };
    fields.accept(&IDLE);
    let text = |reader: &mut Reader<'_>, key: &'static str| {
        fields.get(key).and_then(|node| words(reader, node, key))
    };
    let mut context = Context {
        extra_kernel_args: text(reader, "extra_kernel_args"),
        extra_nfsroot_args: text(reader, "extra_nfsroot_args"),
        console_device: text(reader, "console_device"),
        bootloader_prompt: fields
            .get("bootloader_prompt")
            .and_then(|node| reader.regex(node, "bootloader_prompt")),
        uboot_extra_error_message: text(reader, "uboot_extra_error_message"),
        kernel_start_message: fields
            .get("kernel_start_message")
            .and_then(|node| reader.regex_or_empty(node, "kernel_start_message")),
        results_directory: fields.get("lava_test_results_dir").and_then(|node| directory(reader, node)),
        boot_character_delay: fields
            .get("boot_character_delay")
            .and_then(|node| reader.integer(&unquoted(node), "boot_character_delay", 0, MAX_DELAY))
            .map(|delay| Duration::from_millis(delay.into())),
        ..Context::default()
    };
    for key in ADDRESSES {
        if let Some(address) = text(reader, key) {
            context.addresses.insert(key.to_owned(), address);
        }
    }
    for (key, _) in fields.rest() {
        let span = fields.key_span(key).unwrap_or(fields.span);
        let message = format!("`{key}` of `context` is not known and has no effect");
        let help = did_you_mean(key, EFFECTIVE.into_iter().chain(ADDRESSES));
        reader.report(Diagnostic::warning(Code::UnknownKey, span, message).with_meaning(help));
    }
    context
}

/// A value in quotes as the number or truth value that it is: to LAVA's templates, all of `context` is text.
fn unquoted(node: &Node) -> Node {
    let value = match &node.value {
        Value::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" => Value::Bool(true),
            "false" | "no" => Value::Bool(false),
            _ => text.parse().map_or_else(|_| node.value.clone(), Value::Integer),
        },
        other => other.clone(),
    };
    Node { value, span: node.span }
}

/// A text, or a list of texts that are joined with blanks. It is typed into U-Boot.
fn words(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<String> {
    let text = match &node.value {
        Value::Sequence(_) => reader.strings(node, key).join(" "),
        _ => reader.string(node, key)?,
    };
    if text.chars().any(char::is_control) {
        let message = format!("`{key}` must be one line");
        reader.report(Diagnostic::error(Code::InvalidName, node.span, message));
        return None;
    }
    Some(text)
}

/// `lava_test_results_dir`: an absolute path that a shell takes as it is; `%s` in it is the node's id.
fn directory(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.non_empty(node, "lava_test_results_dir")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/-_.%".contains(c);
    let valid = text.starts_with('/') && text.chars().all(allowed) && !text.contains("..");
    if !valid || text.replace("%s", "").contains('%') || text.trim_matches('/').is_empty() {
        let message = format!("`{text}` cannot be the directory of the tests");
        let help = "write an absolute path of letters, digits, `-`, `_` and `.`, such as `/home/lava-%s`";
        reader.report(Diagnostic::error(Code::InvalidPath, node.span, message).with_help(help));
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}
