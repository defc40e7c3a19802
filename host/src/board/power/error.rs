//! Why a board's power was not switched.

use std::time::Duration;

use super::ask::AskError;
use super::gpio::GpioError;
use super::http::HttpError;
use super::snmp::SnmpError;
use super::{Switch, uhubctl};
use crate::board::TokenError;
use crate::fault::Class;
use crate::program::ProgramError;

/// A switch that did not do its work.
#[derive(Debug, thiserror::Error)]
#[error("{switch} {by} did not work")]
pub struct PowerError {
    /// What it was to do.
    pub switch: Switch,
    /// What was to do it, such as ``command `relay 3 off` `` or `by SNMP (pdu:161)`.
    pub by: String,
    /// What went wrong.
    #[source]
    pub kind: Box<PowerErrorKind>,
    /// Whether the time for it is over.
    pub is_late: bool,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum PowerErrorKind {
    /// With a program.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// With SNMP.
    #[error(transparent)]
    Snmp(#[from] SnmpError),
    /// With HTTP.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// With a line of this PC.
    #[error(transparent)]
    Gpio(#[from] GpioError),
    /// With the person.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// A password or community cannot be had.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It took the order and is not as it was told to be.
    #[error("it took the order, but {} s later it says that it is still {}", after.as_secs_f64(), if *wanted { "off" } else { "on" })]
    Disobeyed {
        /// Whether it was to be on.
        wanted: bool,
        /// How long it was asked.
        after: Duration,
    },
    /// It took the order to restart, and did not.
    #[error("it took the order to restart, but in {} s it was never off", after.as_secs_f64())]
    NeverOff {
        /// How long it was asked.
        after: Duration,
    },
    /// It has restarted by half.
    #[error("it took the order to restart, but {} s later it is still off", after.as_secs_f64())]
    StaysOff {
        /// How long it was asked.
        after: Duration,
    },
}

impl PowerError {
    /// Whose fault it is: what the bench file names wrongly is its own, what fails is the bench's hardware.
    pub fn class(&self) -> Class {
        let is_benchs = match &*self.kind {
            PowerErrorKind::Program(error) => error.is_missing(),
            PowerErrorKind::Snmp(error) => error.is_benchs(),
            PowerErrorKind::Http(error) => error.is_benchs(),
            PowerErrorKind::Gpio(error) => error.is_benchs(),
            PowerErrorKind::Ask(error) => error.is_benchs(),
            PowerErrorKind::Token(_) => true,
            PowerErrorKind::Disobeyed { .. }
            | PowerErrorKind::NeverOff { .. }
            | PowerErrorKind::StaysOff { .. } => false,
        };
        if is_benchs { Class::Bench } else { Class::Infrastructure }
    }

    /// Whether it took the order, and its state is another one.
    pub fn is_disobeyed(&self) -> bool {
        matches!(
            *self.kind,
            PowerErrorKind::Disobeyed { .. }
                | PowerErrorKind::NeverOff { .. }
                | PowerErrorKind::StaysOff { .. }
        )
    }

    /// What to do about it, if that can be said.
    pub fn help(&self) -> Option<String> {
        match &*self.kind {
            PowerErrorKind::Program(error) => uhubctl::help(&self.by, error),
            PowerErrorKind::Snmp(error) => error.help(),
            PowerErrorKind::Http(error) => error.help(),
            PowerErrorKind::Gpio(error) => error.help(),
            PowerErrorKind::Ask(error) => error.help(),
            _ => None,
        }
    }
}
