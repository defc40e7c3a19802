//! Lengths of time.

use serde_json::Value;

use crate::job::check::timeout::MAX_SECONDS;
use crate::job::part::{self, Effect, Owner};
use crate::schema::shape::{Keys, anything, boolean, defined, integer};

/// The definition of a length of time.
pub(super) const DURATION: &str = "duration";

/// One length of time.
pub(super) fn duration() -> Value {
    defined(DURATION)
}

/// What it is.
pub(super) fn of_units() -> Value {
    units().schema()
}

/// The time of an action block.
pub(super) fn of_block() -> Value {
    units()
        .may("skip", "When the time of this test is over, the job goes on with the next block.", boolean())
        .schema()
}

fn units() -> Keys {
    let units = ["days", "hours", "minutes", "seconds"];
    units.iter().fold(Keys::new(), |keys, unit| {
        keys.may(unit, &format!("A whole number of {unit}."), integer(1, MAX_SECONDS))
    })
}

/// Times of LAVA's actions in all blocks.
fn of_actions() -> Value {
    named(|effect| match effect {
        Effect::Bounds { what, .. } => Some(what),
        Effect::Nothing(_) => None,
    })
}

/// Times of LAVA's actions in one block.
pub(super) fn of_actions_in(owner: Owner) -> Value {
    named(|effect| match effect {
        Effect::Bounds { what, owners, .. } if owners.contains(&owner) => Some(what),
        _ => None,
    })
}

/// Times of single answers in LAVA's actions.
fn of_connections() -> Value {
    named(|effect| match effect {
        Effect::Bounds { answer, .. } => answer,
        Effect::Nothing(_) => None,
    })
}

/// Those names that bound something are offered; others may be there.
fn named(what: impl Fn(Effect) -> Option<&'static str>) -> Value {
    let bounds = part::names().filter_map(|name| Some((name, what(part::effect(name)?)?)));
    let keys = bounds.fold(Keys::new(), |keys, (name, what)| {
        keys.may(name, &format!("The longest time of {what}."), duration())
    });
    keys.others(duration()).schema()
}

/// The job's times.
pub(super) fn of_job() -> Value {
    Keys::new()
        .needs("job", "The longest time of the whole job.", duration())
        .may("action", "The time of each action that has none of its own.", duration())
        .may("connection", "The time of each answer that is waited for.", duration())
        .may("actions", "Times of single actions, by LAVA's names.", of_actions())
        .may("connections", "Times of answers in single actions, by LAVA's names.", of_connections())
        .idle(&["queue"], "Recorded, not used: nothing is queued here.")
        .others(anything())
        .schema()
}
