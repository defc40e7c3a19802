//! Power: commands where labgrid runs commands, drivers where the runner has the same, and words about the rest.

use toml_edit::Value;

use super::board::Board;
use super::part::Part;
use crate::board::bench_file::MAX_OFF;
use crate::diagnostic::Code;
use crate::import::draft;

/// labgrid's time between off and on, where the file says none, in seconds. The runner's own is 1 s.
const USUAL_DELAY: &str = "2";

/// Drivers and resources that labgrid drives by code of its own: what a user can put in their place.
const BY_LABGRID: [(&str, &str); 7] = [
    (
        "NetworkPowerPort",
        "a network power switch that is not known by this name: one with SNMP is described with `driver = \"snmp\"` (docs/power.md); else write a command of yours, such as one of `curl`, into `power`",
    ),
    (
        "USBPowerPort",
        "a USB hub: write `driver = \"uhubctl\"`, `location` and `port` into `power`; the program `uhubctl` alone lists the hubs",
    ),
    ("YKUSHPowerPort", "a YKUSH hub: write its `ykushcmd` into `power`"),
    ("SiSPMPowerPort", "a SiS-PM outlet: write `sispmctl -o INDEX` and `sispmctl -f INDEX` into `power`"),
    (
        "TasmotaPowerPort",
        "a Tasmota outlet, which labgrid reaches over MQTT: write `driver = \"tasmota\"` and its `host` into `power`",
    ),
    (
        "DigitalOutputPowerDriver",
        "an output that labgrid sets itself: write `driver = \"gpio\"` and its line, or a command of yours, into `power`",
    ),
    (
        "DigitalOutputResetDriver",
        "an output that labgrid sets itself: write `driver = \"gpio\"`, its line and `pulse_ms`, or a command of yours as `reset`, into `power`",
    ),
];

/// Reads the power of the target.
pub(super) fn read(board: &mut Board<'_, '_>) {
    let external = board.parts.first("ExternalPowerDriver");
    let daemon = board.parts.first("PDUDaemonPort");
    match (external, daemon) {
        (Some(driver), _) => external_driver(board, &driver),
        (None, Some(port)) => pdu_daemon(board, &port),
        (None, None) => network_port(board),
    }
    let by_driver = board.draft.has(&["boards", &board.name, "power", "driver"]);
    for (class, why) in BY_LABGRID {
        if class == "NetworkPowerPort" && by_driver {
            continue;
        }
        for part in board.parts.all().iter().filter(|part| part.class == class) {
            board.parts.keys.mark(&part.item);
            board.findings.leave(&part.item, format!("{why}{}", arguments(part)));
        }
    }
    if !has_power(board) {
        board.parts.first("ManualPowerDriver");
        board
            .remarks
            .push("No power commands: the runner asks for the board to be switched on or reset.".to_owned());
    }
}

fn has_power(board: &Board<'_, '_>) -> bool {
    board.draft.has(&["boards", &board.name, "power"])
}

/// What labgrid calls the switches that the runner knows as well, their names here, and the community that labgrid gives.
const SNMP_MODELS: [(&str, &str, &str); 4] = [
    ("apc", "apc-masterswitch", "private"),
    ("eaton", "eaton-epdu", "public"),
    ("raritan", "raritan-pdu2", "private"),
    ("sentry_sequential", "servertech-sentry3", "private"),
];

/// `NetworkPowerPort`, where its model is known here.
fn network_port(board: &mut Board<'_, '_>) {
    let Some(port) = board.parts.all().iter().find(|part| part.class == "NetworkPowerPort").cloned() else {
        return;
    };
    let is_known = |model: &str| {
        model.starts_with("shelly_gen") || SNMP_MODELS.iter().any(|(labgrid, ..)| *labgrid == model)
    };
    let Some(model) = port.item.get("model").and_then(|item| item.text()).filter(|model| is_known(model))
    else {
        return;
    };
    let (host, index) = (port.item.get("host").and_then(|item| item.text()), port.item.get("index"));
    let index = index.and_then(|item| item.text()?.parse::<u16>().ok());
    let host = host.map(|host| host.trim_start_matches("http://").trim_end_matches('/').to_owned());
    // With a scheme, a path or a port it is more than a host.
    let host = host.filter(|host| !host.contains(['/', ':', '{']));
    let snmp = SNMP_MODELS.iter().find(|(labgrid, ..)| *labgrid == model);
    // Outlets count from 1, relays from 0.
    let index = index.filter(|&index| index > 0 || snmp.is_none());
    let (Some(host), Some(index)) = (host, index) else { return };
    let origin = format!("{}, model={model}", port.item.origin());
    board.parts.adopt(&port);
    for argument in ["model", "host", "index"] {
        board.parts.take(&port, argument);
    }
    let driver = if snmp.is_some() { "snmp" } else { "shelly" };
    board.set(&["power", "driver"], driver, &origin);
    board.set(&["power", "host"], draft::text(&host), "");
    match snmp {
        Some((_, model, community)) => {
            board.set(&["power", "version"], "1", "as labgrid");
            board.set(&["power", "community"], *community, "the one that labgrid gives to every such switch");
            board.set(&["power", "model"], *model, "");
            board.set(&["power", "outlet"], i64::from(index), "");
        }
        None => board.set(&["power", "relay"], i64::from(index), ""),
    }
}

/// What the file says of a part: ` (host=…, index=…)`.
fn arguments(part: &Part<'_>) -> String {
    let known = ["model", "host", "index", "serial"];
    let told = part.item.entries();
    let told = told.iter().filter(|item| known.contains(&item.key()));
    let told: Vec<_> = told.filter_map(|item| Some(format!("{}={}", item.key(), item.text()?))).collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

/// `cmd_on`, `cmd_off`, `cmd_cycle`, `delay`.
fn external_driver<'n>(board: &mut Board<'_, 'n>, driver: &Part<'n>) {
    let on = command(board, driver, "cmd_on");
    let off = command(board, driver, "cmd_off");
    let cycle = command(board, driver, "cmd_cycle");
    let delay = board.parts.take(driver, "delay");
    for (key, command) in [("on", &on), ("off", &off), ("reset", &cycle)] {
        if let Some((words, origin)) = command {
            board.set(&["power", key], one(words), origin);
        }
    }
    match (delay, cycle, on, off) {
        (Some(item), None, Some(_), Some(_)) => {
            let seconds = item.text().and_then(|text| text.parse::<f64>().ok());
            match seconds.filter(|seconds| (0.0..=f64::from(MAX_OFF)).contains(seconds)) {
                Some(seconds) => board.set(&["power", "off_s"], seconds, &item.origin()),
                None => {
                    let why = format!("a delay between off and on is from 0 to {MAX_OFF} s");
                    board.findings.leave(&item, why);
                }
            }
        }
        (Some(item), ..) => {
            board.findings.leave(&item, "`cmd_cycle` resets the board, with a delay of its own")
        }
        _ => {}
    }
}

fn command<'n>(
    board: &mut Board<'_, 'n>,
    driver: &Part<'n>,
    argument: &str,
) -> Option<(Vec<String>, String)> {
    let (text, item) = board.text(driver, argument)?;
    match shlex::split(&text).filter(|words| !words.is_empty()) {
        Some(words) => Some((words, item.origin())),
        None => {
            let message = format!("`{argument}` is no command");
            board.findings.error(
                Code::InvalidPower,
                item.span,
                message,
                "it is split into words as a shell does it",
            );
            None
        }
    }
}

/// Any pdudaemon is switched by its own client.
fn pdu_daemon<'n>(board: &mut Board<'_, 'n>, port: &Part<'n>) {
    let mut text = |argument| board.text(port, argument);
    let (host, pdu, index) = (text("host"), text("pdu"), text("index"));
    let (Some((host, item)), Some((pdu, _)), Some((index, _))) = (host, pdu, index) else {
        let why = "`PDUDaemonPort` needs `host`, `pdu` and `index`";
        return board.findings.leave(&port.item, why);
    };
    let words = |action: &str, more: &[&str]| -> Vec<String> {
        let common =
            ["pduclient", "--daemon", &host, "--hostname", &pdu, "--port", &index, "--command", action];
        common.iter().chain(more).map(|&word| word.to_owned()).collect()
    };
    let origin = format!("{}: the client of pdudaemon", item.origin());
    board.set(&["power", "on"], one(&words("on", &[])), &origin);
    board.set(&["power", "off"], one(&words("off", &[])), "");
    board.set(&["power", "reset"], one(&words("reboot", &["--delay", USUAL_DELAY])), "");
}

fn one(words: &[String]) -> Value {
    draft::list(words, false)
}
