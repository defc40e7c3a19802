//! Whether a board's power switches: the reset that starts each run, and the `off` that ends it.
//!
//! What a run uses is tried, and nothing else: `reset` first, as the board stands, for runs find it as the last one left it.
//! Off is tried last, on a board that was seen to answer. A board that is off already is as silent whatever `off` does.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Stopped;
use super::line::Line;
use crate::board::power::{Power, PowerError, Say, Switch};
use crate::doctor::finding::{Check, Finding, Findings};
use crate::fault::{Chain, Class};

/// Nothing has come for this long: the board has nothing more to say.
const QUIET: Duration = Duration::from_secs(1);
/// A board may go on this long after its power was cut, as its capacitors discharge.
const GOES_ON: Duration = Duration::from_secs(10);
/// How long a board may take to answer the Enter key.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a command that goes on may take to end after Ctrl-C.
const ENDS: Duration = Duration::from_secs(3);
/// Without anything for this long, what Ctrl-C has caused is over.
const ENDED: Duration = Duration::from_millis(300);

/// How long a person may take to switch a board, as `host-runner power` waits.
const BY_HAND: Duration = Duration::from_secs(600);

/// Ends what U-Boot does, such as tries to fetch a file for ever.
const CONTROL_C: &[u8] = b"\x03";

/// Resets the board, as each run does first. A person who does it is asked by `say`.
pub(super) async fn reset(
    line: &mut Line<'_>,
    say: Say<'_>,
    findings: &mut Findings<'_>,
) -> Result<(), Stopped> {
    let name = line.board.name.clone();
    line.heard.forget();
    let Some(power) = line.board.power.clone() else {
        let text = "switched by hand: switch the board on or reset it now";
        findings.add(Finding::unknown(Check::Reset, &name, text));
        return Ok(());
    };
    match power.reset(limit(&power), say).await {
        Ok(()) => {
            let told = if power.can(Switch::Status) { "; its status is `on`" } else { "" };
            findings.add(Finding::ok(Check::Reset, &name, format!("{power}{told}")));
            Ok(())
        }
        // The bench is in order; there is nobody now.
        Err(error) if power.is_by_hand() => {
            let finding = Finding::unknown(Check::Reset, &name, format!("not tried: {}", Chain(&error)));
            findings.add(match error.help() {
                Some(help) => finding.with_help(help),
                None => finding,
            });
            Err(Stopped)
        }
        Err(error) => {
            findings.add(failed(Check::Reset, &name, &error));
            Err(Stopped)
        }
    }
}

/// Switches the board off, as each run does last, and sees that it is; `at_prompt` is whether U-Boot has been at its prompt.
/// Cancelled, it only switches.
pub(super) async fn off(
    line: &mut Line<'_>,
    at_prompt: bool,
    cancel: &CancellationToken,
    findings: &mut Findings<'_>,
) {
    let name = line.board.name.clone();
    let Some(power) = line.board.power.clone().filter(|power| !power.is_by_hand()) else { return };
    if !power.can(Switch::Off) {
        let text = "not tried: the board can be reset and nothing else, so it stays on after runs";
        return findings.add(Finding::unknown(Check::PowerOff, &name, text));
    }
    let found = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        found = is_off(line, &power, at_prompt) => Some(found),
    };
    let found = match found {
        Some(found) => Some(found),
        // Whatever was found: the board is left as a run leaves it.
        None => {
            power.off(limit(&power), &|_| {}).await.err().map(|error| failed(Check::PowerOff, &name, &error))
        }
    };
    if let Some(finding) = found {
        findings.add(finding);
    }
}

fn limit(power: &Power) -> Duration {
    power.usual_limit().unwrap_or(BY_HAND)
}

/// A switch that did not do its work.
fn failed(check: Check, board: &str, error: &PowerError) -> Finding {
    let finding = Finding::fault(check, board, error.class(), Chain(error));
    match error.help() {
        Some(help) => finding.with_help(help),
        None if error.is_disobeyed() => {
            finding.with_help(format!("is all of `[boards.{board}.power]` about the same outlet?"))
        }
        None if check == Check::PowerOff => finding.with_help("look at the board: it may still be on"),
        None => finding,
    }
}

/// Switches the board off; what that came to.
async fn is_off(line: &mut Line<'_>, power: &Power, at_prompt: bool) -> Finding {
    let name = line.board.name.clone();
    let has_answered = at_prompt && answers_at_prompt(line).await.unwrap_or_default();
    if let Err(error) = power.off(limit(power), &|_| {}).await {
        return failed(Check::PowerOff, &name, &error);
    }
    let still_on = match still_on(line).await {
        Ok(still_on) => still_on,
        // Such as a USB adapter on the board that has no power any more.
        Err(error) => {
            let text = format!("switched off; the console has failed since: {error}");
            return Finding::unknown(Check::PowerOff, &name, text);
        }
    };
    match (still_on, has_answered) {
        (Some(what), _) => {
            let text = format!(
                "the power does not switch: after it was switched off the board {what}; it said last:\n{}",
                line.heard.tail()
            );
            Finding::fault(Check::PowerOff, &name, Class::Infrastructure, text).with_help(format!(
                "does what `[boards.{name}.power]` names switch this board's outlet? Can the board be fed another way, \
                 such as by its serial or USB cable?"
            ))
        }
        (None, true) => {
            let told = if power.can(Switch::Status) { ", and its status is `off`" } else { "" };
            let text = format!("the board answered the Enter key, and does not any more{told}");
            Finding::ok(Check::PowerOff, &name, text)
        }
        (None, false) => Finding::unknown(
            Check::PowerOff,
            &name,
            "the console is quiet; whether that is because the board was switched off cannot be told, for it did not \
             answer before",
        ),
    }
}

/// Whether U-Boot answers the Enter key with a prompt.
async fn answers_at_prompt(line: &mut Line<'_>) -> std::io::Result<bool> {
    line.type_in(CONTROL_C).await?;
    line.listen(ENDS, ENDED).await?;
    line.answers(ANSWER).await
}

/// What a board does that should be off.
async fn still_on(line: &mut Line<'_>) -> std::io::Result<Option<String>> {
    if !line.listen(GOES_ON, QUIET).await? {
        return Ok(Some(format!("goes on talking for {} s", GOES_ON.as_secs())));
    }
    Ok(line.answers(ANSWER).await?.then(|| "answers the Enter key".to_owned()))
}
