//! A target as a board: its type, tags and console.
use std::time::Duration;

use super::Options;
use super::part::{Part, Parts};
use super::{dialogs, leftover, network, power};
use crate::board::BoardType;
use crate::diagnostic::{Code, Span};
use crate::document::is_name;
use crate::import::console::{self, Console};
use crate::import::draft::{self, Draft};
use crate::import::findings::Findings;
use crate::import::keys::{Item, Keys};

/// labgrid's speed of a serial port, where the file says none.
const USUAL_SPEED: i64 = 115_200;

/// The board of `target` for the bench file; `None` after errors.
pub(super) fn fragment(
    target: &Item<'_>,
    keys: &Keys<'_>,
    options: &Options,
    findings: &mut Findings,
) -> Option<String> {
    let name = target.key().to_owned();
    if !is_name(&name) {
        let help = "a board has a name of letters, digits, `-`, `_` and `.`: rename the target";
        findings.error(
            Code::InvalidName,
            target.span,
            format!("`{name}` cannot be the name of a board"),
            help,
        );
        keys.mark(target);
        return None;
    }
    let mut board = Board {
        parts: Parts::of(target, keys, options),
        findings,
        draft: Draft::default(),
        name: name.clone(),
        span: target.span,
        remarks: Vec::new(),
        is_up_by_itself: false,
    };
    board.board_type(target, options);
    board.tags(target);
    board.console(target);
    network::read(&mut board);
    power::read(&mut board);
    dialogs::read(&mut board);
    let Board { draft, remarks, .. } = board;
    leftover::leave_of_target(target, keys, findings);
    if findings.has_errors() {
        return None;
    }
    let mut header = format!("Board `{name}`, from {}.\n", target.source.name);
    for remark in remarks {
        header += &format!("{remark}\n");
    }
    header += &findings.comment();
    Some(format!("\n{}{}", draft::comment(&header), draft.text("").trim_start_matches('\n')))
}

/// A board in the making.
pub(super) struct Board<'a, 'n> {
    pub(super) parts: Parts<'a, 'n>,
    pub(super) findings: &'a mut Findings,
    pub(super) draft: Draft,
    pub(super) name: String,
    /// Place of the target.
    pub(super) span: Span,
    /// Comments about the whole board.
    pub(super) remarks: Vec<String>,
    /// Whether its type has no U-Boot: it is reached over SSH, and needs no console.
    pub(super) is_up_by_itself: bool,
}

impl<'n> Board<'_, 'n> {
    /// Writes a setting of the board.
    pub(super) fn set(&mut self, path: &[&str], value: impl Into<toml_edit::Value>, comment: &str) {
        let path: Vec<_> = ["boards", self.name.as_str()].into_iter().chain(path.iter().copied()).collect();
        self.draft.set(&path, value, comment);
    }

    /// Takes a text of `part`, with what stands for its variables.
    pub(super) fn text(&mut self, part: &Part<'n>, argument: &str) -> Option<(String, Item<'n>)> {
        self.parts.text(part, argument, self.findings)
    }

    fn board_type(&mut self, target: &Item<'_>, options: &Options) {
        let of_target = options.board_types.iter().find(|(target, _)| target.as_ref() == Some(&self.name));
        let of_all = || options.board_types.iter().find(|(target, _)| target.is_none());
        let names: Vec<_> = BoardType::built_in_names().collect();
        let known = format!("`{}`, or a path ending in `.toml`", names.join("`, `"));
        match of_target.or_else(of_all) {
            Some((_, name)) if name.ends_with(".toml") || names.contains(&name.as_str()) => {
                self.set(&["type"], name.as_str(), "--board-type");
                self.what_its_type_leaves_open(name);
            }
            Some((_, name)) => {
                let message = format!("there is no built-in board type `{name}`");
                self.findings.error(
                    Code::UnknownBoardType,
                    target.span,
                    message,
                    &format!("there are {known}"),
                );
            }
            None => {
                let message = format!("the file does not say what kind of board `{}` is", self.name);
                let help =
                    format!("give it with --board-type TYPE, or --board-type {}=TYPE: {known}", self.name);
                self.findings.error(Code::ImportNoBoard, target.span, message, &help);
            }
        }
    }

    /// The agent's architecture, of a built-in board type that does not say it, and whether U-Boot is on it.
    fn what_its_type_leaves_open(&mut self, name: &str) {
        let built_in = BoardType::built_in(name).and_then(|source| BoardType::parse(&source).ok());
        let Some(board_type) = built_in else { return };
        self.is_up_by_itself = board_type.uboot.is_none();
        if board_type.arch.is_none() {
            let comment = "A guess: labgrid does not say it. `armv7`, `aarch64`, `riscv64` or `x86_64`.";
            self.set(&["arch"], "aarch64", comment);
        }
    }

    /// Features, which labgrid's tests ask for by name.
    fn tags(&mut self, target: &Item<'n>) {
        let Some(features) = target.get("features") else { return };
        if let Some(texts) = features.texts() {
            self.parts.keys.mark(&features);
            let comment = format!("{}; jobs ask for them with `tags`", features.origin());
            self.set(&["tags"], draft::list(&texts, false), &comment);
        }
    }

    fn console(&mut self, target: &Item<'_>) {
        let ports: Vec<_> = self.parts.all().into_iter().filter(|part| is_serial_port(&part.class)).collect();
        let Some((port, others)) = ports.split_first() else {
            if self.is_up_by_itself {
                return self.set(&["console"], "none", "A board of this type needs none.");
            }
            let (message, help) = no_console(&self.parts);
            return self.findings.error(Code::ImportNoBoard, target.span, message, &help);
        };
        self.parts.adopt(port);
        for other in others {
            self.parts.keys.mark(&other.item);
            self.findings.leave(
                &other.item,
                format!("`{}` is the console; write others into `consoles`, each with a name", port.class),
            );
        }
        match port.class.as_str() {
            "RawSerialPort" => self.raw_serial_port(port),
            "NetworkSerialPort" => self.network_serial_port(port),
            _ => self.usb_serial_port(port),
        }
        if !self.is_up_by_itself
            && let Some(driver) = self.parts.first("SerialDriver")
            && let Some(delay) = self.parts.take(&driver, "txdelay")
        {
            self.character_delay(&delay);
        }
    }

    fn raw_serial_port(&mut self, port: &Part<'n>) {
        match self.text(port, "port") {
            Some((path, item)) if path.starts_with('/') => {
                let hint = if path.starts_with("/dev/ttyUSB") || path.starts_with("/dev/ttyACM") {
                    "; a name below /dev/serial/by-id stays the same, whatever else is plugged in"
                } else {
                    ""
                };
                self.set(&["console"], path, &format!("{}{hint}", item.origin()));
                self.speed(port);
            }
            _ => self.no_argument(port, "port", "a device such as `/dev/ttyUSB0`"),
        }
    }

    fn network_serial_port(&mut self, port: &Part<'n>) {
        let host = self.text(port, "host");
        let number = self.parts.take(port, "port").and_then(|item| item.text());
        let (Some((host, item)), Some(number)) = (host, number) else {
            return self.no_argument(port, "host` and `port", "the console server's");
        };
        let protocol =
            self.text(port, "protocol").map_or_else(|| "rfc2217".to_owned(), |(protocol, _)| protocol);
        let comment = match protocol.as_str() {
            "raw" => item.origin(),
            _ => format!(
                "{}: RFC 2217 is telnet with a port's settings, which are left as the server has them",
                item.origin()
            ),
        };
        let scheme = if protocol == "raw" { "tcp" } else { "telnet" };
        self.set(&["console"], Console::Line(console::url(scheme, &host, &number)).value(), &comment);
        if let Some(speed) = self.parts.take(port, "speed") {
            self.findings.leave(&speed, "the speed of a console server's port is set at the server");
        }
    }

    /// `match` is a rule of udev: a rule of the bench PC gives the port the name that the bench file uses.
    fn usb_serial_port(&mut self, port: &Part<'n>) {
        let Some(rule) = self.parts.take(port, "match") else {
            return self.no_argument(port, "match", "properties of udev");
        };
        let mut conditions = vec!["SUBSYSTEM==\"tty\"".to_owned()];
        for property in rule.entries() {
            let value = property.text().unwrap_or_default();
            match property.key() {
                "sys_name" => conditions.push(format!("KERNEL==\"{value}\"")),
                key if key.starts_with(['@', '~']) || value.contains('"') => {
                    self.findings.leave(
                        &property,
                        "a rule of udev has no properties of parent devices: add `ATTRS{…}` by hand",
                    );
                }
                key => conditions.push(format!("ENV{{{key}}}==\"{value}\"")),
            }
        }
        let device = format!("/dev/{}", self.name);
        let udev = format!("{}, SYMLINK+=\"{}\"", conditions.join(", "), self.name);
        let comment = format!(
            "{}: a name that this rule of udev gives (udev/README.md), or write the port's below \
                 /dev/serial/by-id or by-path:\n{udev}",
            rule.origin()
        );
        self.set(&["console"], device.as_str(), &comment);
        let message = format!("`{device}` is there once a rule of udev gives that name");
        self.findings.warn(
            Code::ImportCheck,
            rule.span,
            message,
            &format!("put into /etc/udev/rules.d/70-host-runner.rules: {udev}"),
        );
        self.speed(port);
    }

    fn speed(&mut self, port: &Part<'n>) {
        match self.parts.take(port, "speed") {
            None => self.set(&["baud"], USUAL_SPEED, "labgrid's own, where the file says none"),
            Some(item) => match item.number().filter(|speed| (50..=4_000_000).contains(speed)) {
                Some(speed) => self.set(&["baud"], i64::try_from(speed).unwrap_or_default(), &item.origin()),
                None => self.findings.leave(&item, "a speed is from 50 to 4000000 baud"),
            },
        }
    }

    /// Seconds, as labgrid has them, as milliseconds.
    fn character_delay(&mut self, item: &Item<'_>) {
        let seconds = item.text().and_then(|text| text.parse::<f64>().ok());
        let delay = seconds.map(Duration::try_from_secs_f64);
        match delay {
            Some(Ok(delay)) if delay.as_millis() <= 1000 => {
                let millis = i64::try_from(delay.as_millis()).unwrap_or_default();
                self.set(&["uboot", "character_delay_ms"], millis, &item.origin());
            }
            _ => self.findings.leave(item, "a delay after a character is from 0 to 1 s"),
        }
    }

    fn no_argument(&mut self, part: &Part<'_>, arguments: &str, what: &str) {
        let message = format!("`{}` needs `{arguments}`: {what}", part.class);
        self.findings.error(
            Code::ImportNoBoard,
            part.item.span,
            message,
            "without a console there is no board",
        );
    }
}

fn is_serial_port(class: &str) -> bool {
    matches!(class, "RawSerialPort" | "NetworkSerialPort" | "USBSerialPort")
}

fn no_console(parts: &Parts<'_, '_>) -> (String, String) {
    let place = parts.all().into_iter().find(|part| part.class == "RemotePlace");
    match place.map(|part| part.item.get("name").and_then(|name| name.text()).unwrap_or_default()) {
        Some(place) => (
            format!("the resources of this target are those of the place `{place}` of a coordinator"),
            format!(
                "see `labgrid-client -p {place} show`, and write what it shows as resources of the target"
            ),
        ),
        None => (
            "the target has no serial port".to_owned(),
            "there are `RawSerialPort`, `NetworkSerialPort` and `USBSerialPort`".to_owned(),
        ),
    }
}
