//! The schema of board types, and of the tables of a bench file that override parts of one.

use schemars::Schema;
use serde_json::Value;

use super::reference::Reference;
use super::shape::{
    Keys, any_text, boolean, document, integer, names, one_or_list, one_or_some, or, or_else, text, word,
};
use crate::board::board_type::{ARCHITECTURES, MAX_BAUD, MAX_CHARACTER_DELAY, MIN_BAUD};
use crate::job::BootImage;

/// The page of all keys.
pub(super) const REFERENCE: Reference<'_> = Reference {
    introduction: include_str!("board_type/introduction.md"),
    elsewhere: &[],
    example: include_str!("examples/board-type.toml"),
};

/// The schema.
pub(super) fn schema() -> Schema {
    let console = Keys::new()
        .needs("device", "The console's device in Linux, such as `ttyS0`.", text())
        .needs("baud", "Its speed.", baud());
    let keys = Keys::new()
        .needs("name", "The type's name, such as `beaglebone-black`.", text())
        .may("arch", "The agent's architecture.", or_else(arch(), "each board says it"))
        .needs("console", "The serial console.", console.schema())
        .may("uboot", "U-Boot, if the boards have it.", uboot(Part::Whole))
        .needs("linux", "Linux.", linux(Part::Whole));
    document("A host-runner board type", keys.schema())
}

/// Whether a table stands for itself, or overrides parts of a board type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Override,
}

impl Part {
    fn key(self, keys: Keys, name: &'static str, about: &str, value: Value) -> Keys {
        match self {
            Self::Whole => keys.needs(name, about, value),
            Self::Override => keys.may(name, about, value),
        }
    }
}

pub(super) fn arch() -> Value {
    word(ARCHITECTURES.map(|(name, _)| name))
}

pub(super) fn baud() -> Value {
    integer(MIN_BAUD, MAX_BAUD)
}

/// `[uboot]`.
pub(super) fn uboot(part: Part) -> Value {
    let images = word(BootImage::NAMES.map(|(name, _)| name));
    let kernel = "Where the kernel is loaded.";
    let ramdisk = "Where the RAM disk is loaded.";
    let dtb = "Where the device tree is loaded.";
    let needed: [(&str, &str, Value); 10] = [
        ("autoboot_prompt", "What it prints when a key stops autoboot: a regular expression.", text()),
        ("interrupt", "What is typed then.", any_text()),
        ("prompts", "Its prompts: regular expressions.", one_or_some(&text())),
        ("final_message", "Its last words before the kernel: a regular expression.", text()),
        ("kernel_addr", kernel, address()),
        ("ramdisk_addr", ramdisk, address()),
        ("dtb_addr", dtb, address()),
        ("images", "Kinds of kernel image that it starts, the usual one first.", one_or_some(&images)),
        ("errors", "Texts that mean that a command failed.", one_or_list(&any_text())),
        ("commands", "Lists of commands by name: templates with `{KERNEL_ADDR}` and the like.", commands()),
    ];
    let of_image = Keys::new()
        .needs("kernel_addr", kernel, address())
        .needs("ramdisk_addr", ramdisk, address())
        .needs("dtb_addr", dtb, address())
        .schema();
    let of_images = BootImage::NAMES.iter().fold(Keys::new(), |keys, (name, _)| {
        keys.may(name, &format!("For a kernel of the kind `{name}`."), of_image.clone())
    });
    let keys = Keys::new()
        .may(
            "character_delay_ms",
            "Milliseconds between characters typed.",
            or(integer(0, MAX_CHARACTER_DELAY), 0),
        )
        .may("dtbo_addr", "Where overlays of the device tree are loaded.", address())
        .may("tee_addr", "Where a trusted execution environment's image is loaded.", address())
        .may(
            "ramdisk_header",
            "Whether a RAM disk without U-Boot's header is given one.",
            or(boolean(), false),
        )
        .may("uimage_addr", "Where a kernel that is given U-Boot's header is moved to.", address())
        .may("addresses", "Addresses for some kinds of kernel image.", of_images.schema())
        .may("boot_dtb_addr", "The device tree that the kernel gets, where it is not the job's.", text());
    needed.into_iter().fold(keys, |keys, (name, about, value)| part.key(keys, name, about, value)).schema()
}

fn address() -> Value {
    let mut address = text();
    address["pattern"] = "^((0x)?[0-9a-fA-F]{1,16}|\\$\\{[A-Za-z0-9_]+\\})$".into();
    address
}

fn commands() -> Value {
    names(&one_or_list(&any_text()))
}

/// `[linux]`.
pub(super) fn linux(part: Part) -> Value {
    let keys = Keys::new().may(
        "soft_reboot",
        "Commands that restart it; the first that does is enough.",
        one_or_list(&any_text()),
    );
    let keys =
        part.key(keys, "kernel_start_message", "The kernel's first words: a regular expression.", text());
    let keys =
        part.key(keys, "shutdown_message", "What it prints when it restarts: a regular expression.", text());
    part.key(keys, "login_prompt", "Its login prompt: a regular expression.", text()).schema()
}
