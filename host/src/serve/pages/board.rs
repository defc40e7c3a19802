//! The page of a board: what it does now, and how long its phases took, run by run.

use std::time::Duration;

use hyper::{Response, StatusCode};
use maud::{Markup, html};

use crate::event::Outcome;
use crate::report::html::{outcome, span};
use crate::serve::answer::Body;
use crate::serve::history::{self, Past, PastPhase};
use crate::serve::runs::State;
use crate::serve::{Site, ask};

use super::board_table::board_table;
use super::layout::{Page, state, time};

/// Runs that are shown.
const MAX_ROWS: usize = 50;
/// Columns of phases.
const MAX_PHASES: usize = 20;

/// The page of a board of the bench, or of one that only runs know; `None` if neither does.
pub(in crate::serve) fn page(site: &Site, name: &str) -> Option<Response<Body>> {
    let runs = site.runs.list();
    let past = history::of(name, &runs);
    let current = runs.iter().find(|run| run.state == State::Running && run.stored.boards().contains(&name));
    let mut on_bench = site.boards(&runs);
    on_bench.retain(|board| board.name == name);
    if past.is_empty() && current.is_none() && on_bench.is_empty() {
        return None;
    }
    let main = html! {
        div #live {
            section #now aria-label="Now" {
                @if !on_bench.is_empty() { (board_table(&on_bench)) }
                @else { p.note { "It is not in the bench file." } }
                @if let Some(run) = current {
                    p { (state(run.state, None)) " " a href={ "/runs/" (ask::part(&run.id)) "/" } { (run.stored.job) } }
                }
            }
        }
        section #history aria-labelledby="history-title" {
            h2 #history-title { "How long its phases took" }
            @if past.is_empty() { p { "No run on it has ended yet." } } @else { (table(&past)) }
            p.note {
                "Slow is what took more than half as long again as usual, and two seconds more at least. Usual is the median of \
                 the last ten runs of the same job before that passed the phase; of fewer than three nothing is said."
            }
        }
    };
    let page =
        Page { title: name, script: Some("bench.js"), styles: &[], has_control: site.control.is_some() };
    Some(page.answer(StatusCode::OK, html! { h1 { (name) } }, main))
}

fn table(past: &[Past<'_>]) -> Markup {
    let shown = past.get(..MAX_ROWS.min(past.len())).unwrap_or_default();
    let mut names: Vec<&str> = Vec::new();
    for phase in shown.iter().flat_map(|past| &past.phases) {
        if !names.contains(&phase.name) && names.len() < MAX_PHASES {
            names.push(phase.name);
        }
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Phases of the last runs" {
            table.wide {
                thead { tr {
                    th scope="col" { "Run" } th scope="col" { "Outcome" }
                    @for name in &names { th.number scope="col" { (name) } }
                } }
                tbody { @for past in shown {
                    tr {
                        th.nowrap scope="row" {
                            a href={ "/runs/" (ask::part(&past.run.id)) "/" } { (past.run.stored.job) } " "
                            @if let Some(started) = past.run.stored.started { span.facts { (time(started)) } }
                        }
                        td { (state(past.run.state, past.run.stored.outcome)) }
                        @for name in &names {
                            td.number { @if let Some(phase) = past.phases.iter().find(|phase| phase.name == *name) { (cell(phase)) } }
                        }
                    }
                } }
            }
        }
        @if past.len() > MAX_ROWS { p.note { "The last " (MAX_ROWS) " of " (past.len()) " runs." } }
    }
}

fn cell(phase: &PastPhase<'_>) -> Markup {
    let seconds = |seconds: f64| span(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    html! {
        @if phase.outcome != Some(Outcome::Pass) { (outcome(phase.outcome)) " " }
        (seconds(phase.took))
        @if let Some(usual) = phase.slower_than {
            div.slow { "slow: usually " (seconds(usual)) }
        }
    }
}
