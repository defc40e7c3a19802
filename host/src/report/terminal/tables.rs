//! What stands at the end: results per node, time per phase.

use crate::event::{Outcome, TestResult};
use crate::report::Results;
use crate::report::results::NodeResults;

use super::lines::Style;

/// Results per node.
pub(super) fn nodes_table(results: &Results, style: Style) -> String {
    let mut rows =
        vec![["node", "on", "outcome", "definitions", "cases", "pass", "fail", "skip"].map(str::to_owned)];
    for node in &results.nodes {
        let passed = node.definitions.iter().filter(|d| d.outcome == Some(Outcome::Pass)).count();
        let other = node.count(TestResult::Skip) + node.count(TestResult::Unknown);
        rows.push([
            node.name.clone(),
            node.board.clone(),
            node.outcome.map_or_else(|| "unfinished".to_owned(), |outcome| outcome.to_string()),
            format!("{passed}/{}", node.definitions.len()),
            node.tests.len().to_string(),
            node.count(TestResult::Pass).to_string(),
            node.count(TestResult::Fail).to_string(),
            other.to_string(),
        ]);
    }
    let outcome = |row: usize| row.checked_sub(1).and_then(|index| results.nodes.get(index)?.outcome);
    table(&rows, style, |row, column, text| match outcome(row) {
        Some(outcome) if column == 2 => style.outcome(outcome, text),
        _ => text.to_owned(),
    })
}

/// Seconds per phase: a row per phase in the order of appearance, a column per node.
pub(super) fn phases_table(results: &Results, style: Style) -> String {
    let mut phases: Vec<&str> = Vec::new();
    for phase in results.nodes.iter().flat_map(|node| &node.phases) {
        if !phases.contains(&phase.name.as_str()) {
            phases.push(&phase.name);
        }
    }
    if phases.is_empty() {
        return String::new();
    }
    let mut rows = vec![header("seconds", results)];
    for phase in phases {
        let seconds = |node: &NodeResults| {
            let spent: f64 =
                node.phases.iter().filter(|p| p.name == phase).map(|p| p.took.as_secs_f64()).sum();
            let ran = node.phases.iter().any(|p| p.name == phase);
            if ran { format!("{spent:.1}") } else { String::new() }
        };
        rows.push(std::iter::once(phase.to_owned()).chain(results.nodes.iter().map(seconds)).collect());
    }
    table(&rows, style, |_, _, text| text.to_owned())
}

fn header(first: &str, results: &Results) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(results.nodes.iter().map(|node| node.name.clone())).collect()
}

/// Lays rows out in columns: the first row is the header; numbers to the right.
fn table<R: AsRef<[String]>>(
    rows: &[R],
    style: Style,
    paint: impl Fn(usize, usize, &str) -> String,
) -> String {
    let columns = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.as_ref().get(column))
            .map(|text| text.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let numeric = |column: usize| {
        rows.iter()
            .skip(1)
            .filter_map(|row| row.as_ref().get(column))
            .all(|text| text.is_empty() || text.starts_with(|first: char| first.is_ascii_digit()))
    };
    let numeric: Vec<bool> = (0..columns).map(|column| column > 0 && numeric(column)).collect();
    let mut out = String::new();
    for (row, cells) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, text) in cells.as_ref().iter().enumerate() {
            let width = widths[column];
            let padded = if numeric[column] { format!("{text:>width$}") } else { format!("{text:<width$}") };
            let painted = if row == 0 { style.dim(&padded) } else { paint(row, column, &padded) };
            line += "  ";
            line += &painted;
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}
