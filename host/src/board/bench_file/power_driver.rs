//! `power` of a board with a `driver`: the keys of each.

use std::path::PathBuf;
use std::time::Duration;

use async_snmp::Oid;

use super::BenchFile;
use crate::board::Secret;
use crate::board::power::{
    Gpio, GpioLine, HttpDevice, MODELS, Outlet, OutletState, SetValue, Shelly, Snmp, SnmpVersion, Tasmota,
    Uhubctl,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Fields, Node, Value};

/// Most ports, outlets, relays or lines that a number may name.
pub(crate) const MAX_INDEX: u32 = 65535;

/// Longest press of a button, in milliseconds.
pub(crate) const MAX_PULSE_MS: u32 = 60_000;

/// Longest object identifier that a bench file may have, in numbers (RFC 2578 §3.5).
const MAX_ARCS: usize = 128;

/// Largest value that is set or compared.
pub(crate) const MAX_VALUE: u32 = i32::MAX.unsigned_abs();

impl BenchFile<'_> {
    /// `location` and `port`.
    pub(super) fn uhubctl(&mut self, fields: &Fields<'_>) -> Option<Uhubctl> {
        let location = fields.require(&mut self.reader, "location");
        let location = location.and_then(|node| {
            let text = self.reader.non_empty(node, "location")?;
            let is_location = text.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte));
            self.check(
                is_location,
                node,
                &format!("`{text}` is no place of a hub, such as `1-1` or `2-1.4`"),
            )?;
            Some(text)
        });
        let port = fields.require(&mut self.reader, "port");
        let port = port.and_then(|node| self.reader.integer(node, "port", 1, 255));
        Some(Uhubctl { location: location?, port: port? })
    }

    /// `host`, `community`, and either `model` and `outlet`, or `oid` with its values.
    pub(super) fn snmp(&mut self, fields: &Fields<'_>) -> Option<Snmp> {
        let host = self.host(fields);
        let port = self.port(fields, 161);
        let versions = [("1", SnmpVersion::V1), ("2c", SnmpVersion::V2c)];
        let all = "it is `1` or `2c`; version 3 is for a command such as `snmpset`";
        let version =
            fields.get("version").map(|node| self.reader.choice_of(node, "version", &versions, all));
        let community = fields.require(&mut self.reader, "community");
        let community = community.and_then(|node| self.secret(node, "community"));
        let outlet = match (fields.get("model"), fields.get("oid")) {
            (Some(model), None) => self.outlet_of_model(fields, model),
            (None, Some(oid)) => self.outlet_of_oid(fields, oid),
            (Some(_), Some(oid)) => {
                let message = "`model` and `oid` of `power` exclude each other";
                self.error(Code::ExclusiveKeys, oid.span, message);
                // They are told once.
                fields.accept(&["outlet", "on", "off", "reset", "status"]);
                None
            }
            (None, None) => {
                let help = "a known `model` has its objects; `oid`, `on` and `off` are for any other";
                let near = fields.require_one_of(&mut self.reader, &["model", "oid"], help);
                near.and_then(|near| fields.require(&mut self.reader, near));
                fields.accept(&["outlet", "on", "off", "reset", "status"]);
                None
            }
        };
        let version = version.unwrap_or(Some(SnmpVersion::V2c));
        Some(Snmp { host: host?, port: port?, version: version?, community: community?, outlet: outlet? })
    }

    /// `model` and `outlet`, a number or several with dots between.
    fn outlet_of_model(&mut self, fields: &Fields<'_>, node: &Node) -> Option<Outlet> {
        let choices: Vec<_> = MODELS.iter().map(|model| (model.name, model)).collect();
        let names: Vec<_> = MODELS.iter().map(|model| model.name).collect();
        let all = format!("it is one of `{}`; `oid`, `on` and `off` are for any other", names.join("`, `"));
        let model = self.reader.choice_of(node, "model", &choices, &all);
        let node = fields.require(&mut self.reader, "outlet")?;
        let index = if let Value::Text(text) = &node.value {
            let parts = text.split('.').map(|part| part.parse().ok().filter(|&part| part <= MAX_INDEX));
            let index = parts.collect::<Option<Vec<u32>>>().filter(|parts| parts.len() <= 4);
            let message =
                format!("`{text}` is no outlet: it is a number, or `UNIT.OUTLET` as the switch counts them");
            self.check(index.is_some(), node, &message)?;
            index?
        } else {
            vec![self.reader.integer(node, "outlet", 1, MAX_INDEX)?]
        };
        Some(model?.outlet(&index))
    }

    /// `oid`, `on`, `off`, and perhaps `reset` and `status`.
    fn outlet_of_oid(&mut self, fields: &Fields<'_>, node: &Node) -> Option<Outlet> {
        let oid = self.oid(node, "oid");
        let value = |file: &mut Self, node, key| {
            let value = file.reader.integer(node, key, 0, MAX_VALUE)?;
            i32::try_from(value).ok()
        };
        let on = fields.require(&mut self.reader, "on").and_then(|node| value(self, node, "on"));
        let off = fields.require(&mut self.reader, "off").and_then(|node| value(self, node, "off"));
        if let (Some(on), Some(off), Some(span)) = (on, off, fields.key_span("off"))
            && on == off
        {
            self.error(Code::InvalidPower, span, format!("`on` and `off` are both {on}"));
        }
        let reset = fields.get("reset").map(|node| value(self, node, "reset"));
        let state = fields.get("status").map(|node| self.outlet_state(node));
        let (oid, on, off) = (oid?, on?, off?);
        let set = |value| SetValue { oid: oid.clone(), value };
        let same = || OutletState { oid: oid.clone(), on: vec![on], off: vec![off] };
        Some(Outlet {
            on: set(on),
            off: set(off),
            reset: match reset {
                Some(value) => Some(set(value?)),
                None => None,
            },
            state: match state {
                Some(state) => state?,
                None => same(),
            },
        })
    }

    /// `status` of an outlet: the object that says whether it is on, where that is another one.
    fn outlet_state(&mut self, node: &Node) -> Option<OutletState> {
        let fields = self.reader.fields(node, "status")?;
        let oid = fields.require(&mut self.reader, "oid").and_then(|node| self.oid(node, "oid"));
        let mut value = |key| {
            let node = fields.require(&mut self.reader, key)?;
            i32::try_from(self.reader.integer(node, key, 0, MAX_VALUE)?).ok()
        };
        let (on, off) = (value("on"), value("off"));
        fields.finish(&mut self.reader);
        Some(OutletState { oid: oid?, on: vec![on?], off: vec![off?] })
    }

    fn oid(&mut self, node: &Node, what: &str) -> Option<Oid> {
        let text = self.reader.non_empty(node, what)?;
        let oid = Oid::parse(text.trim_start_matches('.')).ok();
        let oid = oid.filter(|oid| (3..=MAX_ARCS).contains(&oid.len()) && oid.validate().is_ok());
        let message = format!(
            "`{text}` is no object identifier in numbers, such as `1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.3`"
        );
        self.check(oid.is_some(), node, &message)?;
        oid
    }

    /// `host`, `relay` and what opens it.
    pub(super) fn tasmota(&mut self, fields: &Fields<'_>) -> Option<Tasmota> {
        let device = self.http_device(fields);
        let relay = fields.get("relay").map(|node| self.reader.integer(node, "relay", 1, 32));
        Some(Tasmota { device: device?, relay: relay.unwrap_or(Some(1))? })
    }

    /// As [`Self::tasmota`], but relays are counted from 0.
    pub(super) fn shelly(&mut self, fields: &Fields<'_>) -> Option<Shelly> {
        let device = self.http_device(fields);
        let relay = fields.get("relay").map(|node| self.reader.integer(node, "relay", 0, 255));
        Some(Shelly { device: device?, relay: relay.unwrap_or(Some(0))? })
    }

    fn http_device(&mut self, fields: &Fields<'_>) -> Option<HttpDevice> {
        let host = self.host(fields);
        let port = self.port(fields, 80);
        let user = fields.get("user").map(|node| self.reader.non_empty(node, "user"));
        let password = fields.get("password").map(|node| self.secret(node, "password"));
        if let (Some(_), None, Some(span)) = (&user, &password, fields.key_span("user")) {
            let problem =
                Diagnostic::error(Code::MissingKey, span, "`power` has `user` and needs `password`");
            self.reader.report(problem);
        }
        let user = user.unwrap_or_else(|| Some("admin".to_owned()))?;
        let password = match password {
            Some(password) => Some(password?),
            None => None,
        };
        Some(HttpDevice { host: host?, port: port?, user, password })
    }

    /// `chip`, `line` and what it does.
    pub(super) fn gpio(&mut self, fields: &Fields<'_>) -> Option<Gpio> {
        let chip = fields.get("chip").map(|node| {
            let text = self.reader.non_empty(node, "chip")?;
            Some(PathBuf::from("/dev").join(text))
        });
        let node = fields.require(&mut self.reader, "line");
        let line = node.and_then(|node| match &node.value {
            Value::Text(_) => self.reader.non_empty(node, "line").map(GpioLine::Name),
            _ => self.reader.integer(node, "line", 0, MAX_INDEX).map(GpioLine::Number),
        });
        if let (None, Some(GpioLine::Number(_)), Some(node)) = (&chip, &line, node) {
            let problem = Diagnostic::error(Code::MissingKey, node.span, "a number of a line needs `chip`");
            self.reader.report(problem.with_help("lines with a name are found on any chip"));
        }
        let active_low = fields.get("active_low").and_then(|node| self.reader.boolean(node, "active_low"));
        let pulse = fields.get("pulse_ms");
        let pulse = pulse.map(|node| self.reader.integer(node, "pulse_ms", 1, MAX_PULSE_MS));
        let chip = match chip {
            Some(chip) => Some(chip?),
            None => None,
        };
        Some(Gpio {
            chip,
            line: line?,
            active_low: active_low.unwrap_or_default(),
            pulse: match pulse {
                Some(pulse) => Some(Duration::from_millis(pulse?.into())),
                None => None,
            },
            held: Default::default(),
        })
    }

    /// `host`: a name or an address, and nothing else of a URL.
    fn host(&mut self, fields: &Fields<'_>) -> Option<String> {
        let node = fields.require(&mut self.reader, "host")?;
        let text = self.reader.non_empty(node, "host")?;
        let host = text.trim_start_matches('[').trim_end_matches(']');
        let is_host = host.parse::<std::net::IpAddr>().is_ok()
            || host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        let message = format!("`{text}` is no name or address of a host; its port is `port`");
        self.check(is_host && !host.is_empty(), node, &message)?;
        Some(host.to_owned())
    }

    fn port(&mut self, fields: &Fields<'_>, usual: u16) -> Option<u16> {
        let Some(node) = fields.get("port") else { return Some(usual) };
        u16::try_from(self.reader.integer(node, "port", 1, u16::MAX.into())?).ok()
    }

    /// Text, or the name of one of the bench's tokens.
    fn secret(&mut self, node: &Node, what: &str) -> Option<Secret> {
        let text = self.reader.non_empty(node, what)?;
        Some(self.tokens.secret(&text))
    }

    /// Notes what is wrong with a value; `None` if something is.
    fn check(&mut self, is_right: bool, node: &Node, message: &str) -> Option<()> {
        if !is_right {
            self.error(Code::InvalidPower, node.span, message);
        }
        is_right.then_some(())
    }
}
