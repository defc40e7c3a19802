//! What `results.json` says of the nodes of a run.

use serde_json::Value;

use crate::lab::Ended;

/// The nodes of a run.
pub(crate) fn nodes(ended: &Ended) -> &[Value] {
    ended.results["nodes"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// `name outcome reason` of each definition.
pub(crate) fn definitions(node: &Value) -> Vec<String> {
    lines(&node["definitions"], &["name", "outcome", "reason"])
}

/// `case result measurement` of each test.
pub(crate) fn tests(node: &Value) -> Vec<String> {
    lines(&node["tests"], &["case", "result", "measurement"])
}

fn lines(list: &Value, keys: &[&str]) -> Vec<String> {
    let field = |entry: &Value, key: &&str| match &entry[*key] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let line = |entry: &Value| keys.iter().filter_map(|key| field(entry, key)).collect::<Vec<_>>().join(" ");
    list.as_array().into_iter().flatten().map(line).collect()
}
