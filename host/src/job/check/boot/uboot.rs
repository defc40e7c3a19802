//! `boot` blocks with `method: u-boot`.

use super::{commands, login, reset};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Fields, Reader};
use crate::job::model::{BootImage, BootUboot};

/// U-Boot's commands that start a kernel.
const TYPES: [(&str, BootImage); 3] =
    [("bootz", BootImage::Zimage), ("booti", BootImage::Image), ("bootm", BootImage::Uimage)];

/// A system that an earlier deployment has written to a disk of the board: one thing, which takes several keys.
fn refuse_media(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    const KEYS: [&str; 6] = ["media", "kernel", "ramdisk", "dtb", "root_uuid", "boot_part"];
    fields.accept(&KEYS);
    let mut spans = KEYS.iter().filter_map(|key| fields.key_span(key));
    let Some(first) = spans.next() else { return };
    let message = "a boot from a disk that an earlier `deploy` has written is not supported";
    let problem = Diagnostic::error(Code::UnsupportedKey, first, message);
    let help = "what `boot` starts comes from a `deploy` with `to: tftp`, and its files are named there";
    reader.report(spans.fold(problem, |problem, span| problem.with_label(span, "")).with_help(help));
}

/// Reads the block.
pub(super) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<BootUboot> {
    fields.accept(&["connection"]);
    // In LAVA it makes scripts for iPXE, and does nothing for U-Boot.
    fields.ignore(reader, &["use_bootscript"]);
    refuse_media(reader, fields);
    fields.ignore(reader, &["os"]);
    let commands = fields.require(reader, "commands").and_then(|node| commands(reader, node));
    let image = fields.get("type").and_then(|node| reader.choice(node, "type", &TYPES));
    let kernel_type = fields.get("kernel_type");
    let kernel_type = kernel_type.and_then(|node| reader.choice(node, "kernel_type", &BootImage::NAMES));
    let parameters = login::Parameters::read(reader, fields);
    let bootloader_final_message = parameters.message(reader, "bootloader-final-message");
    let reset = reset(reader, fields, &parameters);
    let shell = login::shell(reader, fields, &parameters);
    parameters.finish(reader);
    Some(BootUboot {
        commands: commands?,
        image: kernel_type.or(image),
        bootloader_final_message,
        reset,
        shell,
    })
}
