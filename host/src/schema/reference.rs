//! A schema as a page for people: every key with what it can be, what stands in for it, what it means, and an example.
//!
//! The examples are those of a file that has every key (`examples/`): tests hold it against the schema and the checks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};
use toml::Value as Example;

use super::shape::DEFAULT;

/// What a page is made of.
pub(super) struct Reference<'a> {
    /// What stands before the first table.
    pub(super) introduction: &'a str,
    /// Keys that are told on another page, and where.
    pub(super) elsewhere: &'a [(&'a str, &'a str)],
    /// A file that has every key.
    pub(super) example: &'a str,
}

impl Reference<'_> {
    /// The page of `schema`, in Markdown.
    ///
    /// # Errors
    /// The example is no TOML, which tests rule out.
    pub(super) fn page(&self, schema: &Value) -> Result<String, toml::de::Error> {
        let example = Example::Table(toml::from_str(self.example)?);
        let mut page = Page { text: self.introduction.to_owned(), elsewhere: self.elsewhere };
        page.table(&[], schema, &[&example]);
        Ok(page.text)
    }
}

struct Page<'a> {
    text: String,
    elsewhere: &'a [(&'a str, &'a str)],
}

/// A table within another one: its path, its schema, and the examples of it.
type Inner<'s, 'e> = (Vec<String>, &'s Value, Vec<&'e Example>);

impl Page<'_> {
    /// The keys of a table, and then the tables in it.
    fn table(&mut self, path: &[String], schema: &Value, examples: &[&Example]) {
        let Some(properties) = schema["properties"].as_object() else { return };
        if !path.is_empty() {
            self.line(&format!("\n## `{}`\n", heading(path)));
        }
        self.keys(path, schema, properties, examples);
        for (path, schema, examples) in inner_tables(path, properties, examples) {
            if self.place_of(&path).is_none() {
                self.tables(&path, schema, &examples);
            }
        }
    }

    /// One table, or the kinds that it can be of.
    fn tables(&mut self, path: &[String], schema: &Value, examples: &[&Example]) {
        let Some(kinds) = kinds(schema) else { return self.table(path, schema, examples) };
        self.line(&format!("\n## `{}`\n", heading(path)));
        self.line("It has the keys of one of these:");
        for kind in kinds {
            let Some(properties) = kind["properties"].as_object() else { continue };
            // Its own examples first: what it has in common with others may be in theirs alone.
            let own = examples.iter().copied().filter(|example| is_of(kind, example));
            let of_kind: Vec<_> = own.chain(examples.iter().copied()).collect();
            self.line(&format!("\n### {}\n", name_of(kind)));
            self.keys(path, kind, properties, &of_kind);
            for (path, schema, examples) in inner_tables(path, properties, &of_kind) {
                self.table(&path, schema, &examples);
            }
        }
    }

    fn keys(
        &mut self,
        path: &[String],
        schema: &Value,
        properties: &Map<String, Value>,
        examples: &[&Example],
    ) {
        if let Some(needed) = alternatives(schema) {
            self.line(&format!("It needs {needed}.\n"));
        }
        self.line("| key | what it can be | if it is not given | meaning | example |\n|---|---|---|---|---|");
        let needed: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let headings = headings(path, properties);
        for (key, value) in properties {
            let below = [path, std::slice::from_ref(key)].concat();
            let default =
                if needed.contains(&key.as_str()) { "**it must be**".to_owned() } else { default(value) };
            let found = examples.iter().find_map(|example| example.get(key));
            let (kind, example) = match (self.place_of(&below), inner(&below, value)) {
                (Some(place), _) => ("table".to_owned(), format!("[its keys]({place})")),
                (None, Some(path)) => {
                    let told_at = headings.get(key.as_str()).unwrap_or(&path);
                    ("table".to_owned(), format!("[`{}`](#{})", heading(&path), anchor(&heading(told_at))))
                }
                (None, None) => (kind(value), found.map(|found| format!("`{found}`")).unwrap_or_default()),
            };
            let about = value["description"].as_str().unwrap_or_default();
            let cells = [format!("`{key}`"), kind, default, about.to_owned(), example];
            self.line(&format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")));
        }
    }

    fn place_of(&self, path: &[String]) -> Option<&str> {
        let heading = heading(path);
        self.elsewhere.iter().find(|(table, _)| *table == heading).map(|(_, place)| *place)
    }

    fn line(&mut self, text: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{text}");
    }
}

/// Below which heading the table is told that a key is: its own, or that of the one before that it is like.
fn headings<'s>(path: &[String], properties: &'s Map<String, Value>) -> BTreeMap<&'s str, Vec<String>> {
    let mut headings = BTreeMap::new();
    let mut last: Option<(Vec<String>, &Value)> = None;
    for (key, value) in properties {
        let Some(own) = inner(&[path, std::slice::from_ref(key)].concat(), value) else { continue };
        let schema = schema_of(value);
        let told_at = match last.take().filter(|(_, other)| is_like(other, schema)) {
            Some((told_at, _)) => told_at,
            None => own,
        };
        headings.insert(key.as_str(), told_at.clone());
        last = Some((told_at, schema));
    }
    headings
}

/// What the table is, or each of the tables, that a value is.
fn schema_of(value: &Value) -> &Value {
    match value["type"].as_str() {
        Some("array") => &value["items"],
        _ if value["additionalProperties"].is_object() && value.get("properties").is_none() => {
            &value["additionalProperties"]
        }
        _ => value,
    }
}

/// Whether two tables have the same keys, and are told together.
fn is_like(one: &Value, other: &Value) -> bool {
    other.get("properties").is_some() && one.get("properties") == other.get("properties")
}

/// The tables that keys are, in their order; one that is like the one before it is told with that.
fn inner_tables<'s, 'e>(
    path: &[String],
    properties: &'s Map<String, Value>,
    examples: &[&'e Example],
) -> Vec<Inner<'s, 'e>> {
    let mut all: Vec<Inner<'s, 'e>> = Vec::new();
    for (key, value) in properties {
        let Some(inner_path) = inner(&[path, std::slice::from_ref(key)].concat(), value) else { continue };
        let below = examples.iter().filter_map(|example| example.get(key));
        let examples = match value["type"].as_str() {
            Some("array") => below.filter_map(Example::as_array).flatten().collect(),
            _ if std::ptr::eq(schema_of(value), value) => below.collect(),
            _ => below.filter_map(Example::as_table).flat_map(|table| table.values()).collect(),
        };
        let schema = schema_of(value);
        if !all.last().is_some_and(|(_, other, _)| is_like(other, schema)) {
            all.push((inner_path, schema, examples));
        }
    }
    all
}

/// The path of the table, or of the tables, that a value is; `None` if it is something else.
fn inner(path: &[String], value: &Value) -> Option<Vec<String>> {
    let is_table = |value: &Value| value["properties"].is_object();
    let is_tables = |value: &Value| is_table(value) || kinds(value).is_some();
    if is_tables(value) {
        return Some(path.to_owned());
    }
    if let (true, [above @ .., key]) = (is_tables(&value["items"]), path) {
        return Some([above, &[format!("[{key}]")]].concat());
    }
    is_tables(&value["additionalProperties"]).then(|| [path, &["NAME".to_owned()]].concat())
}

/// The kinds of table that a value can be.
fn kinds(value: &Value) -> Option<&Vec<Value>> {
    let kinds = value["anyOf"].as_array().or_else(|| value["oneOf"].as_array())?;
    kinds.iter().all(|kind| kind["properties"].is_object()).then_some(kinds)
}

/// The words that tell a kind of table from others: its key and value, or the keys that it must have.
fn name_of(kind: &Value) -> String {
    let properties = kind["properties"].as_object().into_iter().flatten();
    let word = properties.filter_map(|(key, value)| Some((key, value["const"].as_str()?))).next();
    let needed = kind["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let others: Vec<_> = needed.filter(|key| word.is_none_or(|(word, _)| word != key)).collect();
    match (word, others.as_slice()) {
        (Some((key, word)), _) if others.contains(&"oid") => format!("`{key} = \"{word}\"`, with `oid`"),
        (Some((key, word)), _) => format!("`{key} = \"{word}\"`"),
        (None, []) => "commands".to_owned(),
        (None, keys) => format!("with `{}`", keys.join("`, `")),
    }
}

/// Whether an example has what tells this kind of table from others.
fn is_of(kind: &Value, example: &Example) -> bool {
    let Some(properties) = kind["properties"].as_object() else { return false };
    let needed = kind["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let has_needed = needed.into_iter().all(|key| example.get(key).is_some());
    let mut keys = example.as_table().into_iter().flatten();
    let fits = |key: &String, value: &Example| {
        let known = properties.get(key)?;
        let word = known["const"].as_str();
        Some(word.is_none() || word == value.as_str())
    };
    has_needed && keys.all(|(key, value)| fits(key, value) == Some(true))
}

/// The keys of which some must be there, in words.
fn alternatives(schema: &Value) -> Option<String> {
    let all = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array())?;
    let words = all.iter().map(|one| {
        let keys = one["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        keys.map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and ")
    });
    Some(words.collect::<Vec<_>>().join(", or "))
}

/// What stands in for a value that is not given.
fn default(value: &Value) -> String {
    if let Some(default) = value.get("default") {
        return format!("`{default}`");
    }
    let comment = value["$comment"].as_str().and_then(|comment| comment.strip_prefix(DEFAULT));
    comment.unwrap_or("nothing").to_owned()
}

/// What a value can be, in words.
fn kind(value: &Value) -> String {
    if let Some(word) = value.get("const") {
        return format!("`{word}`");
    }
    if let Some(words) = value["enum"].as_array() {
        let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    if let Some(kinds) = value["anyOf"].as_array().or_else(|| value["oneOf"].as_array()) {
        return kinds.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let number = |name: &str| match (value.get("minimum"), value.get("maximum")) {
        (Some(least), Some(most)) => format!("{name} from {least} to {most}"),
        _ => name.to_owned(),
    };
    match &value["type"] {
        Value::Array(_) => "text".to_owned(),
        Value::String(name) => match name.as_str() {
            "string" => "text".to_owned(),
            "boolean" => "`true`, `false`".to_owned(),
            "integer" => number("whole number"),
            "number" => number("number"),
            "array" => match kind(&value["items"]).as_str() {
                "text" => "list of texts".to_owned(),
                "list of texts" => "list of lists of texts".to_owned(),
                other => format!("list of: {other}"),
            },
            _ => format!("table of names, each with: {}", kind(&value["additionalProperties"])),
        },
        _ => "anything".to_owned(),
    }
}

/// What a table is called in a file.
fn heading(path: &[String]) -> String {
    format!("[{}]", path.join("."))
}

/// Where a heading is on its page, as GitHub and GitLab make it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || "-_ ".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}
