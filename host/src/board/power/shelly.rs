//! A relay of Shelly's, by its web requests.
//!
//! | generation | order | state |
//! |---|---|---|
//! | 1 | `/relay/0?turn=on` | `ison` of `/relay/0` |
//! | 2 and later | `/rpc/Switch.Set?id=0&on=true` | `output` of `/rpc/Switch.GetStatus?id=0` |
//!
//! `/shelly`, which needs no password, tells which: `gen` is there from the second on.
//!
//! Source: Shelly's API documentation, "Gen1: Common HTTP API" and "Gen2: Switch".

use std::fmt;

use super::http::HttpDevice;
use super::{PowerErrorKind, Time};

/// A relay of a Shelly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelly {
    /// The device.
    pub device: HttpDevice,
    /// The relay, from 0.
    pub relay: u32,
}

/// How a device is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generation {
    First,
    /// And all later ones.
    Second,
}

impl fmt::Display for Shelly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by Shelly ({}, relay {})", self.device.address(), self.relay)
    }
}

impl Shelly {
    /// Switches the relay.
    pub(super) async fn set(&self, on: bool, time: &Time) -> Result<(), PowerErrorKind> {
        let relay = self.relay;
        let path = match self.generation(time).await? {
            Generation::First => format!("/relay/{relay}?turn={}", if on { "on" } else { "off" }),
            Generation::Second => format!("/rpc/Switch.Set?id={relay}&on={on}"),
        };
        let answer = self.device.object(&path, Vec::new(), time).await?;
        // What it says of itself is asked for afterwards.
        if answer.value.is_object() { Ok(()) } else { Err(answer.refused("a JSON object")) }
    }

    /// Whether the relay is on.
    pub(super) async fn is_on(&self, time: &Time) -> Result<bool, PowerErrorKind> {
        let relay = self.relay;
        let (path, key) = match self.generation(time).await? {
            Generation::First => (format!("/relay/{relay}"), "ison"),
            Generation::Second => (format!("/rpc/Switch.GetStatus?id={relay}"), "output"),
        };
        let answer = self.device.object(&path, Vec::new(), time).await?;
        let is_on = answer.value.get(key).and_then(serde_json::Value::as_bool);
        is_on.ok_or_else(|| answer.refused(format!("the state of relay {relay}, `{key}`")))
    }

    async fn generation(&self, time: &Time) -> Result<Generation, PowerErrorKind> {
        let answer = self.device.object("/shelly", Vec::new(), time).await?;
        let is_first = answer.value.get("type").is_some();
        match answer.value.get("gen").and_then(serde_json::Value::as_u64) {
            Some(2..) => Ok(Generation::Second),
            None if is_first => Ok(Generation::First),
            _ => Err(answer.refused("what a Shelly says of itself")),
        }
    }
}
