//! `power` of a board: what switches it.

use std::time::Duration;

use super::BenchFile;
use crate::board::power::{Ask, Driver, Power, PowerCommands};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Fields, Node, Value};

/// Longest time that a board may stay off in a reset.
pub(crate) const MAX_OFF: u32 = 600;

/// The drivers, and the keys that are not those of the commands.
pub(crate) const DRIVERS: [(&str, &[&str]); 6] = [
    ("uhubctl", &["location", "port"]),
    ("snmp", &["host", "port", "version", "community", "model", "outlet", "oid"]),
    ("tasmota", &["host", "port", "relay", "user", "password"]),
    ("shelly", &["host", "port", "relay", "user", "password"]),
    ("gpio", &["chip", "line", "active_low", "pulse_ms"]),
    ("ask", &[]),
];

impl BenchFile<'_> {
    /// `power` of the board `board`: a driver and its keys; without one, commands.
    pub(super) fn power(&mut self, board: &str, node: &Node, is_virtual: bool) -> Option<Power> {
        if is_virtual {
            self.error(Code::InvalidPower, node.span, "a virtual board has no power commands");
            return None;
        }
        let fields = self.reader.fields(node, "power")?;
        let named = fields.get_misspelt(&mut self.reader, "driver");
        let choices = DRIVERS.map(|(name, _)| (name, name));
        let all = format!(
            "it is one of `{}`; without it, there are commands",
            DRIVERS.map(|(name, _)| name).join("`, `")
        );
        let name = match named {
            // What the keys mean is not known.
            Some(node) => Some(self.reader.choice_of(node, "driver", &choices, &all)?),
            None => None,
        };
        let driver = match name {
            None => self.commands_or_none(&fields).map(Driver::Commands),
            Some("uhubctl") => self.uhubctl(&fields).map(Driver::Uhubctl),
            Some("snmp") => self.snmp(&fields).map(Driver::Snmp),
            Some("tasmota") => self.tasmota(&fields).map(Driver::Tasmota),
            Some("shelly") => self.shelly(&fields).map(Driver::Shelly),
            Some("gpio") => self.gpio(&fields).map(Driver::Gpio),
            Some(_) => Some(Driver::Ask(Ask { board: board.to_owned() })),
        };
        let off_time = self.off_time(&fields, driver.as_ref());
        self.keys_of_others(&fields, name);
        fields.finish(&mut self.reader);
        Some(Power { driver: driver?, off_time })
    }

    /// The commands: `reset`, or both `on` and `off`.
    fn commands_or_none(&mut self, fields: &Fields<'_>) -> Option<PowerCommands> {
        let given = |key| fields.get(key).is_some();
        let can_reset = given("reset") || (given("on") && given("off"));
        let mut commands =
            |key| fields.get(key).map(|node| self.power_commands(node, key)).unwrap_or_default();
        let (on, off, reset) = (commands("on"), commands("off"), commands("reset"));
        let status = fields.get("status").and_then(|node| self.command(node, "status"));
        let of_driver = fields.rest().any(|(key, _)| DRIVERS.iter().any(|(_, keys)| keys.contains(&key)));
        // A driver that was forgotten is told at its keys.
        if !can_reset && !of_driver {
            self.error(Code::MissingKey, fields.span, "`power` needs `reset`, or both `on` and `off`");
        }
        Some(PowerCommands { on, off, reset, status })
    }

    /// One command, or a list of commands.
    fn power_commands(&mut self, node: &Node, what: &str) -> Vec<Vec<String>> {
        match &node.value {
            Value::Sequence(items) if items.iter().any(|item| matches!(item.value, Value::Sequence(_))) => {
                items.iter().filter_map(|item| self.command(item, what)).collect()
            }
            _ => self.command(node, what).into_iter().collect(),
        }
    }

    /// `off_s`, where a reset is made of off and on.
    fn off_time(&mut self, fields: &Fields<'_>, driver: Option<&Driver>) -> Option<Duration> {
        let node = fields.get("off_s")?;
        let span = fields.key_span("off_s").unwrap_or(fields.span);
        let obstacle = match driver {
            Some(Driver::Commands(commands)) if !commands.reset.is_empty() => "there is a command `reset`",
            Some(Driver::Gpio(gpio)) if gpio.pulse.is_some() => "with `pulse_ms` a button is pressed",
            Some(Driver::Ask(_)) => "a person knows it",
            _ => return self.seconds(node, "off_s"),
        };
        let message = format!("`off_s` is the time between off and on, but {obstacle}");
        self.error(Code::ExclusiveKeys, span, message);
        None
    }

    /// A time in seconds.
    fn seconds(&mut self, node: &Node, what: &str) -> Option<Duration> {
        let number = matches!(node.value, Value::Integer(_) | Value::Other);
        let text = if number { self.reader.string(node, what)? } else { String::new() };
        let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let seconds = seconds.filter(|seconds| *seconds <= Duration::from_secs(MAX_OFF.into()));
        if seconds.is_none() {
            let message = format!("`{what}` must be a number of seconds from 0 to {MAX_OFF}");
            self.error(Code::OutOfRange, node.span, message);
        }
        seconds
    }

    /// Tells keys that belong to another driver than `driver`.
    fn keys_of_others(&mut self, fields: &Fields<'_>, driver: Option<&str>) {
        for (key, _) in fields.rest() {
            let is_command = driver.is_some() && ["on", "off", "reset", "status"].contains(&key);
            let owners = DRIVERS.iter().filter(|(_, keys)| keys.contains(&key));
            let owners: Vec<_> = owners.map(|(name, _)| format!("`driver = \"{name}\"`")).collect();
            let owners = owners.join(" or ");
            let help = match driver {
                Some("snmp") if is_command => format!("`{key}` is for `oid`: a `model` has its own"),
                Some("snmp") if key == "outlet" => "`outlet` is for `model`".to_owned(),
                _ if is_command => "commands are for a `power` without `driver`".to_owned(),
                _ if owners.is_empty() => continue,
                Some(_) => format!("`{key}` is for {owners}"),
                None => format!("`{key}` is for {owners}: add that line"),
            };
            let message = match driver {
                Some(driver) => format!("`power` with `driver = \"{driver}\"` has no key `{key}`"),
                None => format!("`power` without `driver` has no key `{key}`"),
            };
            fields.know(key);
            let span = fields.key_span(key).unwrap_or(fields.span);
            self.reader.report(Diagnostic::error(Code::UnknownKey, span, message).with_help(help));
        }
    }
}
