//! Timeouts: LAVA's units and LAVA's precedence.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::Timeouts;

/// Time of anything whose time the job does not give, as in LAVA.
pub(crate) const DEFAULT: Duration = Duration::from_secs(30);

/// Longest time that can be written in one unit: ten years.
const MAX_SECONDS: u64 = 10 * 365 * 24 * 3600;

const UNITS: [(&str, u64); 4] = [("days", 24 * 3600), ("hours", 3600), ("minutes", 60), ("seconds", 1)];

/// `timeouts` of the job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobTimeouts {
    /// The whole job.
    pub(crate) job: Duration,
    action: Option<Duration>,
    connection: Option<Duration>,
    actions: BTreeMap<String, Duration>,
    connections: BTreeMap<String, Duration>,
}

impl JobTimeouts {
    /// Reads the top level's `timeouts`. What cannot be read is noted and bounds nothing, so that the rest of the
    /// file is checked all the same.
    pub(crate) fn read(reader: &mut Reader<'_>, top: &Fields<'_>) -> Self {
        let node = top.require(reader, "timeouts");
        let Some(fields) = node.and_then(|node| reader.fields(node, "timeouts")) else {
            return Self { job: Duration::MAX, ..Self::default() };
        };
        fields.accept(&["queue"]);
        let job = fields.require(reader, "job").and_then(|node| reader.duration(node, "job"));
        let mut bounded = |key: &'static str| {
            let node = fields.get(key)?;
            let duration = reader.duration(node, key)?;
            Some(bound(reader, node, key, duration, job))
        };
        let action = bounded("action");
        let connection = bounded("connection");
        let actions = named(reader, &fields, "actions", job);
        let connections = named(reader, &fields, "connections", job);
        fields.finish(reader);
        Self { job: job.unwrap_or(Duration::MAX), action, connection, actions, connections }
    }

    /// Time of a block that LAVA calls one of `names`, from its own `timeout` and `timeouts`.
    pub(crate) fn of_block(&self, reader: &mut Reader<'_>, block: &Fields<'_>, names: &[&str]) -> Timeouts {
        let own = block.get("timeout").and_then(|node| {
            let duration = reader.block_duration(node)?;
            Some(bound(reader, node, "timeout", duration, Some(self.job)))
        });
        let mut parts = self.actions.clone();
        parts.extend(named(reader, block, "timeouts", Some(self.job)));
        let by_name = names.iter().find_map(|name| parts.get(*name).copied());
        let total = by_name.or(own).or(self.action).unwrap_or(DEFAULT).min(self.job);
        for part in parts.values_mut() {
            *part = total.min(*part);
        }
        let connection = names.iter().find_map(|name| self.connections.get(*name).copied());
        let connection = connection.or(self.connection).unwrap_or(DEFAULT).min(total);
        Timeouts { total, connection, parts }
    }
}

impl Reader<'_> {
    /// A length of time: a mapping of units to whole numbers.
    pub(crate) fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        self.duration_with(node, what, &[])
    }

    /// A block's `timeout`, which may also say `skip`.
    fn block_duration(&mut self, node: &Node) -> Option<Duration> {
        self.duration_with(node, "timeout", &["skip"])
    }

    fn duration_with(&mut self, node: &Node, what: &str, ignored: &[&'static str]) -> Option<Duration> {
        if let Value::Integer(number) = node.value {
            let message = format!("`{what}` needs a unit");
            let help = format!("write `{what}: {{ seconds: {number} }}`");
            self.report(Diagnostic::error("invalid-timeout", node.span, message).with_help(help));
            return None;
        }
        let fields = self.fields(node, what)?;
        let mut total = Duration::ZERO;
        let mut complete = true;
        for (unit, seconds) in UNITS {
            let Some(value) = fields.get(unit) else { continue };
            match value.value {
                Value::Integer(number) if number >= 1 => {
                    let number = u64::try_from(number).unwrap_or(MAX_SECONDS);
                    total += Duration::from_secs(number.saturating_mul(seconds).min(MAX_SECONDS));
                }
                _ => {
                    let message = format!("`{unit}` must be a whole number from 1");
                    self.report(Diagnostic::error("invalid-timeout", value.span, message));
                    complete = false;
                }
            }
        }
        fields.ignore(self, ignored);
        if fields.rest().next().is_some() {
            fields.finish(self);
            return None;
        }
        if complete && total.is_zero() {
            let message = format!("`{what}` names no time");
            let help = "write `days`, `hours`, `minutes` or `seconds`";
            self.report(Diagnostic::error("invalid-timeout", fields.span, message).with_help(help));
        }
        (complete && !total.is_zero()).then_some(total)
    }
}

/// Reads a mapping of names to lengths of time.
fn named(
    reader: &mut Reader<'_>,
    parent: &Fields<'_>,
    key: &'static str,
    job: Option<Duration>,
) -> BTreeMap<String, Duration> {
    let mut durations = BTreeMap::new();
    let Some(fields) = parent.get(key).and_then(|node| reader.fields(node, key)) else { return durations };
    for (name, node) in fields.rest() {
        if let Some(duration) = reader.duration(node, name) {
            durations.insert(name.to_owned(), bound(reader, node, name, duration, job));
        }
    }
    durations
}

/// `duration`, or the job's where that is shorter, with a warning.
fn bound(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    duration: Duration,
    job: Option<Duration>,
) -> Duration {
    match job {
        Some(job) if duration > job => {
            let message = format!(
                "`{what}` ({} s) is longer than the whole job may take ({} s), which bounds it",
                duration.as_secs(),
                job.as_secs()
            );
            reader.report(Diagnostic::warning("timeout-exceeds-job", node.span, message));
            job
        }
        _ => duration,
    }
}
