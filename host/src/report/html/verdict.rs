//! What went wrong, whose fault it was, and the last words of the board; first on the page.

use maud::{Markup, html};

use crate::event::{Outcome, TestResult};
use crate::fault::{Class, Fault};
use crate::report::bounded::Bounded;
use crate::report::results::NodeResults;
use crate::report::tail::Tail;
use crate::report::{Results, finding};
use crate::text::{clip, tail};

use super::{Seen, console, text};

/// Findings that are listed.
const MAX_FINDINGS: usize = 50;
/// Lines of the console that a fault is shown with.
const LAST_LINES: usize = 15;
/// Longest message of a finding, in bytes.
const MAX_MESSAGE: usize = 4 * 1024;

/// The section; of a run that `goes_on`, what is known so far.
pub(super) fn section(run: &Results, seen: &Seen, goes_on: bool) -> Markup {
    let mut faults = finding::distinct_faults(run);
    // The fault that decided the run is the one to begin with; the sort keeps the order of the others.
    faults.sort_by_key(|(_, fault)| run.fault.as_ref() != Some(*fault));
    let failed = Bounded::of(MAX_FINDINGS, finding::all(run).filter(|finding| finding.class == Class::Test));
    html! {
        section #verdict aria-labelledby="verdict-title" {
            h2 #verdict-title { (headline(run, goes_on)) }
            @for (node, fault) in &faults {
                // What tests have printed stands with those that failed.
                @let is_told = fault.class == Class::Test && !failed.kept().is_empty();
                (told(fault, *node, node.filter(|_| !is_told).and_then(|node| seen.consoles.of(&node.name))))
            }
            @if run.outcome.is_none() && !goes_on {
                @for node in run.nodes.iter().filter(|node| node.outcome.is_none()) {
                    (unfinished(node, seen.consoles.of(&node.name)))
                }
            }
            @if !failed.kept().is_empty() {
                h3 { "Tests that failed" }
                ul.findings {
                    @for finding in failed.kept() {
                        li {
                            code { (finding.subject) } " " (clip(&finding.message, MAX_MESSAGE))
                            @if let Some(place) = &finding.place {
                                " " span.place { (place.file) ":" (place.line) ":" (place.column) }
                            }
                            @let printed = finding.of.map_or(&[][..], |of| seen.evidence.of_tests(of));
                            @if !printed.is_empty() {
                                pre { (tail(printed.join("\n").as_bytes(), MAX_MESSAGE)) }
                            }
                        }
                    }
                }
                (text::left_out(failed.more(), "the list of results"))
            }
        }
    }
}

fn headline(run: &Results, goes_on: bool) -> String {
    match run.outcome {
        Some(Outcome::Pass) => {
            let cases: usize = run.nodes.iter().map(|node| node.tests.len()).sum();
            let passed: usize = run.nodes.iter().map(|node| node.count(TestResult::Pass)).sum();
            format!("All definitions ran to their end; {passed} of {cases} cases passed, none failed")
        }
        Some(Outcome::Fail) => "Tests failed".to_owned(),
        Some(Outcome::Error) => "The run could not be done".to_owned(),
        Some(Outcome::Cancelled) => "The run was stopped".to_owned(),
        None if goes_on => "The run goes on".to_owned(),
        None => "The run was cut off: its last event is missing".to_owned(),
    }
}

/// Whose fault something is, in words.
const fn whose(class: Class) -> &'static str {
    match class {
        Class::Test => "a test's",
        Class::Job => "the job file's",
        Class::Usage => "the command line's",
        Class::Infrastructure => "the infrastructure's: the board, what boots on it, network or artifact",
        Class::Bench => "the bench file's",
        Class::Cancelled => "none: the run was stopped",
        Class::Bug => "host-runner's own",
    }
}

fn told(fault: &Fault, node: Option<&NodeResults>, tail: Option<&Tail>) -> Markup {
    html! {
        article.fault {
            h3 { @if let Some(node) = node { (node.name) ": " } (fault.class) " error" }
            p { "Whose fault: " (whose(fault.class)) ". Where: " code { (fault.place) } }
            pre { (clip(&fault.message, MAX_MESSAGE)) }
            @if let Some(help) = &fault.help {
                p.help { strong { "What to do: " } (help) }
            }
            @if let (Some(node), Some(tail)) = (node, tail) { (last_lines(node, tail)) }
        }
    }
}

fn unfinished(node: &NodeResults, tail: Option<&Tail>) -> Markup {
    html! {
        article.fault {
            h3 { (node.name) ": not ended" }
            @if let Some(phase) = node.open_phase() {
                p { "It was in the phase " code { (phase.name) } "." }
            }
            @if let Some(tail) = tail { (last_lines(node, tail)) }
        }
    }
}

fn last_lines(node: &NodeResults, tail: &Tail) -> Markup {
    html! {
        p { "The last lines of " a href={ "#" (console::id(node)) } { "its console" } ":" }
        pre.console { @for line in tail.last(LAST_LINES) { (console::line(line)) } }
    }
}
