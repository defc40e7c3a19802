//! `boot` blocks.

mod bootloader;
mod login;
mod uboot;

use crate::diagnostic::{Code, Diagnostic, did_you_mean, meant, nearest};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{
    BlockKind, BootCommands, BootMinimal, BootSsh, Located, NewConnection, Reset, SshAddress,
};
use crate::job::part::Owner;
use crate::job::placeholder::{PLACEHOLDERS, is_never_given, names, unknown};

/// The supported ways to boot.
const METHODS: [(&str, Owner); 5] = [
    ("u-boot", Owner::BootUboot),
    ("bootloader", Owner::BootBootloader),
    ("minimal", Owner::BootMinimal),
    ("new_connection", Owner::NewConnection),
    ("ssh", Owner::BootSsh),
];

/// What is supported, for messages.
const SUPPORTED: &str = "supported are `u-boot`, `bootloader`, `minimal`, `new_connection` and `ssh`";

/// LAVA's other ways to boot.
const UNSUPPORTED: [&str; 33] = [
    "avh",
    "barebox",
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
    "monitor",
    "musca",
    "nodebooter",
    "openocd",
    "pyocd",
    "qdl",
    "qemu",
    "qemu-iso",
    "qemu-monitor",
    "qemu-nfs",
    "recovery",
    "schroot",
    "ser-ctl",
    "uefi",
    "uefi-menu",
    "uuu",
    "xenstore",
];

/// What kind of boot it is; others are reported, and one that is misspelt is taken as it was meant.
pub(crate) fn owner(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Owner> {
    let node = fields.require(reader, "method")?;
    let method = reader.string(node, "method")?;
    let of = |name: &str| METHODS.iter().find(|(known, _)| *known == name).map(|&(_, owner)| owner);
    if let Some(owner) = of(&method) {
        return Some(owner);
    }
    if UNSUPPORTED.contains(&method.as_str()) {
        let message = format!("`boot: method: {method}` is not supported");
        reader.report(Diagnostic::error(Code::UnsupportedBoot, node.span, message).with_help(SUPPORTED));
        return None;
    }
    let near = nearest(&method, METHODS.map(|(name, _)| name));
    let message = format!("`boot` knows no `method: {method}`");
    let problem = Diagnostic::error(Code::UnknownBoot, node.span, message);
    reader.report(problem.with_help(meant(near, SUPPORTED)));
    near.and_then(of)
}

/// Reads a `boot` block of the kind `owner`.
pub(crate) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>, owner: Owner) -> Option<BlockKind> {
    Some(match owner {
        Owner::BootBootloader => BlockKind::BootBootloader(Box::new(bootloader::read(reader, fields)?)),
        Owner::BootMinimal => BlockKind::BootMinimal(Box::new(minimal(reader, fields))),
        Owner::NewConnection => BlockKind::NewConnection(Box::new(new_connection(reader, fields)?)),
        Owner::BootSsh => BlockKind::BootSsh(ssh(reader, fields)?),
        _ => BlockKind::BootUboot(Box::new(uboot::read(reader, fields)?)),
    })
}

fn minimal(reader: &mut Reader<'_>, fields: &Fields<'_>) -> BootMinimal {
    fields.accept(&["connection"]);
    // LAVA asks the device for these commands; a bench has none that come before switching on.
    fields.ignore(reader, &["pre_power_command", "pre_os_command"]);
    let parameters = login::Parameters::read(reader, fields);
    let shell = login::shell(reader, fields, &parameters);
    let reset = reset(reader, fields, &parameters);
    parameters.finish(reader);
    BootMinimal { reset, shell }
}

fn new_connection(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<NewConnection> {
    let node = fields.require(reader, "connection");
    let name = node.and_then(|node| reader.non_empty(node, "connection"));
    let parameters = login::Parameters::read(reader, fields);
    let shell = login::shell(reader, fields, &parameters);
    parameters.finish(reader);
    Some(NewConnection { connection: Located { value: name?, span: node?.span }, shell })
}

fn ssh(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<BootSsh> {
    fields.refuse(reader, &["schroot"], "tests run in the system that SSH logs in to");
    // An older form that says what `method` says already.
    fields.accept(&["connection"]);
    // The agent needs no prompt and no login: it has a channel of its own.
    login::prompts(reader, fields);
    fields.accept(&["ignore_kernel_messages"]);
    fields.ignore(reader, &["auto_login", "soft_reboot", "transfer_overlay"]);
    let Some(node) = fields.get_misspelt(reader, "parameters") else {
        return Some(BootSsh { address: SshAddress::Board });
    };
    let parameters = reader.fields(node, "parameters")?;
    // Kernel messages do not come over SSH.
    parameters.accept(&["kernel-start-message", "shutdown-message", "bootloader-final-message"]);
    let (id, key) = (parameters.get("hostID"), parameters.get("host_key"));
    if id.is_none() && key.is_none() {
        parameters.finish(reader);
        return Some(BootSsh { address: SshAddress::Board });
    }
    let mut located = |key: &'static str| {
        let node = parameters.require(reader, key)?;
        Some(Located { value: reader.non_empty(node, key)?, span: node.span })
    };
    let (host_id, host_key) = (located("hostID"), located("host_key"));
    parameters.finish(reader);
    Some(BootSsh { address: SshAddress::Message { host_id: host_id?, host_key: host_key? } })
}

/// `reset`, `soft_reboot` and `shutdown-message`.
fn reset(reader: &mut Reader<'_>, fields: &Fields<'_>, parameters: &login::Parameters<'_>) -> Reset {
    let wanted = fields.get("reset").and_then(|node| reader.boolean(node, "reset"));
    let soft_reboot = fields.get("soft_reboot");
    let soft_reboot =
        soft_reboot.map(|node| reader.list(node, |reader, item| reader.text(item, "soft_reboot")));
    Reset {
        wanted: wanted.unwrap_or(true),
        soft_reboot: soft_reboot.unwrap_or_default(),
        shutdown_message: parameters.message(reader, "shutdown-message"),
    }
}

/// `commands`: the name of a list, or the commands.
fn commands(reader: &mut Reader<'_>, node: &Node) -> Option<Located<BootCommands>> {
    let value = match &node.value {
        Value::Sequence(_) => BootCommands::Inline(reader.list(node, command)),
        _ => BootCommands::Named(reader.non_empty(node, "commands")?),
    };
    Some(Located { value, span: node.span })
}

/// A command for U-Boot.
fn command(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let command = reader.text(node, "commands")?;
    for name in names(&command).into_iter().filter(|name| is_never_given(name)) {
        let message = format!("`{{{name}}}` never has a value here: this command is always left out");
        reader.report(Diagnostic::warning(Code::UnknownPlaceholder, node.span, message));
    }
    for name in unknown(&command) {
        let message = format!("nothing replaces `{{{name}}}` in this command");
        // What looks like none of them may be text for the board.
        let problem = match did_you_mean(name, PLACEHOLDERS) {
            Some(near) => Diagnostic::error(Code::UnknownPlaceholder, node.span, message).with_help(near),
            None => Diagnostic::warning(Code::UnknownPlaceholder, node.span, message)
                .with_help("U-Boot gets it as it is"),
        };
        reader.report(problem);
    }
    Some(command)
}
