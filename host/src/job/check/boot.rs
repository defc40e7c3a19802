//! `boot` blocks.

use std::time::Duration;

use super::deploy::check_connection;
use super::protocol;
use super::timeout::JobTimeouts;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{
    AutoLogin, BlockKind, BootCommands, BootImage, BootSsh, BootUboot, Located, Timeouts,
};
use crate::job::part::Owner;

/// Most attempts at a boot.
const MAX_ATTEMPTS: u32 = 100;

/// Longest time between two of them, in seconds.
const MAX_INTERVAL: u32 = 3600;

/// U-Boot's commands that start a kernel.
const TYPES: [(&str, BootImage); 3] =
    [("bootz", BootImage::Zimage), ("booti", BootImage::Image), ("bootm", BootImage::Uimage)];

/// LAVA's other ways to boot.
const UNSUPPORTED: [&str; 28] = [
    "avh",
    "barebox",
    "bootloader",
    "cmsis-dap",
    "depthcharge",
    "dfu",
    "docker",
    "fastboot",
    "flasher",
    "fvp",
    "gdb",
    "grub",
    "grub-efi",
    "ipxe",
    "jlink",
    "kexec",
    "lxc",
    "minimal",
    "musca",
    "new_connection",
    "openocd",
    "pyocd",
    "qemu",
    "qemu-nfs",
    "recovery",
    "schroot",
    "uefi-menu",
    "uuu",
];

/// Reads a `boot` block.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    timeouts: &JobTimeouts,
) -> Option<(BlockKind, Timeouts)> {
    let method_node = fields.require(reader, "method")?;
    let method = reader.string(method_node, "method")?;
    match method.as_str() {
        "u-boot" => {
            let timeouts = timeouts.of_block(reader, fields, Owner::BootUboot);
            Some((BlockKind::BootUboot(Box::new(uboot(reader, fields)?)), timeouts))
        }
        "ssh" => {
            let timeouts = timeouts.of_block(reader, fields, Owner::BootSsh);
            Some((BlockKind::BootSsh(ssh(reader, fields)?), timeouts))
        }
        _ => {
            let problem = if UNSUPPORTED.contains(&method.as_str()) {
                let message = format!("`boot: method: {method}` is not supported");
                Diagnostic::error("unsupported-boot", method_node.span, message)
                    .with_help("supported are `u-boot` and `ssh`")
            } else {
                let message = format!("`boot` knows no `method: {method}`");
                Diagnostic::error("unknown-boot", method_node.span, message)
                    .with_optional_help(did_you_mean(&method, ["u-boot", "ssh"]))
            };
            reader.report(problem);
            None
        }
    }
}

fn uboot(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<BootUboot> {
    fields.accept(&["connection"]);
    fields.refuse(reader, &["transfer_overlay", "use_bootscript", "repeat"]);
    protocol::refuse_calls(reader, fields);
    let commands = fields.require(reader, "commands").and_then(|node| commands(reader, node));
    let image = fields.get("type").and_then(|node| reader.choice(node, "type", &TYPES));
    let prompts = prompts(reader, fields);
    let auto_login = fields.get("auto_login").and_then(|node| auto_login(reader, node));
    let failure_message =
        fields.get("failure_message").and_then(|node| reader.regex(node, "failure_message"));
    let soft_reboot = fields.get("soft_reboot").map(|node| reader.strings(node, "soft_reboot"));
    always_reset(reader, fields);
    let ignore = fields.get("ignore_kernel_messages");
    let ignore = ignore.and_then(|node| reader.boolean(node, "ignore_kernel_messages"));
    let attempts = fields.get("failure_retry");
    let attempts = attempts.and_then(|node| reader.integer(node, "failure_retry", 1, MAX_ATTEMPTS));
    let interval = fields.get("failure_retry_interval");
    let interval = interval.and_then(|node| reader.integer(node, "failure_retry_interval", 0, MAX_INTERVAL));
    let parameters = fields.get("parameters").and_then(|node| reader.fields(node, "parameters"));
    let mut message = |key: &'static str| {
        let node = parameters.as_ref()?.get(key)?;
        reader.regex(node, key)
    };
    let shutdown_message = message("shutdown-message");
    let kernel_start_message = message("kernel-start-message");
    let bootloader_final_message = message("bootloader-final-message");
    if let Some(parameters) = parameters {
        parameters.finish(reader);
    }
    fields.finish(reader);
    Some(BootUboot {
        commands: commands?,
        image,
        prompts: prompts?,
        auto_login,
        shutdown_message,
        kernel_start_message,
        bootloader_final_message,
        failure_message,
        soft_reboot: soft_reboot.unwrap_or_default(),
        ignore_kernel_messages: ignore.unwrap_or(false),
        attempts: attempts.unwrap_or(1),
        retry_interval: Duration::from_secs(interval.unwrap_or(1).into()),
    })
}

/// `reset: false` is for boards that another block left in the boot loader, which no block can do here.
fn always_reset(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    let Some(node) = fields.get("reset") else { return };
    if reader.boolean(node, "reset") == Some(false) {
        let message = "`reset: false` is not supported: every boot begins with a reset";
        reader.report(Diagnostic::error("unsupported-key", node.span, message));
    }
}

fn ssh(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<BootSsh> {
    check_connection(reader, fields);
    fields.refuse(reader, &["schroot", "repeat"]);
    // A connection is tried again until the block's time is over, whatever the job says.
    fields.accept(&["failure_retry", "failure_retry_interval"]);
    protocol::refuse_calls(reader, fields);
    // The agent needs no prompt: it has a channel of its own.
    prompts(reader, fields);
    let parameters = fields.require(reader, "parameters").and_then(|node| reader.fields(node, "parameters"));
    let (mut host_id, mut host_key) = (None, None);
    if let Some(parameters) = parameters {
        host_id = parameters.require(reader, "hostID").and_then(|node| reader.non_empty(node, "hostID"));
        host_key = parameters.require(reader, "host_key").and_then(|node| reader.non_empty(node, "host_key"));
        parameters.finish(reader);
    }
    fields.finish(reader);
    Some(BootSsh { host_id: host_id?, host_key: host_key? })
}

/// `commands`: the name of a list, or the commands.
fn commands(reader: &mut Reader<'_>, node: &Node) -> Option<Located<BootCommands>> {
    let value = match &node.value {
        Value::Sequence(items) if items.is_empty() => {
            reader.report(Diagnostic::error("empty-value", node.span, "`commands` is empty"));
            return None;
        }
        Value::Sequence(_) => BootCommands::Inline(reader.strings(node, "commands")),
        _ => BootCommands::Named(reader.non_empty(node, "commands")?),
    };
    Some(Located { value, span: node.span })
}

/// `prompts`: one or more regular expressions.
fn prompts(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Vec<String>> {
    let node = fields.require(reader, "prompts")?;
    let prompts = reader.list(node, |reader, item| reader.regex(item, "prompts"));
    if matches!(&node.value, Value::Sequence(items) if items.is_empty()) {
        reader.report(Diagnostic::error("empty-value", node.span, "`prompts` is empty"));
    }
    (!prompts.is_empty()).then_some(prompts)
}

fn auto_login(reader: &mut Reader<'_>, node: &Node) -> Option<AutoLogin> {
    let fields = reader.fields(node, "auto_login")?;
    let login_prompt =
        fields.require(reader, "login_prompt").and_then(|node| reader.regex(node, "login_prompt"));
    let username = fields.require(reader, "username").and_then(|node| reader.non_empty(node, "username"));
    let password_prompt =
        fields.get("password_prompt").and_then(|node| reader.regex(node, "password_prompt"));
    let password = fields.get("password").and_then(|node| reader.string(node, "password"));
    let login_commands = fields.get("login_commands").map(|node| reader.strings(node, "login_commands"));
    if password_prompt.is_some() != password.is_some() {
        let message = "`password_prompt` and `password` need each other";
        reader.report(Diagnostic::error("missing-key", fields.span, message));
    }
    fields.finish(reader);
    Some(AutoLogin {
        login_prompt: login_prompt?,
        username: username?,
        password_prompt,
        password,
        login_commands: login_commands.unwrap_or_default(),
    })
}
