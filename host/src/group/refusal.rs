//! Why a request is refused, in words for the test's author.

use std::fmt;

use super::Request;
use crate::event::Outcome;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No member has the role.
    #[error("no member of the group has role `{role}`; there are {}", known.join(", "))]
    UnknownRole {
        /// The role asked for.
        role: String,
        /// The roles of the group.
        known: Vec<String>,
    },
    /// A member that is waited for has ended.
    #[error("{waiter}, but `{ended}` ended ({}) {}", outcome(*how), if waiter.is_sync() { "before it got there" } else { "without sending it" })]
    Hopeless {
        /// Who waits for what.
        waiter: Waiter,
        /// The member that is missing.
        ended: String,
        /// How it ended.
        how: Outcome,
    },
    /// Every member that has not ended waits.
    #[error("deadlock: {}{}", sentences(waiters), endings(ended))]
    Deadlock {
        /// Everyone who waits, and for what.
        waiters: Vec<Waiter>,
        /// Those who have ended, and how: one of them may be who would have sent it.
        ended: Vec<(String, Outcome)>,
    },
    /// The caller itself has ended.
    #[error("the member has ended")]
    CallerEnded,
    /// There is no such member.
    #[error("the group has no member number {0}")]
    NoSuchMember(usize),
    /// The member has an open call of this number.
    #[error("call {0} is open already")]
    DuplicateCall(u64),
    /// The member has too many open calls.
    #[error("more than {0} calls at a time")]
    TooManyCalls(usize),
    /// The group keeps too many messages.
    #[error("the group cannot keep more than {0} messages")]
    TooManyMessages(usize),
    /// The id is empty.
    #[error("the message id is empty")]
    EmptyId,
    /// Something is too long.
    #[error("a {what} of {bytes} bytes is too long (limit {limit})")]
    TooLong {
        /// What.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

/// Who waits for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Name of the member.
    pub member: String,
    /// Its request.
    pub request: Request,
}

impl Waiter {
    const fn is_sync(&self) -> bool {
        matches!(self.request, Request::Sync { .. })
    }
}

impl fmt::Display for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let member = &self.member;
        match &self.request {
            Request::Send { id, .. } => write!(f, "`{member}` sends `{id}`"),
            Request::Wait { id } => write!(f, "`{member}` waits for `{id}`"),
            Request::WaitAll { id, role: None } => write!(f, "`{member}` waits for `{id}` of every member"),
            Request::WaitAll { id, role: Some(role) } => {
                write!(f, "`{member}` waits for `{id}` of role `{role}`")
            }
            Request::Sync { id } => write!(f, "`{member}` waits for every member at `{id}`"),
        }
    }
}

const fn outcome(how: Outcome) -> &'static str {
    match how {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Error => "error",
        Outcome::Cancelled => "cancelled",
    }
}

/// Most members whose ends are told.
const MAX_ENDED: usize = 8;

fn endings(ended: &[(String, Outcome)]) -> String {
    let told: Vec<_> = ended
        .iter()
        .take(MAX_ENDED)
        .map(|(name, how)| format!("`{name}` has ended ({})", outcome(*how)))
        .collect();
    match (told.is_empty(), ended.len().saturating_sub(MAX_ENDED)) {
        (true, _) => String::new(),
        (false, 0) => format!("; {}", told.join(", ")),
        (false, more) => format!("; {} and {more} more", told.join(", ")),
    }
}

fn sentences(waiters: &[Waiter]) -> String {
    waiters.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
