//! Timeouts: LAVA's units and LAVA's precedence.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::Timeouts;
use crate::job::part::{self, Effect, Owner, Part};
use crate::limit::Limit;

/// Time of anything whose time the job does not give, as in LAVA.
const DEFAULT: Duration = Duration::from_secs(30);

/// Longest time that can be written in one unit: ten years.
pub(crate) const MAX_SECONDS: u32 = 10 * 365 * 24 * 3600;

/// What people write for the units as well.
const SHORT: [(&str, &str); 14] = [
    ("d", "days"),
    ("day", "days"),
    ("h", "hours"),
    ("hour", "hours"),
    ("hr", "hours"),
    ("hrs", "hours"),
    ("m", "minutes"),
    ("min", "minutes"),
    ("mins", "minutes"),
    ("minute", "minutes"),
    ("s", "seconds"),
    ("sec", "seconds"),
    ("secs", "seconds"),
    ("second", "seconds"),
];

const UNITS: [(&str, u64); 4] = [("days", 24 * 3600), ("hours", 3600), ("minutes", 60), ("seconds", 1)];

/// LAVA's limit of what the job gives no time.
pub(crate) fn default_limit() -> Limit {
    Limit::new(DEFAULT, "LAVA's default, as the job names no time")
}

/// `timeouts` of the job.
#[derive(Clone, Debug)]
pub(crate) struct JobTimeouts {
    /// The whole job.
    pub(crate) job: Limit,
    action: Option<Limit>,
    connection: Option<Limit>,
    actions: Vec<Named>,
    connections: Vec<Named>,
}

/// The limit of a part, by one of its names.
#[derive(Clone, Debug)]
struct Named {
    part: Part,
    owners: &'static [Owner],
    limit: Limit,
}

/// The two mappings of names to lengths of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Actions,
    Connections,
}

impl JobTimeouts {
    /// Reads the top level's `timeouts`. What cannot be read is noted and bounds nothing, so that the rest of the
    /// file is checked all the same.
    pub(crate) fn read(reader: &mut Reader<'_>, top: &Fields<'_>) -> Self {
        let node = top.require(reader, "timeouts");
        let Some(fields) = node.and_then(|node| reader.fields(node, "timeouts")) else {
            let job = Limit::new(Duration::MAX, "no limit");
            return Self {
                job,
                action: None,
                connection: None,
                actions: Vec::new(),
                connections: Vec::new(),
            };
        };
        fields.accept(&["queue"]);
        let job = fields.require(reader, "job").and_then(|node| {
            let origin = origin(reader, "timeouts.job", &fields, "job");
            Some(Limit::new(reader.duration(node, "job")?, origin))
        });
        let job = job.unwrap_or_else(|| Limit::new(Duration::MAX, "no limit"));
        let mut bounded = |key: &'static str| {
            let node = fields.get(key)?;
            let origin = origin(reader, &format!("timeouts.{key}"), &fields, key);
            let limit = Limit::new(reader.duration(node, key)?, origin);
            Some(bound(reader, node, key, limit, &job))
        };
        let action = bounded("action");
        let connection = bounded("connection");
        let actions = named(reader, &fields, "actions", Table::Actions, &job);
        let connections = named(reader, &fields, "connections", Table::Connections, &job);
        fields.finish_near(reader);
        Self { job, action, connection, actions, connections }
    }

    /// Time of switching a board off, if the job names it.
    pub(crate) fn power_off(&self) -> Option<Limit> {
        shortest(&self.actions, Owner::End).remove(&Part::PowerOff)
    }

    /// Time of a block and of its parts, from its own `timeout` and `timeouts` and the job's.
    pub(crate) fn of_block(&self, reader: &mut Reader<'_>, block: &Fields<'_>, owner: Owner) -> Timeouts {
        let own = block.get("timeout").and_then(|node| {
            let origin = origin(reader, &format!("timeout` of `{}", block.what), block, "timeout");
            let limit = Limit::new(reader.block_duration(node)?, origin);
            Some(bound(reader, node, "timeout", limit, &self.job))
        });
        let mut parts = shortest(&self.actions, owner);
        let block_named = named(reader, block, "timeouts", Table::Actions, &self.job);
        parts.extend(shortest(&block_named, owner));
        warn_strangers(reader, block, owner);
        let whole = parts.remove(&owner.whole()).or(own).or(self.action.clone());
        let mut total = whole.unwrap_or_else(default_limit).shorter(&self.job);
        // The definitions are all that the block has.
        if let Some(shell) = parts.remove(&Part::TestShell) {
            total = total.shorter(&shell);
        }
        let answers = shortest(&self.connections, owner);
        let connection = self.connection.clone().unwrap_or_else(default_limit).shorter(&total);
        Timeouts { total, connection, parts, answers, skip: skip(reader, block, owner) }
    }
}

/// `timeout: skip`: in LAVA, tests only ask for it.
fn skip(reader: &mut Reader<'_>, block: &Fields<'_>, owner: Owner) -> bool {
    // What is no mapping was told of when its time was read.
    let node = block.get("timeout").filter(|node| matches!(node.value, Value::Mapping(_)));
    let Some(fields) = node.and_then(|node| reader.fields(node, "timeout")) else { return false };
    let Some(skip) = fields.get("skip").and_then(|node| reader.boolean(node, "skip")) else { return false };
    if skip && !owner.is_test() {
        let span = fields.key_span("skip").unwrap_or(fields.span);
        let message = format!("`skip` has no effect in {}: only tests can be skipped", owner.name());
        reader.report(Diagnostic::warning(Code::IgnoredKey, span, message));
    }
    skip && owner.is_test()
}

/// The `timeout` of a definition, of its run or of a step, which are extensions of LAVA's language.
pub(super) fn own(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Limit> {
    let node = fields.get("timeout")?;
    let origin = origin(reader, &format!("timeout` of `{}", fields.what), fields, "timeout");
    Some(Limit::new(reader.duration(node, "timeout")?, origin))
}

/// Where a limit is written: `` `timeouts.job`, job.yaml:4:3 ``.
fn origin(reader: &Reader<'_>, path: &str, fields: &Fields<'_>, key: &str) -> String {
    format!("`{path}`, {}", reader.place(fields.key_span(key).unwrap_or(fields.span)))
}

/// The limits of the parts of `owner`; of several names of one part, the shortest counts.
fn shortest(named: &[Named], owner: Owner) -> BTreeMap<Part, Limit> {
    let mut limits: BTreeMap<Part, Limit> = BTreeMap::new();
    for Named { part, limit, .. } in named.iter().filter(|named| named.owners.contains(&owner)) {
        let shorter = limits.remove(part).map_or_else(|| limit.clone(), |other| other.shorter(limit));
        limits.insert(*part, shorter);
    }
    limits
}

/// Notes the names in a block's `timeouts` that belong to other blocks.
fn warn_strangers(reader: &mut Reader<'_>, block: &Fields<'_>, owner: Owner) {
    let Some(fields) = block.get("timeouts").and_then(|node| reader.fields(node, "timeouts")) else { return };
    for (name, _) in fields.rest() {
        let Some(Effect::Bounds { owners, .. }) = part::effect(name) else { continue };
        if !owners.contains(&owner) {
            let owners: Vec<_> = owners.iter().map(|owner| owner.name()).collect();
            let message = format!("the time of `{name}` has no effect in {}", owner.name());
            let help = format!(
                "it is a part of {}; name it there or in the job's `timeouts: actions`",
                owners.join(" and of ")
            );
            let span = fields.key_span(name).unwrap_or(fields.span);
            reader.report(Diagnostic::warning(Code::IgnoredTimeout, span, message).with_help(help));
        }
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

    /// LAVA adds the units up where its schema lets them through, and refuses them where it does not.
    fn check_units(&mut self, fields: &Fields<'_>, what: &str) {
        let mut units = UNITS.iter().filter_map(|(unit, _)| fields.key_span(unit));
        if let (Some(first), Some(second)) = (units.next(), units.next()) {
            let message = format!("`{what}` has two units: they are added up here, and LAVA refuses them");
            let problem =
                Diagnostic::warning(Code::TwoUnits, second, message).with_label(first, "the other one");
            self.report(problem.with_help("write the whole time in one unit"));
        }
    }

    /// What to write for a number of a `unit` of so many `seconds` that is in quotes, or none that is whole, as in
    /// `minutes: 1.5`.
    fn whole_number(&self, value: &Node, unit: &str, seconds: u64) -> Option<String> {
        let text = value.text(self.source)?;
        if let Ok(number @ 1..) = text.parse::<u32>() {
            return Some(format!("write `{unit}: {number}`, without quotes"));
        }
        let whole = text.parse::<f64>().ok()? * seconds as f64;
        let is_whole = whole.fract() == 0.0 && whole >= 1.0 && whole <= f64::from(MAX_SECONDS);
        is_whole.then(|| format!("{text} {unit} are {whole:.0} seconds: write `seconds: {whole:.0}`"))
    }

    fn duration_with(&mut self, node: &Node, what: &str, others: &[&'static str]) -> Option<Duration> {
        if let Value::Integer(number) = node.value {
            let message = format!("`{what}` needs a unit");
            let help = format!("write `{what}: {{ seconds: {number} }}`");
            self.report(Diagnostic::error(Code::InvalidTimeout, node.span, message).with_help(help));
            return None;
        }
        if let Value::Text(text) = &node.value
            && let Some(help) = time_in_words(what, text)
        {
            let message = format!("`{what}` must be a mapping of a unit to a number");
            self.report(Diagnostic::error(Code::InvalidTimeout, node.span, message).with_help(help));
            return None;
        }
        let fields = self.fields(node, what)?;
        let mut total = Duration::ZERO;
        let mut complete = true;
        for (unit, seconds) in UNITS {
            let Some(value) = fields.get(unit) else { continue };
            match value.value {
                Value::Integer(number) if number >= 1 => {
                    self.check_reading(value, unit);
                    let number = u64::try_from(number).unwrap_or(u64::MAX);
                    total += Duration::from_secs(number.saturating_mul(seconds).min(MAX_SECONDS.into()));
                }
                _ => {
                    let message = format!("`{unit}` must be a whole number from 1");
                    let problem = Diagnostic::error(Code::InvalidTimeout, value.span, message);
                    self.report(problem.with_optional_help(self.whole_number(value, unit, seconds)));
                    complete = false;
                }
            }
        }
        fields.accept(others);
        for (name, _) in fields.rest() {
            let Some(unit) = unit(name) else { continue };
            let span = fields.key_span(name).unwrap_or(fields.span);
            let message = format!("`{what}` has no unit `{name}`");
            let problem = Diagnostic::error(Code::InvalidTimeout, span, message);
            self.report(problem.with_help(format!("did you mean `{unit}`?")));
            fields.know(name);
            complete = false;
        }
        self.check_units(&fields, what);
        if fields.rest().next().is_some() {
            fields.finish(self);
            return None;
        }
        if complete && total.is_zero() {
            let message = format!("`{what}` names no time");
            let help = "write `days`, `hours`, `minutes` or `seconds`";
            self.report(Diagnostic::error(Code::InvalidTimeout, fields.span, message).with_help(help));
        }
        (complete && !total.is_zero()).then_some(total)
    }
}

/// Reads a mapping of names to lengths of time.
fn named(
    reader: &mut Reader<'_>,
    parent: &Fields<'_>,
    key: &'static str,
    table: Table,
    job: &Limit,
) -> Vec<Named> {
    let Some(fields) = parent.get(key).and_then(|node| reader.fields(node, key)) else { return Vec::new() };
    let path = match (parent.what.as_str(), key) {
        ("timeouts", key) => format!("timeouts.{key}"),
        (block, key) => format!("{block}: {key}"),
    };
    let mut all = Vec::new();
    for (name, node) in fields.rest() {
        let span = fields.key_span(name).unwrap_or(fields.span);
        if is_unit(name) && matches!(node.value, Value::Integer(_)) {
            // A length of time, and nothing else, is no list of names at all.
            let is_time = fields.rest().all(|(name, _)| is_unit(name));
            let span = parent.key_span(key).filter(|_| is_time).unwrap_or(span);
            reader.report(no_name(&parent.what, key, name, span));
            continue;
        }
        let known = known(reader, name, span, table);
        let Some(duration) = reader.duration(node, name) else { continue };
        let Some((part, owners)) = known else { continue };
        let limit = Limit::new(duration, origin(reader, &format!("{path}.{name}"), &fields, name));
        all.push(Named { part, owners, limit: bound(reader, node, name, limit, job) });
    }
    all
}

/// The unit that `name` stands for, if it is not one itself.
fn unit(name: &str) -> Option<&'static str> {
    SHORT.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)).map(|(_, unit)| *unit)
}

/// What to write for `text`, such as `5m` or `10 minutes`.
fn time_in_words(what: &str, text: &str) -> Option<String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
    let (number, name) = (text.get(..digits)?, text.get(digits..)?.trim());
    let number = number.parse::<u32>().ok().filter(|number| (1..=MAX_SECONDS).contains(number))?;
    let unit = UNITS.iter().map(|(unit, _)| *unit).find(|unit| *unit == name).or_else(|| unit(name))?;
    Some(format!("write `{what}: {{ {unit}: {number} }}`"))
}

fn is_unit(name: &str) -> bool {
    UNITS.iter().any(|(unit, _)| *unit == name)
}

/// A length of time where names of actions should be: what was meant is the time of them all.
fn no_name(parent: &str, key: &str, unit: &str, span: Span) -> Diagnostic {
    let message = format!("`{key}` of `{parent}` takes names of actions, and `{unit}` is none");
    let help = match (parent, key) {
        ("timeouts", "actions") => "the time of every action is in `action`",
        ("timeouts", _) => "the time of every answer is in `connection`",
        _ => "the time of this block is in `timeout`",
    };
    Diagnostic::error(Code::InvalidTimeout, span, message).with_help(help)
}

/// What `name` bounds; notes it if that is nothing.
fn known(reader: &mut Reader<'_>, name: &str, span: Span, table: Table) -> Option<(Part, &'static [Owner])> {
    let no_effect = |why: &str| {
        let what = if table == Table::Actions { "time" } else { "connection time" };
        Diagnostic::warning(
            Code::IgnoredTimeout,
            span,
            format!("the {what} of `{name}` has no effect: {why}"),
        )
    };
    let problem = match (part::effect(name), table) {
        (Some(Effect::Bounds { part, owners, .. }), Table::Actions)
        | (Some(Effect::Bounds { part, owners, answer: Some(_), .. }), Table::Connections) => {
            return Some((part, owners));
        }
        (Some(Effect::Bounds { .. }), Table::Connections) => {
            no_effect("no single answer is waited for in it")
                .with_help("its whole time can be named in `timeouts: actions`")
        }
        (Some(Effect::Nothing(why)), _) => no_effect(why),
        (None, _) => match did_you_mean(name, part::names()) {
            Some(help) => {
                let message = format!("there is no action `{name}`: its time would bound nothing");
                Diagnostic::error(Code::UnknownTimeout, span, message).with_help(help)
            }
            None => no_effect("no action of that name is known here"),
        },
    };
    reader.report(problem);
    None
}

/// `limit`, or the job's where that is shorter, with a warning.
fn bound(reader: &mut Reader<'_>, node: &Node, what: &str, limit: Limit, job: &Limit) -> Limit {
    if limit.time <= job.time {
        return limit;
    }
    let message = format!(
        "`{what}` ({} s) is longer than the whole job may take ({} s), which bounds it",
        limit.time.as_secs(),
        job.time.as_secs()
    );
    reader.report(Diagnostic::warning(Code::TimeoutExceedsJob, node.span, message));
    job.clone()
}
