//! The text of a first bench file, with comments, and of a udev rule.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use toml_edit::{Array, Value};

use super::adapter::Adapter;

/// What a first bench file says.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// This PC's address in the boards' network.
    pub address: Option<IpAddr>,
    /// The boards, in order.
    pub boards: Vec<BoardDraft>,
}

/// A board of a first bench file.
#[derive(Clone, Debug, Default)]
pub struct BoardDraft {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// A built-in board type, or the path of a board type's own file.
    pub board_type: String,
    /// Whether the type was guessed from nothing.
    pub is_type_unsure: bool,
    /// What its adapter is, for a comment.
    pub adapter: String,
    /// The serial port, or a console in the network as `tcp://HOST:PORT` or `telnet://HOST:PORT`.
    pub console: PathBuf,
    /// Its speed; nothing for a console in the network, which has none.
    pub baud: Option<u32>,
    /// Whether anything was heard at that speed.
    pub is_baud_unsure: bool,
    /// Its address.
    pub address: Option<IpAddr>,
    /// What switches it.
    pub power: Option<PowerDraft>,
}

/// The keys of `[boards.NAME.power]`, and their values.
pub type PowerDraft = Vec<(&'static str, Value)>;

/// Those of them that others must not read.
const PASSWORDS: [&str; 2] = ["password", "community"];

/// Where rules of this PC's own belong: that of the program has another name, and may be a package's.
pub const LOCAL_RULES: &str = "/etc/udev/rules.d/71-host-runner-local.rules";

impl Draft {
    /// The bench file.
    pub fn to_toml(&self) -> String {
        let mut text = "# The boards of this PC, for host-runner; docs/first-board.md goes through it.\n\n\
             # Where the boards reach this PC: TFTP and NFS are served there.\n[network]\n"
            .to_owned();
        match self.address {
            Some(address) => push(&mut text, "", "address", &address.to_string().into()),
            None => text.push_str("# address = \"192.168.7.1\"\n"),
        }
        for board in &self.boards {
            board.write(&mut text);
        }
        text
    }

    /// Whether the file will have a password.
    pub fn has_password(&self) -> bool {
        let keys = self.boards.iter().flat_map(|board| board.power.iter().flatten());
        keys.into_iter().any(|(key, _)| PASSWORDS.contains(key))
    }

    /// What a person has still to fill in, as sentences.
    pub fn left_to_fill_in(&self) -> Vec<String> {
        let mut left = Vec::new();
        if self.address.is_none() {
            left.push(
                "`[network] address`: this PC's address on the network card that leads to the boards"
                    .to_owned(),
            );
        }
        for BoardDraft { name, board_type, is_type_unsure, is_baud_unsure, baud, address, power, .. } in
            &self.boards
        {
            if *is_type_unsure {
                left.push(format!(
                    "`[boards.{name}] type`: it is written as {board_type}, which nothing speaks for yet"
                ));
            }
            if let (true, Some(baud)) = (*is_baud_unsure, baud) {
                left.push(format!("`[boards.{name}] baud`: {baud} is the usual speed; nothing was heard"));
            }
            if address.is_none() {
                left.push(format!("`[boards.{name}] address`: the one that a DHCP server always gives it"));
            }
            if power.is_none() {
                left.push(format!(
                    "`[boards.{name}.power]`: what switches it (docs/power.md); without, you are told when to do it"
                ));
            }
        }
        left
    }
}

impl BoardDraft {
    fn write(&self, text: &mut String) {
        let name = &self.name;
        let _ = writeln!(text, "\n[boards.{name}]");
        if self.is_type_unsure {
            text.push_str("# Not known yet: a built-in type, or the path of a board type's own file.\n");
        }
        push(text, "", "type", &self.board_type.as_str().into());
        let _ = writeln!(text, "# {}", self.adapter);
        push(text, "", "console", &self.console.display().to_string().into());
        if let Some(baud) = self.baud {
            if self.is_baud_unsure {
                text.push_str("# Nothing was heard: the usual speed.\n");
            }
            push(text, "", "baud", &i64::from(baud).into());
        }
        text.push_str(
            "# A DHCP server must always give the board this one: TFTP and NFS answer nobody else.\n",
        );
        match self.address {
            Some(address) => push(text, "", "address", &address.to_string().into()),
            None => text.push_str("# address = \"192.168.7.2\"\n"),
        }
        let _ = writeln!(text, "\n# What switches its power: docs/power.md has all that can.");
        let relay = || vec![("on", words(&["relay", "on", "1"])), ("off", words(&["relay", "off", "1"]))];
        let (comment, power) = match &self.power {
            Some(power) => ("", power.clone()),
            None => ("# ", relay()),
        };
        let _ = writeln!(text, "{comment}[boards.{name}.power]");
        for (key, value) in &power {
            push(text, comment, key, value);
        }
    }
}

/// A program and its arguments.
pub(crate) fn words<T: AsRef<str>>(words: &[T]) -> Value {
    words.iter().map(|word| Value::from(word.as_ref())).collect::<Array>().into()
}

fn push(text: &mut String, comment: &str, key: &str, value: &Value) {
    let _ = writeln!(text, "{comment}{key} = {}", value.to_string().trim());
}

/// A udev rule that gives an adapter without a serial number the name `/dev/NAME`, by the USB port that it is plugged into.
/// `None` if it needs none, or its port is not known.
pub fn udev_rule(adapter: &Adapter, name: &str) -> Option<String> {
    if adapter.serial_number.is_some() {
        return None;
    }
    let by_path = adapter.by_path.as_ref()?.file_name()?.to_str()?;
    // systemd's 60-serial.rules: the port's path, and which of the ports of an adapter that has several on one interface.
    let (path, port) =
        by_path.rsplit_once("-port").map_or((by_path, None), |(path, port)| (path, Some(port)));
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.:".contains(character);
    let is_number = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !path.chars().all(is_plain) || !port.is_none_or(is_number) {
        return None;
    }
    let port = port.map(|port| format!("SUBSYSTEMS==\"usb-serial\", ATTRS{{port_number}}==\"{port}\", "));
    Some(format!(
        "SUBSYSTEM==\"tty\", {}ENV{{ID_PATH}}==\"{path}\", SYMLINK+=\"{name}\", GROUP=\"dialout\", MODE=\"0660\", \
         ENV{{ID_MM_DEVICE_IGNORE}}=\"1\"",
        port.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Bench;
    use crate::diagnostic::Source;

    fn board() -> BoardDraft {
        BoardDraft {
            name: "bbb1".to_owned(),
            board_type: "beaglebone-black".to_owned(),
            is_type_unsure: true,
            adapter: "FTDI \"cable\"".to_owned(),
            console: "/dev/serial/by-id/usb-\"odd\"".into(),
            baud: Some(115_200),
            is_baud_unsure: true,
            ..BoardDraft::default()
        }
    }

    fn accepted(draft: &Draft) -> Bench {
        let source = Source::new("bench.toml", draft.to_toml());
        Bench::parse(&source, std::path::Path::new("/")).unwrap()
    }

    #[test]
    fn a_draft_without_answers_is_a_bench_file_that_says_what_is_missing() {
        let draft = Draft { boards: vec![board()], ..Draft::default() };
        assert_eq!((accepted(&draft).address, draft.left_to_fill_in().len()), (None, 5));
    }

    #[test]
    fn a_whole_draft_is_a_bench_file_with_nothing_left() {
        let command = |text: &str| words(&text.split(' ').collect::<Vec<_>>());
        let whole = BoardDraft {
            is_type_unsure: false,
            is_baud_unsure: false,
            address: "192.168.7.2".parse().ok(),
            power: Some(vec![("on", command("relay on 1")), ("off", command("relay off 1"))]),
            ..board()
        };
        let draft = Draft { address: "192.168.7.1".parse().ok(), boards: vec![whole] };
        let bench = accepted(&draft);
        assert_eq!(bench.boards[0].power.as_ref().unwrap().commands().unwrap().off, [["relay", "off", "1"]]);
        assert_eq!(
            (bench.boards[0].address, draft.left_to_fill_in()),
            ("192.168.7.2".parse().ok(), Vec::new())
        );
    }

    #[test]
    fn a_rule_is_for_adapters_without_a_number_of_their_own() {
        let by_path = PathBuf::from("/dev/serial/by-path/pci-0000:00:14.0-usb-0:4.2:1.0-port0");
        let adapter = Adapter { by_path: Some(by_path), ..Adapter::default() };
        let rule = udev_rule(&adapter, "bbb-1").unwrap();
        let keys = "SUBSYSTEM==\"tty\", SUBSYSTEMS==\"usb-serial\", ATTRS{port_number}==\"0\", \
                    ENV{ID_PATH}==\"pci-0000:00:14.0-usb-0:4.2:1.0\", SYMLINK+=\"bbb-1\"";
        assert!(rule.starts_with(keys), "{rule}");
        // A port of an adapter that has several on one interface is no other one.
        let second = PathBuf::from("/dev/serial/by-path/pci-0000:00:14.0-usb-0:4.2:1.0-port1");
        let other = udev_rule(&Adapter { by_path: Some(second), ..Adapter::default() }, "bbb-1").unwrap();
        assert!(other.contains("ATTRS{port_number}==\"1\""), "{other}");
        // Of no kernel driver for USB adapters, such as cdc_acm's.
        let modem = PathBuf::from("/dev/serial/by-path/pci-0000:00:14.0-usb-0:4.2:1.0");
        let rule = udev_rule(&Adapter { by_path: Some(modem), ..Adapter::default() }, "bbb-1").unwrap();
        assert!(rule.starts_with("SUBSYSTEM==\"tty\", ENV{ID_PATH}=="), "{rule}");
        let numbered = Adapter { serial_number: Some("FT1".to_owned()), ..adapter };
        assert_eq!(udev_rule(&numbered, "bbb-1"), None);
        assert_eq!(udev_rule(&Adapter::default(), "bbb-1"), None);
    }
}
