//! What is asked of a power switch, and what it does.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done to the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Power on.
    On,
    /// Power off.
    Off,
    /// Reset.
    Reset,
    /// Nothing: it is asked for.
    Status,
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "power on",
            Self::Off => "power off",
            Self::Reset => "reset",
            Self::Status => "power status",
        })
    }
}

/// What comes of a [`Switch`], which depends on what the bench file names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Power on.
    On,
    /// Power off.
    Off,
    /// A reset by what can do that by itself: a `reset` command, an outlet that restarts, a reset line, a person.
    Reset,
    /// Power off, a while, and on.
    Cycle,
}

impl Change {
    /// Once it is done: `fake1: on`.
    pub const fn done(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Reset => "reset",
            Self::Cycle => "switched off and on",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "power on",
            Self::Off => "power off",
            Self::Reset => "reset",
            Self::Cycle => "power off and on",
        })
    }
}
