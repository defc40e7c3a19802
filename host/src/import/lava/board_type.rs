//! The board type of a device: a built-in one, one that the user names, or one that is made of the dictionary.

use super::Options;
use super::boot_commands::console_of;
use super::device::Device;
use super::uboot::{METHOD, Reader, Scope};
use crate::board::{BoardType, UbootSettings};
use crate::diagnostic::{Code, Source};
use crate::document::is_name;
use crate::import::draft::{self, Draft};
use crate::import::findings::Findings;
use crate::import::keys::{Item, Keys};
use crate::import::output::OutputFile;

/// Where the dictionary has what is next to the agent's architecture.
pub(super) const ARCH: [&str; 4] = ["actions", "deploy", "parameters", "mkimage_arch"];

/// The built-in type of boards that are up by themselves.
const SSH_TYPE: &str = "ssh";

/// `mkimage`'s names of architectures, and the agent's.
const ARCHITECTURES: [(&str, &str); 6] = [
    ("arm", "armv7"),
    ("arm64", "aarch64"),
    ("riscv", "riscv64"),
    ("riscv64", "riscv64"),
    ("x86", "x86_64"),
    ("x86_64", "x86_64"),
];

/// The board types that were made so far, each with the file that it becomes.
#[derive(Default)]
pub(super) struct BoardTypes {
    made: Vec<(BoardType, OutputFile)>,
}

/// The board type of a board, as its `type` says it.
pub(super) struct TypeOf {
    /// A built-in board type, or a path ending in `.toml`.
    pub(super) name: String,
    /// For a comment.
    pub(super) origin: String,
    /// Whether it is made of the dictionary, so that the board itself has nothing to add.
    pub(super) is_made: bool,
    /// What it says, if that is known and not made.
    pub(super) base: Option<BoardType>,
}

impl BoardTypes {
    /// The board type of `device`; `None` after errors.
    pub(super) fn of(
        &mut self,
        device: &Device,
        options: &Options,
        keys: &Keys<'_>,
        findings: &mut Findings,
    ) -> Option<TypeOf> {
        let device_type = &device.device_type.name;
        if !is_name(device_type) {
            let message = format!("`{device_type}` cannot be the name of a device type");
            let help = "use letters, digits, `-`, `_` and `.`; give one with --device-type NAME";
            findings.error(Code::InvalidName, keys.root().span, message, help);
            return None;
        }
        if let Some(name) = &options.board_type {
            let base = built_in(name);
            if base.is_none() && !name.ends_with(".toml") {
                let message = format!("there is no built-in board type `{name}`");
                findings.error(Code::UnknownBoardType, keys.root().span, message, &known_types());
            }
            return Some(TypeOf {
                name: name.clone(),
                origin: "--board-type".to_owned(),
                is_made: false,
                base,
            });
        }
        if device.is_whole {
            return self.make(device, keys, findings);
        }
        let name = &device.device_type.name;
        let base = built_in(name);
        if base.is_none() {
            let message =
                format!("what a board of type `{name}` needs is in LAVA's template, which was not given");
            let help = format!(
                "give its directory with --templates DIR, or another board type with --board-type: {}",
                known_types()
            );
            findings.error(Code::ImportNoBoard, keys.root().span, message, &help);
        }
        Some(TypeOf { name: name.clone(), origin: device.device_type.origin.clone(), is_made: false, base })
    }

    /// Takes back the board types of a board that was not made after all, those after the first `count`.
    pub(super) fn forget_after(&mut self, count: usize) {
        self.made.truncate(count);
    }

    /// How many board types were made so far.
    pub(super) const fn count(&self) -> usize {
        self.made.len()
    }

    /// The board types that were made.
    pub(super) fn into_files(self) -> impl Iterator<Item = OutputFile> {
        self.made.into_iter().map(|(_, file)| file)
    }

    /// The board type that the dictionary describes, unless it is a built-in one, or made already.
    fn make(&mut self, device: &Device, keys: &Keys<'_>, findings: &mut Findings) -> Option<TypeOf> {
        if keys.look(&METHOD).is_none() {
            if let Some(host) = ssh_host(keys) {
                let origin =
                    format!("{}: the device does not boot by U-Boot, and is reached over SSH", host.origin());
                let base = built_in(SSH_TYPE);
                return Some(TypeOf { name: SSH_TYPE.to_owned(), origin, is_made: false, base });
            }
            let help = "the runner boots by U-Boot, or takes a board that is up and has an SSH `host`; see `actions: boot: \
                        methods` of the device";
            findings.error(Code::ImportNoBoard, keys.root().span, "the device does not boot by U-Boot", help);
            return None;
        }
        let mut draft = Draft::default();
        let name = device.device_type.name.as_str();
        draft.set(&["name"], name, &device.device_type.origin);
        let (arch, comment) = arch(keys);
        draft.set(&["arch"], arch, &comment);
        console(&mut draft, keys);
        let scope = Scope { prefix: Vec::new(), is_whole: true, base: None };
        Reader { keys, findings, draft: &mut draft, scope }.read();
        if findings.has_errors() {
            return None;
        }
        let body = draft.text("");
        let board_type = match BoardType::parse(&Source::new(format!("{name}.toml"), body.as_str())) {
            Ok(board_type) => board_type,
            Err(problems) => {
                let message = format!("the board type made of it is not valid: {problems}");
                findings.error(
                    Code::ImportNoBoard,
                    keys.root().span,
                    message,
                    "this is what to mend in LAVA, or to report",
                );
                return None;
            }
        };
        let like_built_in = built_in(name).map(|built_in| differences(&board_type, &built_in));
        if like_built_in.as_ref().is_some_and(Vec::is_empty) {
            let origin = format!("{}; the built-in board type says the same", device.device_type.origin);
            return Some(TypeOf { name: name.to_owned(), origin, is_made: true, base: None });
        }
        let file = self.file(device, board_type, &body, like_built_in);
        let origin = format!("{}; the file beside this one", device.device_type.origin);
        Some(TypeOf { name: file, origin, is_made: true, base: None })
    }

    /// The name of the file of `board_type`, which is made if there is none like it.
    fn file(
        &mut self,
        device: &Device,
        mut board_type: BoardType,
        body: &str,
        like_built_in: Option<Vec<&'static str>>,
    ) -> String {
        let name = device.device_type.name.clone();
        for (made, file) in &self.made {
            if differences(made, &board_type).is_empty() && made.name.starts_with(&name) {
                return file.name.clone();
            }
        }
        let is_taken = self.made.iter().any(|(made, _)| made.name == name);
        let own = format!("{name}-{}", device.name);
        let mut header = format!("Board type made by `host-runner import lava` from {}.", device.source.name);
        if let Some(different) = like_built_in {
            header += &format!(
                "\nDifferent from the built-in board type `{name}`: {}. To use that one instead: import with --board-type {name}.",
                different.join(", ")
            );
        }
        let mut body = body.to_owned();
        if is_taken {
            header += &format!("\nNot the same as {name}.toml, which is made of a device before this one.");
            body = body.replacen(&format!("name = \"{name}\""), &format!("name = \"{own}\""), 1);
            board_type.name.clone_from(&own);
        }
        let file = format!("{}.toml", board_type.name);
        let text = format!("{}\n{}", draft::comment(&header), body.trim_start_matches('\n'));
        self.made.push((board_type, OutputFile { name: file.clone(), text }));
        file
    }
}

/// Where SSH reaches the device, if it does.
fn ssh_host<'n>(keys: &Keys<'n>) -> Option<Item<'n>> {
    let host = keys.look(&["actions", "deploy", "methods", "ssh", "host"])?;
    host.non_empty().is_some().then_some(host)
}

fn built_in(name: &str) -> Option<BoardType> {
    BoardType::parse(&BoardType::built_in(name)?).ok()
}

fn known_types() -> String {
    let names: Vec<_> = BoardType::built_in_names().collect();
    format!("it is one of `{}`, or a path ending in `.toml`", names.join("`, `"))
}

/// The keys in which two board types differ, their names aside.
fn differences(a: &BoardType, b: &BoardType) -> Vec<&'static str> {
    let mut keys = vec![("arch", a.arch == b.arch), ("console", a.console == b.console)];
    match (&a.uboot, &b.uboot) {
        (Some(a), Some(b)) => keys.extend(same_keys(a, b)),
        (a, b) => keys.push(("uboot", a == b)),
    }
    keys.push(("linux", a.linux == b.linux));
    keys.into_iter().filter_map(|(name, is_same)| (!is_same).then_some(name)).collect()
}

/// The keys of `[uboot]`, and whether they say the same in `a` and `b`.
fn same_keys(a: &UbootSettings, b: &UbootSettings) -> [(&'static str, bool); 12] {
    let usual = |uboot: &UbootSettings| {
        [&uboot.kernel_addr, &uboot.ramdisk_addr, &uboot.dtb_addr, &uboot.uimage_addr].map(Clone::clone)
    };
    let special = |uboot: &UbootSettings| (uboot.image_addresses.clone(), uboot.boot_dtb_addr.clone());
    [
        ("autoboot_prompt", a.autoboot_prompt == b.autoboot_prompt),
        ("interrupt", a.interrupt == b.interrupt),
        ("prompts", a.prompts == b.prompts),
        ("final_message", a.final_message == b.final_message),
        ("character_delay_ms", a.character_delay == b.character_delay),
        ("addresses", usual(a) == usual(b) && special(a) == special(b)),
        ("dtbo_addr", a.dtbo_addr == b.dtbo_addr),
        ("tee_addr", a.tee_addr == b.tee_addr),
        ("ramdisk_header", a.ramdisk_header == b.ramdisk_header),
        ("images", a.images == b.images),
        ("errors", a.errors == b.errors),
        ("commands", a.commands == b.commands),
    ]
}

/// The agent's architecture. LAVA has no such key: `mkimage_arch` is next to it, and wrong where a 32-bit board's template
/// leaves it out.
pub(super) fn arch(keys: &Keys<'_>) -> (&'static str, String) {
    let item = keys.take(&ARCH);
    let named = item.as_ref().and_then(|item| item.text());
    let known = ARCHITECTURES.iter().find(|(name, _)| Some(*name) == named.as_deref());
    let has = |image: &str| keys.look(&["parameters", image]).is_some();
    let is_zimage_only = (has("bootz") || has("zimage")) && !has("booti") && !has("image");
    match (item, known) {
        (Some(item), Some((_, arch))) if !is_zimage_only || *arch == "armv7" => (arch, item.origin()),
        _ if is_zimage_only => {
            ("armv7", "A guess: the board starts zImages, which are those of 32-bit Arm.".to_owned())
        }
        _ => (
            "aarch64",
            "A guess: LAVA does not say it. `armv7`, `aarch64`, `riscv64` or `x86_64`.".to_owned(),
        ),
    }
}

/// The serial console of Linux, from the first kernel command line.
fn console(draft: &mut Draft, keys: &Keys<'_>) {
    let (device, baud, comment) = console_of(keys).unwrap_or_else(|| {
        ("ttyS0".to_owned(), 115_200, "A guess: no command line of a kernel names a console.".to_owned())
    });
    draft.set(&["console", "device"], device, &comment);
    draft.set(&["console", "baud"], i64::from(baud), "");
}
