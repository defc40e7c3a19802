//! What a device dictionary says of U-Boot and of the kernel's messages: `[uboot]` and `[linux]` of a board type.

use toml_edit::Value;

use super::boot_commands;
use crate::board::{BoardType, is_load_address};
use crate::diagnostic::Code;
use crate::import::draft::{self, Draft};
use crate::import::findings::Findings;
use crate::import::keys::{Item, Keys};
use crate::import::regexes;

/// Where the dictionary has the boot method.
pub(super) const METHOD: [&str; 4] = ["actions", "boot", "methods", "u-boot"];
/// Where it has the constants of U-Boot.
const CONSTANTS: [&str; 2] = ["constants", "u-boot"];
/// Where it has the header of RAM disks.
const ADD_HEADER: [&str; 4] = ["actions", "deploy", "parameters", "add_header"];
/// Longest `character_delay_ms`.
const MAX_DELAY: i128 = 1000;

/// What is written, and where.
pub(super) struct Scope<'a> {
    /// The table that holds `uboot` and `linux`: of a board, or the root of a board type.
    pub(super) prefix: Vec<&'a str>,
    /// Whether everything is written that a board type needs, defaults where the dictionary has nothing.
    pub(super) is_whole: bool,
    /// The board type that is changed by it, if its settings are known.
    pub(super) base: Option<&'a BoardType>,
}

/// Reads U-Boot's part of the dictionary into a draft.
pub(super) struct Reader<'a, 'n> {
    pub(super) keys: &'a Keys<'n>,
    pub(super) findings: &'a mut Findings,
    pub(super) draft: &'a mut Draft,
    pub(super) scope: Scope<'a>,
}

impl<'n> Reader<'_, 'n> {
    /// Reads all of it.
    pub(super) fn read(mut self) {
        self.autoboot_prompt();
        self.interrupt();
        self.prompts();
        let final_message = self.constant("final-message");
        self.pattern(&["uboot", "final_message"], final_message, "Starting kernel");
        self.character_delay();
        self.addresses();
        self.ramdisk_header();
        self.errors();
        boot_commands::read(&mut self);
        self.linux();
    }

    /// Writes a setting.
    pub(super) fn set(&mut self, path: &[&str], value: impl Into<Value>, comment: &str) {
        let path: Vec<_> = self.scope.prefix.iter().chain(path).copied().collect();
        self.draft.set(&path, value, comment);
    }

    /// Writes a setting that the dictionary does not have, where a board type needs it.
    fn set_default(&mut self, path: &[&str], value: impl Into<Value>) {
        if self.scope.is_whole {
            self.set(path, value, "Not in the dictionary; the usual.");
        }
    }

    fn parameter(&self, key: &str) -> Option<Item<'n>> {
        self.keys.take(&[METHOD.as_slice(), &["parameters", key]].concat())
    }

    fn constant(&self, key: &str) -> Option<Item<'n>> {
        self.keys.take(&[CONSTANTS.as_slice(), &[key]].concat())
    }

    /// A parameter of the method, which wins over the constant.
    fn either(&self, parameter: &str, constant: &str) -> Option<Item<'n>> {
        let constant = self.constant(constant);
        self.parameter(parameter).or(constant)
    }

    /// A regular expression.
    fn pattern(&mut self, path: &[&str], item: Option<Item<'_>>, default: &str) {
        let text = item.as_ref().and_then(Item::non_empty);
        match (item, text.as_deref().map(regexes::pattern)) {
            (Some(item), Some(Ok(pattern))) => self.set(path, pattern, &item.origin()),
            (Some(item), Some(Err(why))) => {
                self.findings.leave(&item, format!("it is no regular expression here: {why}"));
                self.set_default(path, default);
            }
            _ => self.set_default(path, default),
        }
    }

    fn autoboot_prompt(&mut self) {
        let item = self.either("interrupt_prompt", "interrupt-prompt");
        self.pattern(&["uboot", "autoboot_prompt"], item, "Hit any key to stop autoboot");
        // A U-Boot that stops by itself is at its prompt, which is enough for the runner.
        self.parameter("needs_interrupt");
    }

    /// LAVA sends control characters if there is a list of them, otherwise text and, unless told not to, a newline.
    fn interrupt(&mut self) {
        let controls = self.either("interrupt_ctrl_list", "interrupt_ctrl_list");
        let text = self.either("interrupt_char", "interrupt-character");
        let newline = self.constant("interrupt-newline");
        let with_newline = newline.as_ref().and_then(Item::is_true).unwrap_or(true);
        let letters = controls.as_ref().and_then(Item::texts).unwrap_or_default();
        let controlled: Option<String> = letters.iter().map(|letter| control_character(letter)).collect();
        let (item, keys) = match (controls, controlled, text) {
            (Some(item), None, _) => {
                self.findings.leave(&item, "`interrupt` can send control characters of single letters alone");
                return self.set_default(&["uboot", "interrupt"], " ");
            }
            (Some(item), Some(keys), _) if !keys.is_empty() => (item, keys),
            (_, _, Some(item)) => {
                let text = item.text().unwrap_or_default();
                (item, if with_newline { text + "\n" } else { text })
            }
            _ => {
                if let Some(newline) = &newline {
                    self.findings.leave(newline, "what goes before the newline is not said");
                }
                return self.set_default(&["uboot", "interrupt"], " ");
            }
        };
        if keys.is_empty() {
            self.findings.leave(&item, "nothing would be sent");
            return self.set_default(&["uboot", "interrupt"], " ");
        }
        let newline =
            if keys.ends_with('\n') { ", with a newline as LAVA's `interrupt-newline` says" } else { "" };
        self.set(&["uboot", "interrupt"], draft::text(&keys), &format!("{}{newline}", item.origin()));
    }

    fn prompts(&mut self) {
        let Some(item) = self.parameter("bootloader_prompt") else {
            return self.set_default(&["uboot", "prompts"], draft::list(&["=> ".to_owned()], false));
        };
        let texts = item.texts().unwrap_or_default();
        let prompts: Result<Vec<_>, _> = texts.iter().map(|text| regexes::prompt(text)).collect();
        match prompts {
            Ok(prompts) if !prompts.is_empty() => {
                let is_same = prompts == texts;
                let changed =
                    if is_same { "" } else { ": LAVA looks for it anywhere, a prompt ends with the line" };
                let comment = format!("{}{changed}", item.origin());
                self.set(&["uboot", "prompts"], draft::list(&prompts, false), &comment);
            }
            Ok(_) => self.set_default(&["uboot", "prompts"], draft::list(&["=> ".to_owned()], false)),
            Err(why) => {
                self.findings.leave(&item, format!("it is no regular expression here: {why}"));
                self.set_default(&["uboot", "prompts"], draft::list(&["=> ".to_owned()], false));
            }
        }
    }

    fn character_delay(&mut self) {
        let Some(item) = self.keys.take(&["character_delays", "boot"]) else { return };
        match item.number().filter(|delay| (0..=MAX_DELAY).contains(delay)) {
            Some(delay) => {
                let comment = format!("{}: milliseconds after each character", item.origin());
                self.set(
                    &["uboot", "character_delay_ms"],
                    i64::try_from(delay).unwrap_or_default(),
                    &comment,
                );
            }
            None => self.findings.leave(&item, "a delay is a whole number of milliseconds, up to 1000"),
        }
    }

    /// Addresses by kind of image: LAVA has them under U-Boot's command and, in newer templates, under the kind.
    fn addresses(&mut self) {
        let (mut kinds, mut sources) = (Vec::new(), Vec::new());
        for (kind, command) in [("zimage", "bootz"), ("image", "booti"), ("uimage", "bootm")] {
            let [by_command, by_kind] = [command, kind].map(|key| self.addresses_of(key));
            let is_same = match (&by_command, &by_kind) {
                (Some((_, a)), Some((_, b))) => a == b,
                _ => true,
            };
            // Those that LAVA does not use stay behind, if they are others.
            let taken: &[&str] = if is_same { &[command, kind] } else { &[command] };
            taken.iter().for_each(|key| self.take_addresses(key));
            sources.extend_from_slice(taken);
            kinds.extend(by_command.or(by_kind).map(|addresses| (kind, addresses)));
        }
        let Some((_, (origin, usual))) = kinds.first().cloned() else {
            if self.scope.is_whole {
                let message = "the dictionary has no addresses to load a kernel to";
                let help = "LAVA has them in `parameters: bootz`, `booti` or `bootm`, each with `kernel`, `ramdisk` and `dtb`, hexadecimal or variables of U-Boot's";
                self.findings.error(Code::ImportNoBoard, self.keys.root().span, message, help);
            }
            return;
        };
        for (key, address) in ["kernel_addr", "ramdisk_addr", "dtb_addr"].into_iter().zip(&usual) {
            let comment = if key == "kernel_addr" { origin.as_str() } else { "" };
            self.set(&["uboot", key], address.as_str(), comment);
        }
        for (kind, (origin, addresses)) in kinds.iter().filter(|(_, (_, addresses))| *addresses != usual) {
            for (key, address) in ["kernel_addr", "ramdisk_addr", "dtb_addr"].into_iter().zip(addresses) {
                let comment = if key == "kernel_addr" { origin.as_str() } else { "" };
                self.set(&["uboot", "addresses", kind, key], address.as_str(), comment);
            }
        }
        let names: Vec<_> = kinds.iter().map(|(kind, _)| (*kind).to_owned()).collect();
        self.set(&["uboot", "images"], draft::list(&names, false), "Those that there are addresses for.");
        self.further_addresses(&sources);
    }

    /// Addresses of what there is one of, whatever the kind of image; `sources` are the mappings that the others are from.
    fn further_addresses(&mut self, sources: &[&str]) {
        for (key, setting) in [("tee", "tee_addr"), ("dtbo", "dtbo_addr")] {
            let mut usual: Option<String> = None;
            for item in sources.iter().filter_map(|source| self.keys.look(&["parameters", source, key])) {
                let Some(address) = item.text().filter(|text| is_load_address(text)) else { continue };
                self.keys.mark(&item);
                match &usual {
                    None => {
                        self.set(&["uboot", setting], address.as_str(), &item.origin());
                        usual = Some(address);
                    }
                    Some(usual) if *usual == address => {}
                    Some(_) => {
                        self.findings.leave(&item, format!("`{setting}` is the same for all kinds of image"));
                    }
                }
            }
        }
        let Some(item) = self.keys.look(&["parameters", "text_offset"]) else { return };
        if let Some(address) = item.text().filter(|text| is_load_address(text)) {
            self.keys.mark(&item);
            self.set(&["uboot", "uimage_addr"], address, &item.origin());
        }
    }

    /// LAVA gives RAM disks a header for the devices that say so.
    fn ramdisk_header(&mut self) {
        if let Some(item) = self.added_header() {
            self.keys.mark(&item);
            self.set(&["uboot", "ramdisk_header"], true, &item.origin());
        }
    }

    /// What gives RAM disks a header, which tells their size.
    pub(super) fn added_header(&self) -> Option<Item<'n>> {
        self.keys.look(&ADD_HEADER).filter(|item| item.text().as_deref() == Some("u-boot"))
    }

    /// Where they are from, and the addresses of kernel, RAM disk and device tree, if there are all three.
    fn addresses_of(&self, key: &str) -> Option<(String, [String; 3])> {
        let item = self.keys.look(&["parameters", key])?;
        let address = |name: &str| {
            let text = item.get(name)?.text()?;
            is_load_address(&text).then_some(text)
        };
        Some((item.origin(), [address("kernel")?, address("ramdisk")?, address("dtb")?]))
    }

    fn take_addresses(&self, key: &str) {
        if self.addresses_of(key).is_none() {
            return;
        }
        for name in ["kernel", "ramdisk", "dtb"] {
            self.keys.take(&["parameters", key, name]);
        }
    }

    /// LAVA's are regular expressions; those here are plain texts.
    fn errors(&mut self) {
        let Some(item) = self.constant("error-messages") else {
            return self.set_default(&["uboot", "errors"], draft::list(&[], false));
        };
        let mut errors: Vec<String> = Vec::new();
        for message in item.entries() {
            match message.text().as_deref().and_then(regexes::plain_text) {
                Some(text) if errors.contains(&text) => {}
                Some(text) => errors.push(text),
                None => self.findings.leave(&message, "`errors` has plain texts, not regular expressions"),
            }
        }
        self.set(&["uboot", "errors"], draft::list(&errors, true), &item.origin());
    }

    fn linux(&mut self) {
        let start = self.keys.take(&["constants", "kernel-start-message"]);
        let start = start.or_else(|| self.parameter("boot_message"));
        self.pattern(&["linux", "kernel_start_message"], start, "Linux version [0-9]");
        let shutdown = self.keys.take(&["constants", "shutdown-message"]);
        self.pattern(&["linux", "shutdown_message"], shutdown, "The system is going down for reboot NOW");
        self.set_default(&["linux", "login_prompt"], "login:");
    }
}

/// What Ctrl with a letter sends: `c` is 0x03.
fn control_character(letter: &str) -> Option<char> {
    match letter.as_bytes() {
        [byte @ (b'a'..=b'z' | b'A'..=b'Z' | b'@' | b'['..=b'_')] => Some(char::from(byte & 0x1f)),
        _ => None,
    }
}
