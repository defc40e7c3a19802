//! What a device dictionary says of one board: console, power, addresses, what its tests may know.

use std::net::IpAddr;

use super::Options;
use super::board_type::{ARCH, BoardTypes, TypeOf, arch};
use super::device::Device;
use super::leftover;
use super::uboot::{METHOD, Reader, Scope};
use crate::board::BoardType;
use crate::diagnostic::Code;
use crate::document::{Value, is_variable_name};
use crate::import::console::Console;
use crate::import::draft::{self, Draft};
use crate::import::findings::Findings;
use crate::import::keys::{Item, Keys};
use crate::import::power;

/// The board of `device` for the bench file; `None` after errors.
pub(super) fn fragment(
    device: &Device,
    options: &Options,
    types: &mut BoardTypes,
    findings: &mut Findings,
) -> Option<String> {
    let keys = Keys::new(&device.source, &device.root);
    let board_type = types.of(device, options, &keys, findings);
    let base = board_type.as_ref().and_then(|board_type| board_type.base.as_ref());
    let is_up_by_itself = base.is_some_and(|base| base.uboot.is_none());
    let mut board = Board { device, keys: &keys, findings, draft: Draft::default(), is_up_by_itself };
    board.identity(board_type.as_ref());
    board.console();
    board.network();
    board.ssh();
    board.info();
    board.static_info();
    board.environment();
    board.power();
    board.user_commands();
    match &board_type {
        _ if is_up_by_itself => {
            board.leave_uboot("boards of this type are up by themselves: nothing boots them")
        }
        Some(TypeOf { is_made: false, .. }) if device.is_whole => {
            board.leave_uboot("the board type says it, which --board-type names");
        }
        Some(TypeOf { is_made: false, base, .. }) => board.overrides(base.as_ref()),
        _ => {}
    }
    let draft = board.draft;
    leftover::leave_rest(&keys, device.is_whole, findings);
    if findings.has_errors() || board_type.is_none() {
        return None;
    }
    let header = format!("Board `{}`, from {}.\n{}", device.name, device.source.name, findings.comment());
    Some(format!("\n{}{}", draft::comment(&header), draft.text("").trim_start_matches('\n')))
}

/// A board in the making.
pub(super) struct Board<'a, 'n> {
    pub(super) device: &'a Device,
    pub(super) keys: &'a Keys<'n>,
    pub(super) findings: &'a mut Findings,
    pub(super) draft: Draft,
    /// Whether its type has no U-Boot: it is reached over SSH, and needs no console.
    is_up_by_itself: bool,
}

impl<'n> Board<'_, 'n> {
    /// Writes a setting of the board.
    pub(super) fn set(&mut self, path: &[&str], value: impl Into<toml_edit::Value>, comment: &str) {
        let path: Vec<_> =
            ["boards", self.device.name.as_str()].into_iter().chain(path.iter().copied()).collect();
        self.draft.set(&path, value, comment);
    }

    /// Whether there is a setting of the board at `path`.
    pub(super) fn has(&self, path: &[&str]) -> bool {
        self.draft.has(&[["boards", &self.device.name].as_slice(), path].concat())
    }

    fn identity(&mut self, board_type: Option<&TypeOf>) {
        let device_type = &self.device.device_type;
        if let Some(board_type) = board_type {
            self.set(&["type"], board_type.name.as_str(), &board_type.origin);
        }
        let device_types = draft::list([&device_type.name], false);
        self.set(
            &["device_types"],
            device_types,
            &format!("What jobs ask for as `device_type`: {}.", device_type.origin),
        );
        if let Some(base) = board_type.and_then(|board_type| board_type.base.as_ref())
            && base.arch.is_none()
        {
            let (arch, comment) = arch(self.keys);
            self.set(&["arch"], arch, &comment);
        }
        if device_type.is_guess {
            let message = format!("the file does not say its device type; `{}` is a guess", device_type.name);
            self.findings.warn(
                Code::ImportCheck,
                self.keys.root().span,
                message,
                "give it with --device-type NAME",
            );
        }
    }

    /// `connect`, or the primary one of `connections`.
    fn console(&mut self) {
        let single = self.keys.take(&["commands", "connect"]);
        let Some(item) = single.or_else(|| self.primary_connection()) else {
            if self.is_up_by_itself {
                return self.set(&["console"], "none", "A board of this type needs none.");
            }
            let help = "the bench file needs a `console`; LAVA has it in `connection_command`";
            return self.findings.error(
                Code::ImportNoBoard,
                self.keys.root().span,
                "no command connects to the console",
                help,
            );
        };
        let command = item.non_empty();
        let Some(console) = command.as_deref().and_then(Console::of_command) else {
            let help = "LAVA wants a command such as `telnet ser1 7001`";
            return self.findings.error(
                Code::InvalidConsole,
                item.span,
                "the console's command cannot be read",
                help,
            );
        };
        self.check_terminal(&console, &item);
        self.set(&["console"], console.value(), &item.origin());
        self.linux_console(&console);
    }

    fn primary_connection(&mut self) -> Option<Item<'n>> {
        let connections = self.keys.look(&["commands", "connections"])?.entries();
        let is_primary = |connection: &&Item<'n>| {
            let tags = connection.get("tags").and_then(|tags| tags.texts()).unwrap_or_default();
            tags.iter().any(|tag| tag == "primary")
        };
        let primary = connections.iter().find(is_primary).or(connections.first())?;
        primary.get("tags").iter().for_each(|tags| self.keys.mark(tags));
        for other in connections.iter().filter(|other| other.key() != primary.key()) {
            self.further_console(other);
        }
        let connect = primary.get("connect")?;
        self.keys.mark(&connect);
        Some(connect)
    }

    /// What a Jinja2 file alone says of the console; templates put it into the kernel's command line.
    fn linux_console(&mut self, console: &Console) {
        if let Some(item) = self.keys.take(&["console_device"])
            && let Some(device) = item.non_empty()
        {
            self.set(&["linux_console"], device, &item.origin());
        }
        let Some(item) = self.keys.take(&["baud_rate"]) else { return };
        let baud = item.number().filter(|baud| (50..=4_000_000).contains(baud));
        let baud = baud.and_then(|baud| i64::try_from(baud).ok());
        match (console, baud) {
            (Console::Line(line), Some(baud)) if line.starts_with('/') => {
                self.set(&["baud"], baud, &item.origin())
            }
            _ => self.findings.leave(
                &item,
                "`baud` is the speed, from 50 to 4000000, of a console that is a device of this PC",
            ),
        }
    }

    /// `device_ip`.
    fn network(&mut self) {
        let item = self.keys.take(&["parameters", "interfaces", "target", "ip"]);
        let Some((text, item)) = item.and_then(|item| Some((item.non_empty()?, item))) else { return };
        if text.parse::<IpAddr>().is_err() {
            return self.findings.leave(&item, "`address` of the bench file is an IP address, not a name");
        }
        let comment = format!("{}: must always be the same, TFTP and NFS answer nobody else", item.origin());
        self.set(&["address"], text, &comment);
    }

    /// What tests may ask by `lava-target-mac` and `lava-target-storage`.
    fn info(&mut self) {
        if let Some(mac) = self.keys.take(&["parameters", "interfaces", "target", "mac"]) {
            self.word(&["info", "mac"], &mac);
        }
        let devices = self.keys.look(&["storage_info"]);
        for entry in devices.iter().flat_map(Item::entries).flat_map(|device| device.entries()) {
            self.keys.mark(&entry);
            self.word(&["info", "storage", entry.key()], &entry);
        }
    }

    /// A value without spaces, which can be said once.
    pub(super) fn word(&mut self, path: &[&str], item: &Item<'_>) {
        if self.has(path) {
            return self.findings.leave(item, "there can be one of that name");
        }
        let is_name = path.iter().all(|key| crate::document::is_name(key));
        match item.non_empty() {
            Some(text) if is_name && !text.contains(char::is_whitespace) => {
                self.set(path, text, &item.origin())
            }
            Some(_) => self.findings.leave(item, "neither its name nor its value may have spaces"),
            None => {}
        }
    }

    fn environment(&mut self) {
        let Some(variables) = self.keys.look(&["environment"]) else { return };
        for item in variables.entries() {
            self.keys.mark(&item);
            let value = if item.node.value == Value::Null { Some(String::new()) } else { item.text() };
            match value {
                Some(value) if is_variable_name(item.key()) => {
                    let key = item.key().to_owned();
                    self.set(&["environment", &key], value, &item.origin());
                }
                _ => self
                    .findings
                    .leave(&item, "a variable of a shell has a name of letters, digits and `_`, and a text"),
            }
        }
    }

    fn power(&mut self) {
        // LAVA takes an empty text for no command.
        let is_said = |item: &Item<'_>| {
            item.texts().is_none_or(|texts| texts.iter().any(|text| !text.trim().is_empty()))
        };
        let has = |key: &str| self.keys.look(&["commands", key]).is_some_and(|item| is_said(&item));
        let can_reset = has("hard_reset") || (has("power_on") && has("power_off"));
        for (from, to) in [("power_on", "on"), ("power_off", "off"), ("hard_reset", "reset")] {
            let Some(item) = self.keys.take(&["commands", from]).filter(is_said) else { continue };
            if !can_reset {
                self.findings.leave(&item, "`power` needs `hard_reset`, or both `power_on` and `power_off`");
                continue;
            }
            match power::commands(&item) {
                Ok(commands) => {
                    self.check_shell(&commands, &item);
                    self.set(&["power", to], draft::commands(&commands), &item.origin());
                }
                Err(why) => self.findings.error(
                    Code::InvalidPower,
                    item.span,
                    format!("a power command cannot be read: {why}"),
                    "mend it in LAVA, or leave it out",
                ),
            }
        }
        let Some(item) = self.keys.take(&["commands", "soft_reboot"]) else { return };
        match item.texts() {
            Some(commands) => {
                let comment = format!("{}: for a board without power commands", item.origin());
                self.set(&["linux", "soft_reboot"], draft::list(&commands, false), &comment);
            }
            None => self.findings.leave(&item, "it is neither a command nor a list of commands"),
        }
    }

    /// The dictionary's own settings of U-Boot stay behind.
    fn leave_uboot(&mut self, why: &str) {
        let images =
            ["bootz", "booti", "bootm", "zimage", "image", "uimage"].map(|image| ["parameters", image]);
        let [start, shutdown] =
            ["kernel-start-message", "shutdown-message"].map(|message| ["constants", message]);
        let others = [["constants", "u-boot"], start, shutdown, ["character_delays", "boot"]];
        let paths = images.iter().chain(&others).map(|path| path.as_slice());
        // A type without U-Boot leaves the architecture to the board.
        let arch = (!self.is_up_by_itself).then_some(ARCH.as_slice());
        for item in paths.chain([METHOD.as_slice()]).chain(arch).filter_map(|path| self.keys.look(path)) {
            self.keys.mark(&item);
            self.findings.leave(&item, why);
        }
    }

    /// What is different from the board type that is used, as settings of this board alone.
    fn overrides(&mut self, base: Option<&BoardType>) {
        let name = self.device.name.clone();
        let scope = Scope { prefix: vec!["boards", &name], is_whole: false, base };
        Reader { keys: self.keys, findings: self.findings, draft: &mut self.draft, scope }.read();
    }
}
