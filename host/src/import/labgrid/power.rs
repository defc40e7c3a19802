//! Power: commands where labgrid runs commands, and words about the rest.

use toml_edit::Value;

use super::board::Board;
use super::part::Part;
use crate::diagnostic::Code;
use crate::import::draft;

/// labgrid's time between off and on, where the file says none, in seconds. The runner's own is 1 s.
const USUAL_DELAY: &str = "2";

/// Drivers and resources that labgrid drives by code of its own: what a user can put in their place.
const BY_LABGRID: [(&str, &str); 7] = [
    (
        "NetworkPowerPort",
        "a network power switch: labgrid speaks to it itself; write a command of yours, such as one of `curl` or `snmpset`, into `power`",
    ),
    (
        "USBPowerPort",
        "a USB hub: write `uhubctl --location HUB --ports INDEX --action on`, `off` and `cycle` into `power`; `uhubctl` alone lists the hubs",
    ),
    ("YKUSHPowerPort", "a YKUSH hub: write its `ykushcmd` into `power`"),
    ("SiSPMPowerPort", "a SiS-PM outlet: write `sispmctl -o INDEX` and `sispmctl -f INDEX` into `power`"),
    (
        "TasmotaPowerPort",
        "a Tasmota outlet: write a command that reaches it, such as `mosquitto_pub` or `curl`, into `power`",
    ),
    ("DigitalOutputPowerDriver", "an output that labgrid sets itself: write a command of yours into `power`"),
    (
        "DigitalOutputResetDriver",
        "an output that labgrid sets itself: write a command of yours as `reset` into `power`",
    ),
];

/// Reads the power of the target.
pub(super) fn read(board: &mut Board<'_, '_>) {
    let external = board.parts.first("ExternalPowerDriver");
    let daemon = board.parts.first("PDUDaemonPort");
    match (external, daemon) {
        (Some(driver), _) => external_driver(board, &driver),
        (None, Some(port)) => pdu_daemon(board, &port),
        (None, None) => {}
    }
    for (class, why) in BY_LABGRID {
        for part in board.parts.all().iter().filter(|part| part.class == class) {
            board.parts.keys.mark(&part.item);
            board.findings.leave(&part.item, format!("{why}{}", arguments(part)));
        }
    }
    let has_power = board.draft.has(&["boards", &board.name, "power"]);
    if !has_power {
        board.parts.first("ManualPowerDriver");
        board
            .remarks
            .push("No power commands: the runner asks for the board to be switched on or reset.".to_owned());
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
        (Some(item), None, Some((on, _)), Some((off, _))) => {
            let seconds = item
                .text()
                .filter(|text| text.parse::<f64>().is_ok_and(|delay| (0.0..=60.0).contains(&delay)));
            let Some(seconds) = seconds else {
                return board.findings.leave(&item, "a delay between off and on is from 0 to 60 s");
            };
            let commands = [off, vec!["sleep".to_owned(), seconds], on];
            board.set(
                &["power", "reset"],
                draft::commands(&commands),
                &format!("{}: off, a while, on", item.origin()),
            );
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
