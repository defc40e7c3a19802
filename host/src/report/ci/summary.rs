//! The summary of a GitHub step: Markdown, appended to the file that `GITHUB_STEP_SUMMARY` names.
//!
//! GitHub takes a megabyte of a step. A summary has at most 50 findings, and the last lines of ten nodes: some 200 KiB.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::event::{Event, EventKind, Outcome, TestResult};
use crate::report::bounded::Bounded;
use crate::report::results::NodeResults;
use crate::report::tail::{Limit, Tail, Tails};
use crate::report::{Reporter, Results, finding};
use crate::text::clip;

const MAX_FINDINGS: usize = 50;
/// Longest message of a finding, in bytes.
const MAX_MESSAGE: usize = 1024;
/// Nodes whose last lines are shown.
const MAX_NODES: usize = 10;
const TAIL: Limit = Limit { lines: 20, bytes: 8 * 1024 };

/// Appends the summary at the end of the run.
#[derive(Debug)]
pub struct StepSummary {
    path: PathBuf,
    tails: Tails,
}

impl StepSummary {
    /// Will append to `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, tails: Tails::new(TAIL) }
    }

    fn append(&self, results: &Results) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        file.write_all(render(results, &self.tails).as_bytes())
    }
}

impl Reporter for StepSummary {
    fn name(&self) -> &'static str {
        "step summary"
    }

    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()> {
        self.tails.add(event);
        if matches!(event.kind, EventKind::RunFinished { .. }) { self.append(so_far) } else { Ok(()) }
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        self.tails.cut_off(so_far.last_event());
        self.append(so_far)
    }
}

fn render(results: &Results, tails: &Tails) -> String {
    let outcome = word(results.outcome);
    let mut text = format!("## {}: {outcome}\n\n", escaped(&results.job));
    text += "| node | on | outcome | definitions | pass | fail | skip |\n|---|---|---|---|--:|--:|--:|\n";
    for node in &results.nodes {
        let passed = node.definitions.iter().filter(|d| d.outcome == Some(Outcome::Pass)).count();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {passed} of {} | {} | {} | {} |",
            escaped(&node.name),
            escaped(&node.board),
            word(node.outcome),
            node.definitions.len(),
            node.count(TestResult::Pass),
            node.count(TestResult::Fail),
            node.count(TestResult::Skip) + node.count(TestResult::Unknown),
        );
    }
    text += &findings(results);
    let failed = results.nodes.iter().filter(|node| node.outcome != Some(Outcome::Pass));
    let failed = failed.filter_map(|node| Some((node, tails.of(&node.name)?)));
    for (node, tail) in failed.take(MAX_NODES) {
        text += &last_lines(node, tail);
    }
    text.push('\n');
    text
}

fn findings(results: &Results) -> String {
    let findings = Bounded::of(MAX_FINDINGS, finding::all(results));
    if findings.kept().is_empty() {
        return String::new();
    }
    let mut text = String::from("\n### What failed\n\n");
    for finding in findings.kept() {
        let (class, subject) = (finding.class, escaped(&finding.subject));
        let message = escaped(&clip(&finding.message, MAX_MESSAGE));
        let _ = writeln!(text, "- **{subject}** ({class}): {message}");
    }
    if findings.more() > 0 {
        let _ = writeln!(text, "- {} more", findings.more());
    }
    text
}

fn last_lines(node: &NodeResults, tail: &Tail) -> String {
    let lines: Vec<&str> = tail.lines().map(|line| line.text.as_str()).collect();
    // Longer than any run of the same character in the text, so that no line of it ends the block.
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`').map(str::len)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let (name, lines) = (html_escaped(&node.name), lines.join("\n"));
    format!(
        "\n<details><summary>Last lines of {name}</summary>\n\n{fence}text\n{lines}\n{fence}\n\n</details>\n"
    )
}

fn word(outcome: Option<Outcome>) -> String {
    outcome.map_or_else(|| "cut off".to_owned(), |outcome| outcome.to_string())
}

/// Text in one line, without meaning to Markdown: any punctuation may have a backslash.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '!' | '|' | '~' | '&'
            | '@' | '$' => {
                escaped.extend(['\\', character]);
            }
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

fn html_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(['\n', '\r'], " ")
}
