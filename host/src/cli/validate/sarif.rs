//! `validate` for code scanning: SARIF 2.1.0.
//!
//! Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Checked;
use crate::diagnostic::{Code, Diagnostic, Severity, Source, Span};
use crate::report::Place;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The log of one run over all files.
pub(super) fn log(files: &[Checked]) -> String {
    let used: BTreeSet<Code> =
        files.iter().flat_map(|file| &file.problems).map(|problem| problem.code).collect();
    let rules: Vec<Value> = used.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = files.iter().flat_map(results_of).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "host-runner",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// A code with its page, which GitHub shows beside the problem.
fn rule(code: Code) -> Value {
    json!({
        "id": code.name(),
        "shortDescription": {"text": code.summary()},
        "help": {"text": code.page(), "markdown": code.page()},
    })
}

fn results_of(file: &Checked) -> Vec<Value> {
    let problems = file
        .source
        .iter()
        .flat_map(|source| file.problems.iter().map(move |problem| result(file, source, problem)));
    let faults = file.faults.iter().map(|fault| {
        let help = fault.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        let mut place = json!({"artifactLocation": {"uri": uri(&file.name)}});
        // What the bench cannot run has a place in the file; one that cannot be read has none.
        if let Some(Place { line, column, .. }) = Place::parse(&fault.place) {
            place["region"] = json!({"startLine": line, "startColumn": column});
        }
        json!({
            "level": "error",
            "message": {"text": format!("{}{help}", fault.message)},
            "locations": [{"physicalLocation": place}],
        })
    });
    problems.chain(faults).collect()
}

fn result(file: &Checked, source: &Source, problem: &Diagnostic) -> Value {
    let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    let location = |span: Span, message: Option<&str>| {
        let (line, column) = source.line_column(span);
        let (end_line, end_column) = source.line_column(Span { offset: span.offset + span.len, len: 0 });
        let mut location = json!({"physicalLocation": {
            "artifactLocation": {"uri": uri(&file.name)},
            "region": {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column},
        }});
        if let Some(message) = message.filter(|message| !message.is_empty()) {
            location["message"] = json!({"text": message});
        }
        location
    };
    let related: Vec<_> =
        problem.labels.iter().skip(1).map(|label| location(label.span, Some(&label.text))).collect();
    json!({
        "ruleId": problem.code.name(),
        "level": match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": {"text": format!("{}{help}", problem.message)},
        "locations": [location(problem.span(), None)],
        "relatedLocations": related,
    })
}

/// A path as a relative or absolute reference (RFC 3986 §4.2): what is no part of one is escaped.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into())
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
