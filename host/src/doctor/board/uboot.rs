//! From power on to U-Boot's prompt, and what it was if there is none.

use std::time::Instant;

use super::Stopped;
use super::line::{Line, TalkError};
use crate::board::ConsoleTarget;
use crate::dialog::{Start, UbootError};
use crate::doctor::finding::{Check, Finding, Findings};
use crate::fault::{Chain, Class};
use crate::limit::Limit;
use crate::link::Target;

/// Stops U-Boot's autoboot on a board that was just switched on; `Start::Prompt`, for that is where it is then.
pub(super) async fn reach_prompt(line: &mut Line<'_>, findings: &mut Findings<'_>) -> Result<Start, Stopped> {
    let name = line.board.name.clone();
    let begun = Instant::now();
    let limit = Limit::new(line.patience, "`--timeout`");
    let talked = line.talk(Vec::new(), Start::PowerOn, limit).await;
    let error = match talked {
        Ok(()) => {
            findings.add(Finding::ok(Check::PowerOn, &name, "the board begins to talk"));
            findings.add(Finding::ok(Check::Speed, &name, "what it says is text"));
            let text = format!("at its prompt after {:.1} s", begun.elapsed().as_secs_f64());
            findings.add(Finding::ok(Check::Uboot, &name, text));
            return Ok(Start::Prompt);
        }
        Err(TalkError::None) => {
            findings.add(Finding::unknown(Check::Uboot, &name, "its type has no U-Boot"));
            return Err(Stopped);
        }
        Err(error) => error,
    };
    if error.uboot().is_none() {
        return Err(line.broken(&error, findings));
    }
    if line.heard.bytes() == 0 {
        findings.add(silent(line));
        return Err(Stopped);
    }
    findings.add(Finding::ok(Check::PowerOn, &name, "the board begins to talk"));
    findings.add(match line.heard.noise() {
        Some(percent) => noise(line, percent),
        None => Finding::ok(Check::Speed, &name, "what it says is text"),
    });
    if line.heard.noise().is_none() {
        findings.add(no_prompt(&name, &error));
    }
    Err(Stopped)
}

fn silent(line: &Line<'_>) -> Finding {
    if line.board.power.is_none() {
        let text = format!(
            "nothing came on the console within {} s: was the board switched on, or reset?",
            line.patience.as_secs()
        );
        return Finding::unknown(Check::PowerOn, &line.board.name, text);
    }
    let text = format!(
        "the board is silent: nothing came on the console within {} s of the reset",
        line.patience.as_secs()
    );
    Finding::fault(Check::PowerOn, &line.board.name, Class::Infrastructure, text).with_help(
        "is this the board's adapter, and are its wires in place: ground to ground, the adapter's TX to the board's RX, \
         its RX to the board's TX? Does the board have power, by an outlet that is its own, and something to boot from? A \
         slower board: `--timeout`",
    )
}

fn noise(line: &Line<'_>, percent: usize) -> Finding {
    let name = &line.board.name;
    let bytes = line.heard.bytes();
    let (speed, help) = match &line.board.console {
        ConsoleTarget::Line(Target::Serial { baud, .. }) => (
            format!("{baud} baud is the wrong speed"),
            format!("set `baud` in `[boards.{name}]`; most boards have 115200, some 1500000 or 9600"),
        ),
        _ => (
            "the speed is wrong".to_owned(),
            "set the board's speed where the serial port is, such as in ser2net's configuration".to_owned(),
        ),
    };
    let text = format!("{speed}: {percent} % of {bytes} bytes are no text");
    Finding::fault(Check::Speed, name, Class::Bench, text)
        .with_help(format!("{help}. A missing ground wire looks the same"))
}

fn no_prompt(board: &str, error: &TalkError) -> Finding {
    let help = match error.uboot() {
        Some(UbootError::Missed { .. }) => {
            "its countdown is too short: `setenv bootdelay 3; saveenv` in U-Boot".to_owned()
        }
        Some(UbootError::ResetLoop { .. }) => "is its power supply strong enough?".to_owned(),
        _ => format!(
            "compare what the board says with `autoboot_prompt`, `interrupt` and `prompts` of its type, which \
             `[boards.{board}.uboot]` can replace; `setenv bootdelay 3; saveenv` in U-Boot if there is no countdown"
        ),
    };
    let text = format!("no prompt: {}", Chain(error));
    Finding::fault(Check::Uboot, board, Class::Infrastructure, text).with_help(help)
}
