//! A relay with the firmware Tasmota, by its web requests.
//!
//! Source: Tasmota's documentation, "Commands", "With web requests": `/cm?cmnd=Power1%20On`, answered by `{"POWER1":"ON"}`, or by
//! `{"POWER":"ON"}` where there is one relay.

use std::fmt;

use super::http::{HttpDevice, Object, Query};
use super::{PowerErrorKind, Time};

/// A relay of a device with Tasmota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tasmota {
    /// The device.
    pub device: HttpDevice,
    /// The relay, from 1.
    pub relay: u32,
}

impl fmt::Display for Tasmota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by Tasmota ({}, relay {})", self.device.address(), self.relay)
    }
}

impl Tasmota {
    /// Switches the relay.
    pub(super) async fn set(&self, on: bool, time: &Time) -> Result<(), PowerErrorKind> {
        let order = if on { "ON" } else { "OFF" };
        self.command(format!("Power{} {order}", self.relay), time).await.map(drop)
    }

    /// Whether the relay is on.
    pub(super) async fn is_on(&self, time: &Time) -> Result<bool, PowerErrorKind> {
        self.command(format!("Power{}", self.relay), time).await
    }

    /// Gives a command about the relay; its state after it.
    async fn command(&self, command: String, time: &Time) -> Result<bool, PowerErrorKind> {
        let mut query: Query = Vec::new();
        if let Some(password) = &self.device.password {
            query.push(("user", self.device.user.clone()));
            query.push(("password", password.reveal()?));
        }
        query.push(("cmnd", command));
        let answer = self.device.object("/cm", query, time).await?;
        match self.state(&answer) {
            Some(is_on) => Ok(is_on),
            // `Need user=<username>&password=<password>`
            None if answer.value.get("WARNING").is_some() => {
                Err(answer.wants_password(self.device.password.is_some()))
            }
            None => Err(answer.refused(format!("the state of relay {}", self.relay))),
        }
    }

    fn state(&self, answer: &Object) -> Option<bool> {
        let state = answer.value.get(format!("POWER{}", self.relay));
        let alone = || answer.value.get("POWER").filter(|_| self.relay == 1);
        match state.or_else(alone)?.as_str()? {
            "ON" => Some(true),
            "OFF" => Some(false),
            _ => None,
        }
    }
}
