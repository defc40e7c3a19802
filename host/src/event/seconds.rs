//! Durations as seconds with three decimals.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(round(*duration).as_secs_f64())
}

/// To the nearest millisecond.
pub(crate) fn round(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from((duration.as_micros() + 500) / 1000).unwrap_or(u64::MAX))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}
