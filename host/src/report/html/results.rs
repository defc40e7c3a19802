//! Results per node and definition, and what was measured.

use maud::{Markup, html};

use crate::event::{Outcome, TestCase, TestResult};
use crate::report::Results;
use crate::report::results::DefinitionResult;

use super::text;

/// Cases of a definition that are listed, and measurements of a run.
const MAX_ROWS: usize = 1000;

/// The section, of a run that may go on. What passed is hidden by a box that is ticked; this needs no script.
pub(super) fn section(run: &Results, goes_on: bool) -> Markup {
    html! {
        section #results aria-labelledby="results-title" {
            h2 #results-title { "Results" }
            p.filter { label { input #only-failed type="checkbox"; " Only what did not pass" } }
            @for node in &run.nodes {
                h3 { (node.name) " " (text::badge(text::part_word(node.outcome, goes_on))) }
                p.facts {
                    "role " (node.role) " on " (node.board) " · " (text::counted(node.tests.len(), "case")) ": "
                    (node.count(TestResult::Pass)) " pass, " (node.count(TestResult::Fail)) " fail, "
                    (node.count(TestResult::Skip)) " skip, " (node.count(TestResult::Unknown)) " unknown"
                }
                @if node.definitions.is_empty() {
                    p.note { "No test definition was begun." }
                }
                @for (definition, cases) in node.definitions_and_cases() {
                    (definition_details(definition, &cases, goes_on))
                }
            }
        }
    }
}

fn definition_details(definition: &DefinitionResult, all: &[&TestCase], goes_on: bool) -> Markup {
    let failed = all.iter().filter(|test| test.result == TestResult::Fail).count();
    let passed = definition.outcome == Some(Outcome::Pass) && failed == 0;
    let listed = all.iter().filter(|test| all.len() <= MAX_ROWS || test.result == TestResult::Fail);
    let listed: Vec<_> = listed.take(MAX_ROWS).copied().collect();
    html! {
        details.definition.all-passed[passed] open[!passed] {
            summary {
                (definition.name) " "
                // One whose cases failed is not green, though it did all that it had to.
                @if definition.outcome == Some(Outcome::Pass) && !passed {
                    span.facts { "ran to its end" }
                } @else {
                    (text::badge(text::part_word(definition.outcome, goes_on)))
                }
                " "
                span.facts { (text::counted(all.len(), "case")) ", " (failed) " failed" @if definition.outcome.is_some() { ", " (text::span(definition.took)) } }
            }
            @if let Some(reason) = &definition.reason {
                p.reason { (reason) }
            }
            @if !listed.is_empty() {
                (cases(&definition.name, &listed))
            }
            (text::left_out((all.len() - listed.len()) as u64, "results.json"))
        }
    }
}

fn cases(definition: &str, listed: &[&TestCase]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label={ "Cases of " (definition) } {
            table {
                thead { tr {
                    @for head in ["Case", "Result", "Measured", "Remark"] { th scope="col" { (head) } }
                } }
                tbody {
                    @for case in listed {
                        tr class=(case.result) {
                            th scope="row" { (case.full_name()) }
                            td { (text::result(case.result)) }
                            td.number { (measured(case)) }
                            td {
                                (case.comment.as_deref().unwrap_or_default())
                                @if let Some(reference) = &case.reference { " " (link(reference)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn measured(case: &TestCase) -> Markup {
    html! {
        @if let Some(value) = case.measurement { (value) " " (case.units.as_deref().unwrap_or_default()) }
    }
}

/// A reference is the board's own text: a link only if it leads to the web.
fn link(reference: &str) -> Markup {
    let is_web = reference.starts_with("https://") || reference.starts_with("http://");
    html! {
        @if is_web { a href=(reference) rel="noreferrer" { (reference) } } @else { (reference) }
    }
}

/// What was measured, all in one table.
pub(super) fn measurements(run: &Results) -> Markup {
    let measured = || {
        run.nodes
            .iter()
            .flat_map(|node| node.tests.iter().filter_map(move |case| Some((node, case, case.measurement?))))
    };
    let count = measured().count();
    html! {
        @if count > 0 {
            section #measurements aria-labelledby="measurements-title" {
                h2 #measurements-title { "Measurements" }
                div.scroll tabindex="0" role="region" aria-label="Measurements" {
                    table {
                        thead { tr {
                            @for head in ["Node", "Definition", "Case", "Value", "Unit"] { th scope="col" { (head) } }
                        } }
                        tbody {
                            @for (node, case, value) in measured().take(MAX_ROWS) {
                                tr {
                                    th scope="row" { (node.name) }
                                    td { (case.definition) }
                                    td { (case.full_name()) }
                                    td.number { (value) }
                                    td { (case.units.as_deref().unwrap_or_default()) }
                                }
                            }
                        }
                    }
                }
                (text::left_out(count.saturating_sub(MAX_ROWS) as u64, "results.json"))
            }
        }
    }
}
