//! Action blocks.

use serde_json::{Value, json};

use super::{boot, deploy, group, test, timeout};
use crate::job::check::block::{MAX_BLOCKS, MAX_INTERVAL, MAX_TIMES};
use crate::job::part::Owner;
use crate::schema::shape::{Keys, integer, one_or_some, some, text};

/// `actions`.
pub(super) fn actions() -> Value {
    let mut action = Keys::new()
        .may("deploy", "Makes files ready for a board.", deploy::schema())
        .may("boot", "Starts a board, or connects to one.", boot::schema())
        .may("test", "Runs tests.", test::schema())
        .may("command", "Runs a command of the bench file.", command())
        .schema();
    action["minProperties"] = json!(1);
    action["maxProperties"] = json!(1);
    let mut actions = some(&action);
    actions["maxItems"] = json!(MAX_BLOCKS);
    actions
}

fn command() -> Value {
    let about = "Its name in the board's `commands`.";
    common(Keys::new(), Owner::Command).needs("name", about, text()).schema()
}

/// The keys that all kinds of block have.
pub(super) fn common(keys: Keys, owner: Owner) -> Keys {
    keys.may("role", "Which roles do it; needed in a job that has roles.", one_or_some(&text()))
        .may("namespace", "Whose files and connections it works with.", text())
        .may("connection-namespace", "For tests: the namespace whose connection is used.", text())
        .may("failure_retry", "How often it is tried at most.", integer(1, MAX_TIMES))
        .may("failure_retry_interval", "Seconds between two attempts.", integer(0, MAX_INTERVAL))
        .may("repeat", "How often it is done.", integer(1, MAX_TIMES))
        .may("timeout", "The longest time of the whole block.", timeout::of_block())
        .may("timeouts", "Times of LAVA's actions in this block.", timeout::of_actions_in(owner))
        .may("protocols", "Requests to the group.", group::calls(owner))
}
