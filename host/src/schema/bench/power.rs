//! `power` of a board: commands, or a driver with its keys.

use serde_json::{Value, json};

use super::command;
use crate::board::bench_file::{MAX_INDEX, MAX_OFF, MAX_PULSE_MS, MAX_VALUE};
use crate::board::power::MODELS;
use crate::schema::shape::{Keys, boolean, integer, or, or_else, some, text, word};

const OFF: &str = "Seconds between off and on in a reset.";
const HOST: &str = "Its name or address.";
const PASSWORD: &str = "Its password, or the name of one of the `[tokens]`.";

/// One of the ways to switch a board.
pub(super) fn schema() -> Value {
    json!({ "anyOf": [commands(), uhubctl(), snmp_model(), snmp_oid(), tasmota(), shelly(), gpio(), ask()] })
}

fn commands() -> Value {
    let commands = || json!({ "anyOf": [command(), some(&command())] });
    let keys = Keys::new()
        .may("on", "Switches the board on: a command, or a list of commands.", commands())
        .may("off", "Switches it off.", commands())
        .may("reset", "Restarts it.", commands())
        .may("status", "Prints `on` or `off`, on its last line.", command())
        .may("off_s", OFF, off_time());
    let mut power = keys.schema();
    power["anyOf"] = json!([{ "required": ["reset"] }, { "required": ["on", "off"] }]);
    power
}

fn uhubctl() -> Value {
    Keys::new()
        .is("driver", "uhubctl", "A port of a USB hub, by the program `uhubctl`.")
        .needs("location", "The hub, such as `1-1`.", text())
        .needs("port", "Its port.", integer(1, 255))
        .may("off_s", OFF, off_time())
        .schema()
}

fn snmp() -> Keys {
    Keys::new()
        .is("driver", "snmp", "An outlet of a power switch that speaks SNMP.")
        .needs("host", HOST, text())
        .may("port", "Its UDP port.", or(integer(1, u16::MAX.into()), 161))
        .may("version", "Version of SNMP.", or(json!({ "enum": ["1", "2c", 1] }), "2c"))
        .needs("community", "The community that may write, or the name of one of the `[tokens]`.", text())
        .may(
            "off_s",
            "Seconds between off and on.",
            or_else(seconds(), "the switch's own restart, if it has one; else 1"),
        )
}

fn snmp_model() -> Value {
    let outlet =
        json!({ "anyOf": [integer(1, MAX_INDEX), { "type": "string", "pattern": r"^\d+(\.\d+){0,3}$" }] });
    snmp()
        .needs("model", "The kind of switch.", word(MODELS.iter().map(|model| model.name)))
        .needs("outlet", "Its number, or `UNIT.OUTLET`.", outlet)
        .schema()
}

fn snmp_oid() -> Value {
    let oid = || json!({ "type": "string", "pattern": r"^\.?\d+(\.\d+){2,}$" });
    let value = || integer(0, MAX_VALUE);
    let status = Keys::new()
        .needs("oid", "The object that says whether the outlet is on.", oid())
        .needs("on", "Its value if it is.", value())
        .needs("off", "Its value if it is not.", value());
    snmp()
        .needs("oid", "The object that switches the outlet.", oid())
        .needs("on", "The value that switches it on.", value())
        .needs("off", "The value that switches it off.", value())
        .may("reset", "The value that has the switch restart it.", value())
        .may("status", "Where another object says whether it is on.", status.schema())
        .schema()
}

fn http(keys: Keys) -> Keys {
    keys.needs("host", HOST, text())
        .may("port", "Its port.", or(integer(1, u16::MAX.into()), 80))
        .may("user", "Who logs in.", or(text(), "admin"))
        .may("password", PASSWORD, text())
        .may("off_s", OFF, off_time())
}

fn tasmota() -> Value {
    http(Keys::new().is("driver", "tasmota", "A relay with Tasmota."))
        .may("relay", "The relay.", or(integer(1, 32), 1))
        .schema()
}

fn shelly() -> Value {
    http(Keys::new().is("driver", "shelly", "A relay of Shelly's."))
        .may("relay", "The relay.", or(integer(0, 255), 0))
        .schema()
}

fn gpio() -> Value {
    Keys::new()
        .is("driver", "gpio", "A line of this PC.")
        .may("chip", "Its chip, such as `gpiochip0`; needless for a line with a name.", text())
        .needs("line", "Its number or name.", json!({ "anyOf": [integer(0, MAX_INDEX), text()] }))
        .may("active_low", "Whether the low level is the active one.", or(boolean(), false))
        .may("pulse_ms", "The line is a button that is pressed for so many ms.", integer(1, MAX_PULSE_MS))
        .may("off_s", OFF, off_time())
        .schema()
}

fn ask() -> Value {
    Keys::new().is("driver", "ask", "A person at the terminal.").schema()
}

fn off_time() -> Value {
    or(seconds(), 1)
}

fn seconds() -> Value {
    json!({ "type": "number", "minimum": 0, "maximum": MAX_OFF })
}
