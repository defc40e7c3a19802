//! `boot` blocks with `method: bootloader`: to the boot loader's prompt and no further.

use super::{commands, login, reset};
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Fields, Reader};
use crate::job::model::BootBootloader;

/// LAVA's other boot loaders.
const UNSUPPORTED: [&str; 7] =
    ["barebox", "depthcharge", "fastboot", "grub", "grub-efi", "ipxe", "uefi-menu"];

/// Reads the block.
pub(super) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<BootBootloader> {
    fields.accept(&["connection", "reset_connection"]);
    fields.ignore(reader, &["use_bootscript"]);
    let loader = fields.require(reader, "bootloader").and_then(|node| {
        let name = reader.non_empty(node, "bootloader")?;
        let problem = match name.as_str() {
            "u-boot" => return Some(()),
            other if UNSUPPORTED.contains(&other) => Diagnostic::error(
                Code::UnsupportedBoot,
                node.span,
                format!("`bootloader: {name}` is not supported"),
            )
            .with_help("supported is `u-boot`"),
            _ => Diagnostic::error(
                Code::UnknownBoot,
                node.span,
                format!("`boot` knows no `bootloader: {name}`"),
            )
            .with_optional_help(did_you_mean(&name, ["u-boot"])),
        };
        reader.report(problem);
        None
    });
    let commands = fields.get("commands").and_then(|node| commands(reader, node));
    let prompts = login::prompts(reader, fields);
    let parameters = login::Parameters::read(reader, fields);
    let mut reset = reset(reader, fields, &parameters);
    // The newer name of the same.
    let device = fields.get("reset_device").and_then(|node| reader.boolean(node, "reset_device"));
    reset.wanted &= device.unwrap_or(true);
    parameters.finish(reader);
    loader?;
    Some(BootBootloader { commands, prompts, reset })
}
