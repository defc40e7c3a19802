//! `u-boot-test-reset` and `u-boot-test-release`.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Hook;
use super::control::Request;
use super::place::Place;
use crate::board::power::{Power, Switch};
use crate::cli::message::{Failure, note};
use crate::cli::power::PERSON_LIMIT;
use crate::cli::runtime::block_on;
use crate::fault::{Class, Fault};

/// How long `u-boot-test-reset` waits for a `u-boot-test-console` that is started at the same time.
const CONSOLE_TIME: Duration = Duration::from_secs(10);

/// Has U-Boot start from scratch.
pub(super) fn reset(place: &Place) -> Result<Option<Class>, Failure> {
    block_on(async |cancel| or_cancelled(place, &cancel, reset_board(place)).await)?;
    Ok(None)
}

/// Ends the console and switches the board off.
pub(super) fn release(place: &Place) -> Result<Option<Class>, Failure> {
    block_on(async |cancel| or_cancelled(place, &cancel, release_board(place)).await)?;
    Ok(None)
}

async fn reset_board(place: &Place) -> Result<(), Fault> {
    let until = Instant::now() + CONSOLE_TIME;
    if place.board.is_virtual() {
        return match place.ask_in_time(Request::Reset, until).await? {
            Some((answer, _)) => answer,
            None => {
                let limit = CONSOLE_TIME.as_secs();
                let text = format!("there was no u-boot-test-console of it within {limit} s");
                let help =
                    "a virtual board is on only while its console is there: start u-boot-test-console first";
                Err(Fault::new(Class::Usage, place.name(), text).with_help(help))
            }
        };
    }
    let power = place.board.power.as_ref().ok_or_else(|| by_hand(place))?;
    if !power.can(Switch::Reset) {
        return Err(by_hand(place));
    }
    let _permit = place.permit(Hook::Reset, CONSOLE_TIME).await?;
    switch(place, power, Switch::Reset).await
}

fn by_hand(place: &Place) -> Fault {
    let name = &place.board.name;
    let text = format!("nothing in the bench file resets board `{name}`");
    let help = format!(
        "`[boards.{name}.power]` is where it can say what does; `driver = \"ask\"` asks you (docs/power.md)"
    );
    Fault::new(Class::Bench, place.bench.path.display().to_string(), text).with_help(help)
}

async fn release_board(place: &Place) -> Result<(), Fault> {
    // The end of its connection is the answer.
    place.ask(Request::Release).await?;
    if let Some(holder) = place.other_holder()? {
        note(&format!("nothing is released: {holder} has board `{}`", place.board.name));
        return Ok(());
    }
    let _lease = place.lease(Hook::Release).await?;
    match &place.board.power {
        Some(power) if power.can(Switch::Off) => switch(place, power, Switch::Off).await,
        _ => Ok(()),
    }
}

async fn switch(place: &Place, power: &Power, what: Switch) -> Result<(), Fault> {
    let say = |text: &str| {
        // Nobody is asked where nobody can be told.
        let _ = writeln!(io::stderr(), "{text}");
    };
    let limit = power.usual_limit().unwrap_or(PERSON_LIMIT);
    power.run(what, limit, &say).await.map(drop).map_err(|error| {
        Fault::from_error(error.class(), place.name(), &error).with_optional_help(error.help())
    })
}

/// What `work` comes to, unless the person has had enough.
pub(super) async fn or_cancelled(
    place: &Place,
    cancel: &CancellationToken,
    work: impl Future<Output = Result<(), Fault>>,
) -> Result<(), Fault> {
    tokio::select! {
        done = work => done,
        () = cancel.cancelled() => {
            let text = "cancelled: nobody knows whether the board is on, or what is on it";
            Err(Fault::new(Class::Cancelled, place.name(), text))
        }
    }
}
