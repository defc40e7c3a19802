//! What switches a board, as far as a person knows.

use toml_edit::Value;

use super::ask::{ask, ask_password, number, text};
use super::cancelled;
use crate::board::power::{MODELS, UsbHub, usb_hubs};
use crate::cli::message::note;
use crate::cli::runtime::block_on;
use crate::fault::Fault;
use crate::init::{PowerDraft, words};

/// Most outlets, ports, relays or lines that a number may name here.
const MOST: u32 = 255;

/// What can switch a board, and the answer that means it.
const DRIVERS: [&str; 8] = ["commands", "uhubctl", "snmp", "tasmota", "shelly", "gpio", "ask", "none"];

/// Asks what switches a board's power; `None` if that is done by hand.
pub(super) fn ask_power() -> Result<Option<PowerDraft>, Fault> {
    note(
        "  What switches its power? `commands` of yours, a port of a USB hub (`uhubctl`), an outlet that speaks `snmp`, \
         a `tasmota` or `shelly` relay, a `gpio` line of this PC, you when you are told to and have pressed Enter \
         (`ask`), or `none`",
    );
    let driver = ask("  Its power", "none", |text| match DRIVERS.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("one of {}", DRIVERS.join(", "))),
    })?;
    let keys = match driver.as_str() {
        "none" => return Ok(None),
        "commands" => return commands().map(Some),
        "uhubctl" => uhubctl()?,
        "snmp" => snmp()?,
        "tasmota" => relay(1)?,
        "shelly" => relay(0)?,
        "gpio" => gpio()?,
        _ => Vec::new(),
    };
    Ok(Some([vec![("driver", driver.into())], keys].concat()))
}

fn commands() -> Result<PowerDraft, Fault> {
    let command = |question: &str| {
        ask(question, "", |text| match shlex::split(text) {
            Some(command) if !command.is_empty() => Ok(words(&command)),
            Some(_) => Err("a program and its arguments".to_owned()),
            None => Err("a quotation mark is not closed".to_owned()),
        })
    };
    let on = command("  The command that switches it on")?;
    let off = command("  The command that switches it off")?;
    Ok(vec![("on", on), ("off", off)])
}

fn uhubctl() -> Result<PowerDraft, Fault> {
    let hubs = block_on(async |cancel| {
        tokio::select! {
            hubs = usb_hubs() => Ok(hubs),
            () = cancel.cancelled() => Err(cancelled()),
        }
    })?;
    match &hubs {
        Ok(hubs) if hubs.is_empty() => {
            note("  uhubctl sees no hub that can switch its ports (`sudo uhubctl` may)")
        }
        Ok(hubs) => hubs.iter().for_each(|UsbHub { location, description, ports }| {
            note(&format!("  hub {location}: {description}, {ports} ports"));
        }),
        Err(error) => note(&format!("  hubs are not known: {error}")),
    }
    let first =
        hubs.ok().and_then(|hubs| hubs.into_iter().next()).map(|hub| hub.location).unwrap_or_default();
    let location = ask("  The hub, as uhubctl names it", &first, |text| match text {
        "" => Err("such as 1-1".to_owned()),
        text => Ok(text.to_owned()),
    })?;
    let port = number("  The hub's port", 1..=MOST)?;
    Ok(vec![("location", location.into()), ("port", port.into())])
}

fn snmp() -> Result<PowerDraft, Fault> {
    let host = text("  The power switch's name or address")?;
    let names: Vec<_> = MODELS.iter().map(|model| model.name).collect();
    let question = format!("  Its model ({}; docs/power.md says what else can be given)", names.join(", "));
    let model = ask(&question, "", |text| match names.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("one of {}", names.join(", "))),
    })?;
    let community = ask_password("  The community that may switch, which is not shown", false)?;
    let outlet = number("  The outlet", 1..=MOST)?;
    Ok(vec![
        ("host", host.into()),
        ("model", model.into()),
        ("community", community.into()),
        ("outlet", outlet.into()),
    ])
}

/// A relay of the network, whose first one has the number `first`.
fn relay(first: u32) -> Result<PowerDraft, Fault> {
    let host = text("  The relay's name or address")?;
    let relay = number("  Which of its relays", first..=MOST)?;
    let mut keys = vec![("host", Value::from(host)), ("relay", relay.into())];
    let password = ask_password("  Its password, which is not shown; empty if it has none", true)?;
    if !password.is_empty() {
        keys.push(("password", password.into()));
    }
    Ok(keys)
}

fn gpio() -> Result<PowerDraft, Fault> {
    let line = text("  The line's name or number (`gpioinfo` lists them)")?;
    let number: Option<i64> = line.parse::<u32>().ok().map(i64::from);
    let mut keys = Vec::new();
    if number.is_some() {
        keys.push(("chip", text("  Its chip, such as gpiochip0")?.into()));
    }
    keys.push(("line", number.map_or_else(|| line.into(), Value::from)));
    let pulse = ask(
        "  How many milliseconds it presses the reset button; empty if the line is the power",
        "",
        |text| match text {
            "" => Ok(None),
            text => text.parse::<u32>().map(|time| Some(i64::from(time))).map_err(|error| error.to_string()),
        },
    )?;
    keys.extend(pulse.map(|time| ("pulse_ms", time.into())));
    Ok(keys)
}
