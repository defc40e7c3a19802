//! `protocols`: roles, and requests to the group.

use serde_json::Value;

use super::timeout;
use crate::job::check::role::MAX_COUNT;
use crate::job::part::{self, Owner};
use crate::schema::shape::{Keys, boolean, integer, list, names, one_or_list, text, values, word};

/// The top level's `protocols`.
pub(super) fn roles() -> Value {
    let group = Keys::new().needs("roles", "The roles by their names.", names(&role())).may(
        "timeout",
        "The time of every wait of the tests; wins over the roles' own.",
        timeout::duration(),
    );
    Keys::new().needs("lava-multinode", "The group's roles.", group.schema()).schema()
}

fn role() -> Value {
    Keys::new()
        .may("device_type", "The type of board that each node of the role runs on.", text())
        .may("host_role", "The role whose board the nodes of this role connect to over SSH.", text())
        .may("connection", "With `host_role`.", word(["ssh"]))
        .may("count", "Number of nodes.", integer(1, MAX_COUNT))
        .may("context", "Values that stand in for those of the board type.", super::context())
        .may("tags", "Words that the board must have in the bench file.", one_or_list(&text()))
        .may("environment", "Variables of the tests' environment.", values())
        .may("timeout", "The time of every wait of the role's tests.", timeout::duration())
        .may("request", "Start only when `expect_role` has sent `lava_start`.", word(["lava-start"]))
        .may("expect_role", "The role that sends `lava_start`.", text())
        .may(
            "essential",
            "Whether all other nodes end when one of the role ends without a result.",
            boolean(),
        )
        .idle(&["device", "worker"], "It has no effect here.")
        .needs_one_of(&["device_type", "host_role"])
        .schema()
}

/// An action block's `protocols`.
pub(super) fn calls(owner: Owner) -> Value {
    let call = Keys::new()
        .needs("action", "The action of LAVA's that makes the request.", word(part::callers(owner)))
        .needs(
            "request",
            "What is asked of the group.",
            word(["lava-send", "lava-wait", "lava-wait-all", "lava-sync"]),
        )
        .needs("messageID", "Which message it is about.", text())
        .may("message", "Values to send; `$ipv4` and the like are filled in.", values())
        .may("role", "For `lava-wait-all`: the role that must have sent it.", text())
        .may("timeout", "How long to wait.", timeout::duration());
    Keys::new()
        .may("lava-multinode", "Requests to the group.", list(&call.schema()))
        .idle(&["timeout"], "It belongs to no request and has no effect.")
        .schema()
}

/// A request that an interactive script makes.
pub(super) fn request(keys: Keys) -> Keys {
    keys.may("lava-send", "Sends a message: `ID key=value …`.", text())
        .may("lava-wait", "Waits for a message.", text())
        .may("lava-wait-all", "Waits for a message of all, or of a role: `ID role=ROLE`.", text())
        .may("lava-sync", "Waits until all have come here.", text())
}
