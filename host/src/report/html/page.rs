//! The page as a whole: head, title and the order of its sections.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::report::Results;

use super::{Seen, console, results, sequence, text, timeline, verdict, warnings};

/// The style sheet.
pub(crate) const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("filter.js");

/// The page of a run.
pub(super) fn page(run: &Results, seen: &Seen) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "host-runner " (run.version) };
                title { (text::outcome_word(run.outcome)) ": " (run.job) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (title(run)) }
                main {
                    (sections(run, seen, false))
                    (console::section(run, &seen.consoles))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// All sections but the consoles.
pub(super) fn sections(run: &Results, seen: &Seen, goes_on: bool) -> Markup {
    html! {
        (verdict::section(run, seen, goes_on))
        (timeline::section(run, goes_on))
        (results::section(run, goes_on))
        (results::measurements(run))
        (sequence::section(run, &seen.messages))
        (warnings::section(run, &seen.warnings))
    }
}

fn title(run: &Results) -> Markup {
    html! {
        h1 { (text::outcome(run.outcome)) " " (run.job) }
        p.facts {
            @if let Some(started) = run.started {
                "started " time datetime=(started) { (started.strftime("%Y-%m-%d %H:%M:%S UTC")) } " · "
            }
            "took " (text::span(run.duration)) " · "
            @match run.nodes.len() { 1 => "1 node", count => { (count) " nodes" } }
            " · host-runner " (run.version)
        }
        nav aria-label="Files of this run" {
            @if run.has_job_file { a href="job.yaml" { "job.yaml" } " " }
            @for file in ["results.json", "junit.xml", "results.tap", "run.jsonl"] {
                a href=(file) { (file) } " "
            }
        }
    }
}

/// Nothing is loaded, and no script runs but the page's own.
fn policy() -> String {
    let hash = |text: &str| BASE64.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
