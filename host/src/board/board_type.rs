//! Board types: what is the same on all boards of one make.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source};
use crate::document::{Fields, Node, Reader, Value, parse_toml};
use crate::job::BootImage;

/// The board types that come with the program: name and text.
const BUILT_IN: [(&str, &str); 5] = [
    ("beaglebone-black", include_str!("../../../boards/beaglebone-black.toml")),
    ("qemu-virt-arm", include_str!("../../../boards/qemu-virt-arm.toml")),
    ("ssh", include_str!("../../../boards/ssh.toml")),
    ("u-boot-arm", include_str!("../../../boards/u-boot-arm.toml")),
    ("u-boot-arm64", include_str!("../../../boards/u-boot-arm64.toml")),
];

/// Architectures that the agent is built for.
pub(crate) const ARCHITECTURES: [(&str, &str); 4] =
    [("armv7", "armv7"), ("aarch64", "aarch64"), ("x86_64", "x86_64"), ("riscv64", "riscv64")];

/// Slowest and fastest console, in baud.
pub(crate) const MIN_BAUD: u32 = 50;
pub(crate) const MAX_BAUD: u32 = 4_000_000;

/// Longest pause after a character, in milliseconds.
pub(crate) const MAX_CHARACTER_DELAY: u32 = 1000;

/// A board type.
#[derive(Clone, Debug, PartialEq)]
pub struct BoardType {
    /// Its name, such as `beaglebone-black`.
    pub name: String,
    /// Architecture of the agent, such as `armv7`; `None` if its boards differ in that.
    pub arch: Option<String>,
    /// Its console.
    pub console: SerialConsole,
    /// U-Boot on it, if it has one.
    pub uboot: Option<UbootSettings>,
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
    /// Where the kernel is loaded, such as `0x82000000`, or `${loadaddr}`, a variable of U-Boot's.
    pub kernel_addr: String,
    /// Where the RAM disk is loaded.
    pub ramdisk_addr: String,
    /// Where the device tree is loaded.
    pub dtb_addr: String,
    /// Where overlays of the device tree are loaded, one after the other.
    pub dtbo_addr: Option<String>,
    /// Where a trusted execution environment's image is loaded.
    pub tee_addr: Option<String>,
    /// Where a kernel is moved to that is given U-Boot's header, since U-Boot cannot start it as it is.
    pub uimage_addr: String,
    /// Whether a RAM disk without U-Boot's header is given one, since U-Boot takes no other.
    pub ramdisk_header: bool,
    /// Where they are loaded for some kinds of kernel image, if that is elsewhere.
    pub image_addresses: BTreeMap<BootImage, LoadAddresses>,
    /// The device tree that the kernel is started with, where it is not the job's: an address or `${variable}`.
    pub boot_dtb_addr: Option<String>,
    /// Kinds of kernel image that it starts; at least one, the usual one first.
    pub images: Vec<BootImage>,
    /// Plain texts that mean that a command failed.
    pub errors: Vec<String>,
    /// Lists of commands, by name: templates with `{KERNEL_ADDR}` and the like.
    pub commands: BTreeMap<String, Vec<String>>,
}

/// Where U-Boot loads what it starts: addresses such as `0x82000000`, or its variables such as `${loadaddr}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadAddresses {
    /// The kernel.
    pub kernel: String,
    /// The RAM disk.
    pub ramdisk: String,
    /// The device tree.
    pub dtb: String,
}

impl UbootSettings {
    /// Where a kernel of kind `image` is loaded, and what belongs to it.
    pub fn addresses(&self, image: BootImage) -> LoadAddresses {
        self.image_addresses.get(&image).cloned().unwrap_or_else(|| LoadAddresses {
            kernel: self.kernel_addr.clone(),
            ramdisk: self.ramdisk_addr.clone(),
            dtb: self.dtb_addr.clone(),
        })
    }
}

/// Linux on a board. Texts are regular expressions that compile, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinuxSettings {
    /// The kernel's first words.
    pub kernel_start_message: String,
    /// What it prints when it restarts.
    pub shutdown_message: String,
    /// A login prompt.
    pub login_prompt: String,
    /// Commands that restart a running Linux, for jobs that name none; the first that does is enough. Plain texts.
    pub soft_reboot: Vec<String>,
}

impl BoardType {
    /// Names of the board types that come with the program.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The text of a board type that comes with the program.
    pub fn built_in(name: &str) -> Option<Source> {
        let (name, text) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name)?;
        Some(Source::new(format!("boards/{name}.toml"), *text))
    }

    /// Parses and checks a board type file.
    ///
    /// # Errors
    /// Every problem of the file at once.
    pub fn parse(source: &Source) -> Result<Self, Diagnostics> {
        let node = parse_toml(source).map_err(|problems| Diagnostics { source: source.clone(), problems })?;
        let mut reader = Reader::new(source);
        let board_type = board_type(&mut reader, &node);
        reader.finish(board_type).map(|(board_type, _)| board_type)
    }
}

fn board_type(reader: &mut Reader<'_>, node: &Node) -> Option<BoardType> {
    let fields = reader.fields(node, "board type")?;
    let name = fields.require(reader, "name").and_then(|node| reader.non_empty(node, "name"));
    let arch = fields.get("arch").and_then(|node| arch(reader, node));
    let console = fields.require(reader, "console").and_then(|node| console(reader, node));
    let uboot = match fields.get("uboot") {
        Some(node) => Some(uboot(reader, node, None)?),
        None => None,
    };
    let linux = fields.require(reader, "linux").and_then(|node| linux(reader, node, None));
    fields.finish(reader);
    Some(BoardType { name: name?, arch, console: console?, uboot, linux: linux? })
}

/// An architecture that the agent is built for.
pub(super) fn arch(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    reader.choice(node, "arch", &ARCHITECTURES).map(str::to_owned)
}

fn console(reader: &mut Reader<'_>, node: &Node) -> Option<SerialConsole> {
    let fields = reader.fields(node, "console")?;
    let device = fields.require(reader, "device").and_then(|node| reader.non_empty(node, "device"));
    let baud = fields.require(reader, "baud").and_then(|node| baud(reader, node));
    fields.finish(reader);
    Some(SerialConsole { device: device?, baud: baud? })
}

/// A speed in baud.
pub(super) fn baud(reader: &mut Reader<'_>, node: &Node) -> Option<u32> {
    reader.integer(node, "baud", MIN_BAUD, MAX_BAUD)
}

/// Reads an `[uboot]` table; keys that it leaves out are those of `base`, and needed without it.
pub(super) fn uboot(
    reader: &mut Reader<'_>,
    node: &Node,
    base: Option<&UbootSettings>,
) -> Option<UbootSettings> {
    let fields = reader.fields(node, "uboot")?;
    let keys = Overrides { fields: &fields, optional: base.is_some() };
    let pick = |get: fn(&UbootSettings) -> &String| base.map(|base| get(base).clone());
    let autoboot_prompt = keys.read(reader, "autoboot_prompt", Reader::regex);
    let interrupt = keys.read(reader, "interrupt", Reader::string);
    let prompts = keys.read(reader, "prompts", regexes);
    let final_message = keys.read(reader, "final_message", Reader::regex);
    let delay = fields.get("character_delay_ms");
    let delay = delay.and_then(|node| reader.integer(node, "character_delay_ms", 0, MAX_CHARACTER_DELAY));
    let kernel_addr = keys.read(reader, "kernel_addr", address);
    let ramdisk_addr = keys.read(reader, "ramdisk_addr", address);
    let dtb_addr = keys.read(reader, "dtb_addr", address);
    let own_address =
        |reader: &mut Reader<'_>, key| fields.get(key).and_then(|node| address(reader, node, key));
    let (dtbo_addr, tee_addr) = (own_address(reader, "dtbo_addr"), own_address(reader, "tee_addr"));
    let uimage_addr = own_address(reader, "uimage_addr");
    let ramdisk_header = fields.get("ramdisk_header").and_then(|node| reader.boolean(node, "ramdisk_header"));
    let image_addresses = fields.get("addresses").map(|node| image_addresses(reader, node));
    let boot_dtb_addr = fields.get("boot_dtb_addr").and_then(|node| reader.non_empty(node, "boot_dtb_addr"));
    let images = keys.read(reader, "images", images);
    let errors = keys.read(reader, "errors", |reader, node, what| Some(reader.strings(node, what)));
    let own_commands = keys.read(reader, "commands", commands).unwrap_or_default();
    fields.finish(reader);
    let mut commands = base.map(|base| base.commands.clone()).unwrap_or_default();
    commands.extend(own_commands);
    Some(UbootSettings {
        autoboot_prompt: autoboot_prompt.or(pick(|base| &base.autoboot_prompt))?,
        interrupt: interrupt.or(pick(|base| &base.interrupt))?,
        prompts: prompts.or(base.map(|base| base.prompts.clone()))?,
        final_message: final_message.or(pick(|base| &base.final_message))?,
        character_delay: delay
            .map(|delay| Duration::from_millis(delay.into()))
            .or(base.map(|base| base.character_delay))
            .unwrap_or_default(),
        dtbo_addr: dtbo_addr.or(base.and_then(|base| base.dtbo_addr.clone())),
        tee_addr: tee_addr.or(base.and_then(|base| base.tee_addr.clone())),
        // U-Boot then leaves it where it was loaded.
        uimage_addr: uimage_addr.or(pick(|base| &base.uimage_addr)).or_else(|| kernel_addr.clone())?,
        kernel_addr: kernel_addr.or(pick(|base| &base.kernel_addr))?,
        ramdisk_addr: ramdisk_addr.or(pick(|base| &base.ramdisk_addr))?,
        dtb_addr: dtb_addr.or(pick(|base| &base.dtb_addr))?,
        ramdisk_header: ramdisk_header.or(base.map(|base| base.ramdisk_header)).unwrap_or_default(),
        image_addresses: image_addresses
            .or(base.map(|base| base.image_addresses.clone()))
            .unwrap_or_default(),
        boot_dtb_addr: boot_dtb_addr.or(base.and_then(|base| base.boot_dtb_addr.clone())),
        images: images.or(base.map(|base| base.images.clone()))?,
        errors: errors.or(base.map(|base| base.errors.clone()))?,
        commands,
    })
}

/// Reads a `[linux]` table; keys that it leaves out are those of `base`, and needed without it.
pub(super) fn linux(
    reader: &mut Reader<'_>,
    node: &Node,
    base: Option<&LinuxSettings>,
) -> Option<LinuxSettings> {
    let fields = reader.fields(node, "linux")?;
    let keys = Overrides { fields: &fields, optional: base.is_some() };
    let pick = |get: fn(&LinuxSettings) -> &String| base.map(|base| get(base).clone());
    let kernel_start_message = keys.read(reader, "kernel_start_message", Reader::regex);
    let shutdown_message = keys.read(reader, "shutdown_message", Reader::regex);
    let login_prompt = keys.read(reader, "login_prompt", Reader::regex);
    let soft_reboot = fields.get("soft_reboot").map(|node| reader.strings(node, "soft_reboot"));
    fields.finish(reader);
    Some(LinuxSettings {
        kernel_start_message: kernel_start_message.or(pick(|base| &base.kernel_start_message))?,
        shutdown_message: shutdown_message.or(pick(|base| &base.shutdown_message))?,
        login_prompt: login_prompt.or(pick(|base| &base.login_prompt))?,
        soft_reboot: soft_reboot.or(base.map(|base| base.soft_reboot.clone())).unwrap_or_default(),
    })
}

/// Keys that a board type needs, and that a bench file may leave out.
struct Overrides<'f, 'n> {
    fields: &'f Fields<'n>,
    optional: bool,
}

impl Overrides<'_, '_> {
    fn read<'s, T>(
        &self,
        reader: &mut Reader<'s>,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'s>, &Node, &str) -> Option<T>,
    ) -> Option<T> {
        let node = if self.optional { self.fields.get(key) } else { self.fields.require(reader, key) };
        node.and_then(|node| read(reader, node, key))
    }
}

fn regexes(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Vec<String>> {
    let regexes = reader.list(node, |reader, item| reader.regex(item, what));
    not_empty(reader, node, what, regexes)
}

fn images(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Vec<BootImage>> {
    let images = reader.list(node, |reader, item| reader.choice(item, what, &BootImage::NAMES));
    not_empty(reader, node, what, images)
}

fn not_empty<T>(reader: &mut Reader<'_>, node: &Node, what: &str, items: Vec<T>) -> Option<Vec<T>> {
    if matches!(&node.value, Value::Sequence(items) if items.is_empty()) {
        reader.report(Diagnostic::error(Code::EmptyValue, node.span, format!("`{what}` is empty")));
    }
    (!items.is_empty()).then_some(items)
}

/// `addresses`: a table of three addresses for each kind of image.
fn image_addresses(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<BootImage, LoadAddresses> {
    let mut addresses = BTreeMap::new();
    let Some(kinds) = reader.fields(node, "addresses") else { return addresses };
    for (name, image) in BootImage::NAMES {
        let table = kinds.get(name).and_then(|node| reader.fields(node, name));
        let Some(table) = table else { continue };
        let mut read = |key| table.require(reader, key).and_then(|node| address(reader, node, key));
        let (kernel, ramdisk, dtb) = (read("kernel_addr"), read("ramdisk_addr"), read("dtb_addr"));
        table.finish(reader);
        if let (Some(kernel), Some(ramdisk), Some(dtb)) = (kernel, ramdisk, dtb) {
            addresses.insert(image, LoadAddresses { kernel, ramdisk, dtb });
        }
    }
    kinds.finish(reader);
    addresses
}

/// Whether U-Boot can take `text` for an address in memory: hexadecimal digits with or without `0x`, or a variable of its own.
pub(crate) fn is_load_address(text: &str) -> bool {
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        return !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    }
    let digits = text.strip_prefix("0x").unwrap_or(text);
    (1..=16).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An address in memory.
fn address(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let text = reader.string(node, what)?;
    if is_load_address(&text) {
        return Some(text);
    }
    let message =
        format!("`{what}` must be an address such as `0x82000000`, or a variable such as `${{loadaddr}}`");
    reader.report(Diagnostic::error(Code::InvalidAddress, node.span, message));
    None
}

fn commands(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<BTreeMap<String, Vec<String>>> {
    let fields = reader.fields(node, what)?;
    let lists = fields.rest().map(|(name, node)| (name.to_owned(), reader.strings(node, name)));
    Some(lists.collect())
}
