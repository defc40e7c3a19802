//! What the helpers on the board (`lava-send`, `lava-test-case`, …) ask of the runner.
//!
//! A helper writes one postcard-encoded [`Packet`] to the agent's socket and reads one [`Reply`]; the agent passes
//! both on unchanged. Semantics are those of LAVA's MultiNode API and test shell, save where LAVA is wrong: a refusal
//! or a time-out is an error to the caller, and nothing malformed is dropped.

use serde::{Deserialize, Serialize};

/// The helpers' names: what the agent is called by to be one, and so the links to it in its `bin`.
pub const NAMES: [&str; 33] = [
    "lava-send",
    "lava-wait",
    "lava-wait-all",
    "lava-sync",
    "lava-group",
    "lava-role",
    "lava-self",
    "lava-network",
    "lava-start-vms",
    "lava-wait-for-vms",
    "lava-echo-ipv4",
    "lava-echo-config",
    "lava-target-ip",
    "lava-target-mac",
    "lava-target-storage",
    "lava-probe-ip",
    "lava-probe-channel",
    "lava-os-build",
    "lava-test-case",
    "lava-test-set",
    "lava-test-reference",
    "lava-test-raise",
    "lava-test-event",
    "lava-step",
    "lava-test-feedback",
    "lava-test-shell",
    "lava-test-runner",
    "lava-background-process-start",
    "lava-background-process-stop",
    "lava-install-packages",
    "lava-installed-packages",
    "lava-add-keys",
    "lava-add-sources",
];

/// Key and value pairs, flattened: `key`, NUL, `value`, NUL, …
///
/// Keys and values are UTF-8 without NUL; anything else in them (spaces, `>`, newlines) is data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairs<'a>(pub &'a str);

impl<'a> Pairs<'a> {
    /// Iterates over the pairs; a key without a value ends the iteration.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut fields = self.0.split_terminator('\0');
        core::iter::from_fn(move || Some((fields.next()?, fields.next()?)))
    }
}

/// What a helper sends to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet<'a> {
    /// The runner's number for the script that it was called from, which may have ended; 0 if it was called from none.
    pub run: u32,
    /// What it asks.
    #[serde(borrow)]
    pub call: Call<'a>,
}

/// One call of a helper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call<'a> {
    /// `lava-send ID [KEY=VALUE…]`: stores a message for the whole group.
    Send {
        /// Message id.
        id: &'a str,
        /// Its data.
        #[serde(borrow)]
        data: Pairs<'a>,
    },
    /// `lava-wait ID`: waits until any member has sent ID.
    Wait {
        /// Message id.
        id: &'a str,
    },
    /// `lava-wait-all ID [ROLE]`: waits until every member (of ROLE) has sent ID.
    WaitAll {
        /// Message id.
        id: &'a str,
        /// Restricts the wait to the members of one role.
        role: Option<&'a str>,
    },
    /// `lava-sync ID`: waits until every member of the group has called it.
    Sync {
        /// Barrier id.
        id: &'a str,
    },
    /// `lava-test-case ID --result R …`, or the end of `lava-test-case ID --shell …`.
    TestCase {
        /// Test case id; the runner reports an invalid one as a failed case.
        id: &'a str,
        /// Result as typed: `pass`, `fail`, `skip` or `unknown`.
        result: &'a str,
        /// Measurement as typed; checked by the runner.
        measurement: Option<&'a str>,
        /// Units of the measurement.
        units: Option<&'a str>,
    },
    /// `lava-test-set start NAME`.
    TestSetStart {
        /// Name of the set.
        name: &'a str,
    },
    /// `lava-test-set stop`.
    TestSetStop,
    /// `lava-test-reference ID --result R --reference URL`.
    TestReference {
        /// Test case id.
        id: &'a str,
        /// Result as typed.
        result: &'a str,
        /// The reference.
        url: &'a str,
    },
    /// `lava-test-raise MESSAGE`: ends the job with a test error.
    TestRaise {
        /// What is raised.
        message: &'a str,
    },
    /// `lava-test-event MESSAGE`.
    TestEvent {
        /// The event.
        message: &'a str,
    },
    /// `lava-group`, `lava-role list`: the members of the group.
    Group,
    /// A helper was called with wrong arguments; reported so that it cannot pass unseen.
    BadCall {
        /// The helper's name.
        helper: &'a str,
        /// What was wrong.
        problem: &'a str,
    },
    /// A helper could not do what it was asked; told so that the failure of the definition can name it.
    Failed {
        /// The helper's name.
        helper: &'a str,
        /// What it could not do.
        problem: &'a str,
    },
    /// `lava-step NUMBER …`: the script begins a step. The agent answers this itself.
    Step {
        /// Number of the step, as the script has it.
        step: u16,
        /// Seconds until the step is ended; 0 if it has no limit of its own.
        timeout_s: u32,
    },
    /// `lava-test-case ID --shell …` is about to run its command; no result yet.
    TestCaseStarted {
        /// Test case id, as in the [`TestCase`](Self::TestCase) that follows.
        id: &'a str,
    },
    /// `lava-test-feedback --namespace NAMESPACE`.
    TestFeedback {
        /// The namespace whose console is to be read.
        namespace: &'a str,
    },
}

/// The runner's answer to a [`Call`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply<'a> {
    /// Done; nothing to tell.
    Done,
    /// Messages that a wait was released with: lines `sender:key=value` as LAVA's cache file has them, each ended
    /// by NUL instead of a newline so that values may hold newlines.
    Messages {
        /// The lines.
        lines: &'a str,
        /// Whether another reply to the same call follows (they did not fit into one message).
        more: bool,
    },
    /// Members of the group: `name`, NUL, `role`, NUL, …
    Members {
        /// The members in group order; the caller is among them.
        #[serde(borrow)]
        members: Pairs<'a>,
        /// Whether another reply to the same call follows.
        more: bool,
    },
    /// Refused or failed: the helper prints `reason` and exits with 1.
    Refused {
        /// Why.
        reason: &'a str,
    },
}
