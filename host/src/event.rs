//! The stream of events: the only thing that the runner and its reports share.
//!
//! Events are owned and serialisable. The runner emits them; terminal, `run.jsonl`, `results.json`, JUnit and the
//! console logs are readers; `host-runner replay` feeds a stored run to the same readers.

mod bytes;
mod outcome;
pub(crate) mod seconds;

use std::fmt;
use std::time::Duration;

pub use bytes::Bytes;
pub use outcome::{Outcome, TestResult};
pub use protocol::agent_to_host::Usage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dialog::ComplaintKind;
use crate::fault::Fault;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Number of the event in its run, from 0.
    pub seq: u64,
    /// When it happened, by the bench PC's clock.
    pub at: jiff::Timestamp,
    /// Time since the run started, in seconds.
    #[serde(rename = "elapsed_s", with = "seconds")]
    #[schemars(with = "f64")]
    pub elapsed: Duration,
    /// The node that it concerns; `None` for the run as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. Past tense throughout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// First event of a run.
    RunStarted {
        /// The job's `job_name`.
        job: String,
        /// host-runner's version.
        version: String,
        /// The nodes, in the order of the job's roles.
        nodes: Vec<Node>,
    },
    /// The job file that the run is of, behind its start.
    JobRead {
        /// Its path as it was given, or `standard input`.
        file: String,
        /// All of its text, but for the values of its `secrets`; at most 1 MiB.
        text: String,
    },
    /// A node began a phase; phases of one node do not overlap.
    PhaseStarted {
        /// Name such as `deploy-tftp`.
        phase: String,
        /// When the phase's time is over, in seconds from its start.
        #[serde(rename = "timeout_s", with = "seconds")]
        #[schemars(with = "f64")]
        timeout: Duration,
        /// What sets that time, such as `` `timeouts.job`, job.yaml:5:3 ``; `None` in runs of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<String>,
        /// Where the job asks for it, `file:line:column`; `None` for what the runner does by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<String>,
    },
    /// A node ended a phase.
    PhaseFinished {
        /// Name as in `PhaseStarted`.
        phase: String,
        /// How long it took.
        #[serde(rename = "seconds", with = "seconds")]
        #[schemars(with = "f64")]
        took: Duration,
        /// How it ended.
        outcome: Outcome,
    },
    /// A phase failed and is tried again: what it has reported does not count.
    AttemptFailed {
        /// Name as in `PhaseStarted`.
        phase: String,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// How many there are at most.
        of: u32,
        /// Why it failed.
        reason: String,
    },
    /// Something worth a line: "served zImage by TFTP", "host key checked".
    Note {
        /// One line.
        text: String,
    },
    /// Something that did not stop the run but should be looked at.
    Warning {
        /// One line.
        text: String,
    },
    /// A long transfer went on.
    Progress {
        /// What is transferred, such as `tftp zImage`.
        what: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// Bytes crossed a console.
    Console {
        /// Which way.
        direction: Direction,
        /// The bytes, as they were.
        #[serde(flatten)]
        data: Bytes,
    },
    /// A test definition began.
    DefinitionStarted {
        /// Its name, such as `0_ssh-inline`.
        definition: String,
        /// `file:line:column` of its action, where that has no phase: the node did not come to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<String>,
    },
    /// A script of a definition began a step.
    StepStarted {
        /// The definition.
        definition: String,
        /// The step.
        step: StepId,
        /// What the shell is given.
        command: String,
    },
    /// A script of a definition printed something.
    Output {
        /// The definition.
        definition: String,
        /// The step that it was in; `None` before its first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        /// The bytes, as they were.
        #[serde(flatten)]
        data: Bytes,
    },
    /// A result was reported.
    TestCase(TestCase),
    /// A test set began (`Some`) or ended (`None`).
    TestSet {
        /// The definition.
        definition: String,
        /// Name of the set.
        set: Option<String>,
    },
    /// The kernel complained on the console.
    Kernel {
        /// What about.
        complaint: ComplaintKind,
        /// Its line.
        text: String,
        /// The definition that ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        definition: Option<String>,
        /// The step that it was in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        /// The test case that ran, as far as it was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<String>,
    },
    /// A script of a definition ended.
    ScriptFinished {
        /// The definition.
        definition: String,
        /// The script.
        script: ScriptKind,
        /// How it ended, in words: `exit code 0`, `signal 11`, `time-out`, `time-out of a step`, `stopped`.
        status: String,
        /// How long it took.
        #[serde(rename = "seconds", with = "seconds")]
        #[schemars(with = "f64")]
        took: Duration,
        /// What it used, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<UsageSchema>")]
        usage: Option<Usage>,
    },
    /// A test definition ended.
    DefinitionFinished {
        /// Its name.
        definition: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        #[serde(rename = "seconds", with = "seconds")]
        #[schemars(with = "f64")]
        took: Duration,
        /// Why it did not pass, one line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A node asked something of the group, or was answered.
    Group {
        /// One line such as `lava-send ipv4 ipaddr=10.0.0.2`.
        text: String,
    },
    /// A node ended.
    NodeFinished {
        /// How it ended.
        outcome: Outcome,
        /// Why, if it did not pass.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
    },
    /// Last event of a run.
    RunFinished {
        /// How it ended.
        outcome: Outcome,
        /// The fault that decided it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
    },
}

impl EventKind {
    /// The same with its durations in whole milliseconds, as they are stored: a stored event and the one that was
    /// reported live are equal.
    #[must_use]
    pub fn rounded(mut self) -> Self {
        match &mut self {
            Self::PhaseStarted { timeout: duration, .. }
            | Self::PhaseFinished { took: duration, .. }
            | Self::ScriptFinished { took: duration, .. }
            | Self::DefinitionFinished { took: duration, .. } => *duration = seconds::round(*duration),
            _ => (),
        }
        self
    }
}

/// [`Usage`] for schemas: its crate is for boards, and knows none.
#[derive(JsonSchema)]
#[schemars(rename = "Usage")]
#[expect(dead_code, reason = "its schema is all that is used of it")]
pub(crate) struct UsageSchema {
    /// Processor time in user mode, in milliseconds.
    user_ms: u32,
    /// Processor time in the kernel, in milliseconds.
    system_ms: u32,
    /// Largest resident memory of any process, in KiB.
    max_rss_kib: u32,
}

/// A node of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// Unique name: the role, or role and number (`guest-1`) where `count` is more than one.
    pub name: String,
    /// Its role.
    pub role: String,
    /// The board that it runs on, or for a secondary connection the node it connects to.
    pub board: String,
    /// The phases that it is to go through, in order; it ends earlier if one of them fails. Empty in runs of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<String>,
}

/// A script of a test definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScriptKind {
    /// What is installed before the run.
    Install,
    /// The run itself.
    Run,
}

/// A step of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct StepId {
    /// The script.
    pub script: ScriptKind,
    /// Its number in the script, from 1. Steps of the definition that are one command together have one.
    pub number: u16,
}

/// One reported result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestCase {
    /// The definition that reported it.
    pub definition: String,
    /// Test case id.
    pub case: String,
    /// The result.
    pub result: TestResult,
    /// The test set that was open.
    #[serde(default)]
    pub set: Option<String>,
    /// The measured value.
    #[serde(default)]
    pub measurement: Option<f64>,
    /// Units of the measurement.
    #[serde(default)]
    pub units: Option<String>,
    /// `lava-test-reference`'s URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Why a malformed report was turned into a failure, or a word about the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl TestCase {
    /// The case's name behind that of the set that was open: `disk.write`.
    pub fn full_name(&self) -> String {
        self.set.as_ref().map_or_else(|| self.case.clone(), |set| format!("{set}.{}", self.case))
    }
}

impl fmt::Display for ScriptKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Install => "install",
            Self::Run => "run",
        })
    }
}

/// Direction on a console, from the runner's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the board.
    Rx,
    /// To the board.
    Tx,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_the_same_after_it_was_stored() {
        let kinds = [
            EventKind::PhaseFinished {
                phase: "boot-u-boot".to_owned(),
                took: Duration::from_micros(1_234_567),
                outcome: Outcome::Pass,
            },
            EventKind::Console { direction: Direction::Rx, data: Bytes(b"=> \xff\x1e".to_vec()) },
            EventKind::Console { direction: Direction::Tx, data: Bytes(b"boot\n".to_vec()) },
            EventKind::TestCase(TestCase {
                definition: "0_smoke".to_owned(),
                case: "speed".to_owned(),
                result: TestResult::Pass,
                set: None,
                measurement: Some(0.1),
                units: Some("MB/s".to_owned()),
                reference: None,
                comment: None,
            }),
        ];
        for kind in kinds {
            let event = Event {
                seq: 7,
                at: jiff::Timestamp::from_millisecond(1_700_000_000_123).unwrap(),
                elapsed: Duration::from_millis(98_765),
                node: Some("host".to_owned()),
                kind: kind.rounded(),
            };
            let stored = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&stored).unwrap(), event, "{stored}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_measurement_is_the_same_number_after_it_was_stored(value in proptest::num::f64::NORMAL) {
            let stored = serde_json::to_string(&value).unwrap();
            proptest::prop_assert_eq!(serde_json::from_str::<f64>(&stored).unwrap(), value);
        }
    }
}
