//! From power on to U-Boot's prompt, and what it was if there is none.

use std::time::Instant;

use super::Stopped;
use super::line::{Line, TalkError};
use crate::action::{WrongSpeed, advice};
use crate::board::Board;
use crate::dialog::Start;
use crate::doctor::finding::{Check, Finding, Findings};
use crate::fault::{Chain, Class};
use crate::limit::Limit;

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
        findings.add(no_prompt(line.board, &error));
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
    let WrongSpeed { text, help } = WrongSpeed::of(line.board);
    let text = format!("{text}: {percent} % of what came lately, {bytes} bytes in all, is no text");
    Finding::fault(Check::Speed, name, Class::Bench, text).with_help(help)
}

fn no_prompt(board: &Board, error: &TalkError) -> Finding {
    let help = error.uboot().and_then(|error| advice(error, board));
    let text = format!("no prompt: {}", Chain(error));
    Finding::fault(Check::Uboot, &board.name, Class::Infrastructure, text).with_optional_help(help)
}
