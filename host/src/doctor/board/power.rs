//! Whether power commands switch: the console goes quiet, and the switch says the same.

use std::time::Duration;

use super::line::Line;
use super::{POWER_LIMIT, Stopped};
use crate::board::power::{Power, PowerError, Switch};
use crate::doctor::finding::{Check, Finding, Findings};
use crate::fault::{Chain, Class};

/// Nothing has come for this long: the board has nothing more to say.
const QUIET: Duration = Duration::from_secs(1);
/// A board may go on this long after its power was cut, as its capacitors discharge.
const GOES_ON: Duration = Duration::from_secs(10);
/// How long a board may take to answer the Enter key.
const ANSWER: Duration = Duration::from_secs(2);

/// Letters that noise on an open line could be; an answer has more.
const NOISE: usize = 2;

/// Switches the board off, sees that it is, and switches it on.
pub(super) async fn switch_on(line: &mut Line<'_>, findings: &mut Findings<'_>) -> Result<(), Stopped> {
    let name = line.board.name.clone();
    let Some(power) = line.board.power.clone().filter(|power| !power.is_by_hand()) else {
        let text = "switched by hand: switch the board on or reset it now";
        findings.add(Finding::unknown(Check::PowerOn, &name, text));
        line.heard.forget();
        return Ok(());
    };
    if power.can(Switch::Off) {
        switched(power.off(POWER_LIMIT, &|_| {}).await, Check::PowerOff, &name, findings)?;
        is_off(line, &power, findings).await?;
    }
    line.heard.forget();
    let on = match power.can(Switch::On) && power.can(Switch::Off) {
        true => power.on(POWER_LIMIT, &|_| {}).await,
        false => power.reset(POWER_LIMIT, &|_| {}).await,
    };
    switched(on, Check::PowerOn, &name, findings)?;
    told_state(&power, true, Check::PowerOn, &name, findings).await
}

/// What became of a command.
fn switched(
    done: Result<(), PowerError>,
    check: Check,
    board: &str,
    findings: &mut Findings<'_>,
) -> Result<(), Stopped> {
    done.map_err(|error| {
        findings.add(Finding::fault(check, board, error.class(), Chain(&error)));
        Stopped
    })
}

/// Sees that the board is off.
async fn is_off(line: &mut Line<'_>, power: &Power, findings: &mut Findings<'_>) -> Result<(), Stopped> {
    let name = line.board.name.clone();
    told_state(power, false, Check::PowerOff, &name, findings).await?;
    let quiet = line.listen(GOES_ON, QUIET).await.map_err(|error| line.broken(&error, findings))?;
    let still_on = if quiet {
        line.heard.forget();
        line.type_in(b"\r").await.map_err(|error| line.broken(&error, findings))?;
        line.listen(ANSWER, ANSWER).await.map_err(|error| line.broken(&error, findings))?;
        (line.heard.letters() > NOISE).then(|| "answers the Enter key".to_owned())
    } else {
        Some(format!("goes on talking for {} s", GOES_ON.as_secs()))
    };
    let Some(what) = still_on else {
        findings.add(Finding::ok(Check::PowerOff, &name, "the console is quiet, and does not answer"));
        return Ok(());
    };
    let text = format!(
        "the power does not switch: after it was switched off the board {what}; it said last:\n{}",
        line.heard.tail()
    );
    let finding = Finding::fault(Check::PowerOff, &name, Class::Infrastructure, text);
    findings.add(finding.with_help(format!(
        "does what `[boards.{name}.power]` names switch this board's outlet? Can the board be fed another way, such as \
         by its serial or USB cable?"
    )));
    Err(Stopped)
}

/// Asks the switch, if it can tell.
async fn told_state(
    power: &Power,
    expected: bool,
    check: Check,
    board: &str,
    findings: &mut Findings<'_>,
) -> Result<(), Stopped> {
    let word = |is_on| if is_on { "on" } else { "off" };
    match power.status(POWER_LIMIT).await {
        Ok(None) => Ok(()),
        Ok(Some(is_on)) if is_on == expected => Ok(()),
        Ok(Some(is_on)) => {
            let text = format!(
                "the power does not switch: it was switched {}, and its status is `{}`",
                word(expected),
                word(is_on)
            );
            let help = format!("are all commands of `[boards.{board}.power]` of the same outlet?");
            findings.add(Finding::fault(check, board, Class::Infrastructure, text).with_help(help));
            Err(Stopped)
        }
        Err(error) => {
            findings.add(Finding::fault(check, board, error.class(), Chain(&error)));
            Err(Stopped)
        }
    }
}
