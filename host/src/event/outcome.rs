//! How what was done ended.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{Class, Fault};

/// Result of a test case, LAVA's four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
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
            Some(fault) => Self::of_class(Some(fault.class)),
        }
    }

    /// The outcome that goes with the class of a fault.
    pub const fn of_class(class: Option<Class>) -> Self {
        match class {
            None => Self::Pass,
            Some(Class::Test) => Self::Fail,
            Some(Class::Cancelled) => Self::Cancelled,
            Some(Class::Job | Class::Usage | Class::Infrastructure | Class::Bench | Class::Bug) => {
                Self::Error
            }
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

impl TestResult {
    /// The result of that name, in letters of either case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pass, Self::Fail, Self::Skip, Self::Unknown]
            .into_iter()
            .find(|result| name.eq_ignore_ascii_case(result.name()))
    }

    /// Its name in LAVA.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for TestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
