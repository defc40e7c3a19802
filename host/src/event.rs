//! The stream of events: the only thing that the runner and its reports share.
//!
//! Events are owned and serialisable. The runner emits them; terminal, `run.jsonl`, `results.json`, JUnit and the
//! console logs are readers; `host-runner replay` feeds a stored run to the same readers.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault::{Class, Fault};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Number of the event in its run, from 0.
    pub seq: u64,
    /// When it happened, by the bench PC's clock.
    pub at: jiff::Timestamp,
    /// Time since the run started, in seconds.
    #[serde(rename = "elapsed_s", with = "seconds")]
    pub elapsed: Duration,
    /// The node that it concerns; `None` for the run as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. Past tense throughout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// A node began a phase; phases of one node do not overlap.
    PhaseStarted {
        /// Name such as `deploy-tftp`.
        phase: String,
        /// When the phase's time is over, in seconds from its start.
        #[serde(rename = "timeout_s", with = "seconds")]
        timeout: Duration,
    },
    /// A node ended a phase.
    PhaseFinished {
        /// Name as in `PhaseStarted`.
        phase: String,
        /// How long it took.
        #[serde(rename = "seconds", with = "seconds")]
        took: Duration,
        /// How it ended.
        outcome: Outcome,
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
    },
    /// A script of a definition printed something.
    Output {
        /// The definition.
        definition: String,
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
    /// A test definition ended.
    DefinitionFinished {
        /// Its name.
        definition: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        #[serde(rename = "seconds", with = "seconds")]
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

/// A node of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Unique name: the role, or role and number (`guest-1`) where `count` is more than one.
    pub name: String,
    /// Its role.
    pub role: String,
    /// The board that it runs on, or for a secondary connection the node it connects to.
    pub board: String,
}

/// One reported result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// Result of a test case, LAVA's four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestResult {
    /// Passed.
    Pass,
    /// Failed.
    Fail,
    /// Not run, on purpose.
    Skip,
    /// Ran without a verdict.
    Unknown,
}

/// How a phase, definition, node or run ended, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should.
    Pass,
    /// A test failed, or a definition did not run to its end.
    Fail,
    /// It could not be done: job, infrastructure, bench or our own fault.
    Error,
    /// The user stopped it.
    Cancelled,
}

impl Outcome {
    /// The outcome that goes with a fault.
    pub const fn of(fault: Option<&Fault>) -> Self {
        match fault {
            None => Self::Pass,
            Some(fault) => match fault.class {
                Class::Test => Self::Fail,
                Class::Cancelled => Self::Cancelled,
                Class::Job | Class::Infrastructure | Class::Bench | Class::Bug => Self::Error,
            },
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        })
    }
}

impl fmt::Display for TestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Unknown => "unknown",
        })
    }
}

/// Direction on a console, from the runner's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the board.
    Rx,
    /// To the board.
    Tx,
}

/// Bytes that are kept exactly: `"text"` where they are UTF-8, `"base64"` where not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EncodedBytes {
    Text(String),
    Base64(String),
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => EncodedBytes::Text(text.to_owned()),
            Err(_) => EncodedBytes::Base64(BASE64.encode(&self.0)),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match EncodedBytes::deserialize(deserializer)? {
            EncodedBytes::Text(text) => Ok(Self(text.into_bytes())),
            EncodedBytes::Base64(text) => BASE64.decode(text).map(Self).map_err(serde::de::Error::custom),
        }
    }
}

/// Durations as seconds, to the nanosecond: a stored event is the event that the terminal showed.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}
