//! The first page: boards and runs.

use std::path::Path;
use std::time::Duration;

use hyper::{Response, StatusCode};
use maud::{Markup, html};

use crate::report::html::span;
use crate::serve::Site;
use crate::serve::answer::Body;
use crate::serve::api::{RunLine, RunList};
use crate::serve::ask;
use crate::serve::boards::BoardLine;
use crate::serve::control::{StartedRun, StartedState};
use crate::serve::runs::State;

use super::board_table::board_table;
use super::layout::{Page, state, time};

/// The page with the page `number` of the runs.
pub(in crate::serve) fn page(site: &Site, number: usize) -> Response<Body> {
    let runs = site.runs.list();
    let list = RunList::nearest(&runs, number);
    let running = runs.iter().filter(|run| run.state == State::Running).count();
    let title = match running {
        0 => "Boards and runs".to_owned(),
        1 => "1 run goes on".to_owned(),
        count => format!("{count} runs go on"),
    };
    let main = html! {
        div #live {
            @if let Some(bench) = &site.bench {
                (boards(&site.boards(&runs), &bench.path))
            } @else {
                section #boards { p.note { "Without a bench file no boards are known. Name one with " code { "--bench FILE" } "." } }
            }
            (started(&site.started()))
            (self::runs(&list, &site.runs.directory().display().to_string()))
        }
        @if site.control.is_some() { (start_form()) }
    };
    let page =
        Page { title: &title, script: Some("bench.js"), styles: &[], has_control: site.control.is_some() };
    page.answer(StatusCode::OK, html! { h1 { "Boards and runs" } }, main)
}

fn boards(boards: &[BoardLine], bench: &Path) -> Markup {
    let bench = std::path::absolute(bench).unwrap_or_else(|_| bench.to_owned());
    html! {
        section #boards aria-labelledby="boards-title" {
            h2 #boards-title { "Boards" }
            (board_table(boards))
            p.note { "Of " code { (bench.display()) } "." }
        }
    }
}

/// The runs that were started here: those that wait have no page yet.
fn started(runs: &[StartedRun]) -> Markup {
    html! {
        @if !runs.is_empty() {
            section #started aria-labelledby="started-title" {
                h2 #started-title { "Started here" }
                ul.plain { @for run in runs { li {
                    (started_state(run)) " "
                    @if run.state == StartedState::Waiting { (run.job) }
                    @else { a href={ "/runs/" (ask::part(&run.id)) "/" } { (run.job) } }
                    " " span.facts { (time(run.since)) }
                    @if run.state != StartedState::Ended {
                        " " button.control type="button" data-cancel=(run.id) aria-label={ "Cancel " (run.job) } { "Cancel" }
                    }
                    @if let Some(last) = run.said.lines().last() { div.facts.cut title=(run.said) { (last) } }
                } } }
            }
        }
    }
}

fn started_state(run: &StartedRun) -> Markup {
    html! {
        @match (run.state, run.exit_code) {
            (StartedState::Waiting, _) => span.badge.used { "waiting" },
            (StartedState::Running, _) => span.badge.running { "running" },
            (StartedState::Ended, Some(0)) => span.badge.pass { "pass" },
            (StartedState::Ended, code) => span.badge.fail { "exit code " (code.unwrap_or_default()) },
        }
    }
}

/// Where a job is given to the bench; outside of what is taken anew while somebody types.
fn start_form() -> Markup {
    html! {
        section #start.control aria-labelledby="start-title" {
            h2 #start-title { "Start a run" }
            form {
                p { label { "Job file " input type="file" name="file" accept=".yaml,.yml"; } }
                p { textarea name="job" aria-label="The job" rows="14" spellcheck="false" required {} }
                button { "Start" }
            }
            pre #problems role="alert" {}
        }
    }
}

fn runs(list: &RunList, directory: &str) -> Markup {
    html! {
        section #runs aria-labelledby="runs-title" {
            h2 #runs-title { "Runs " span.facts { (list.total) } }
            @if list.runs.is_empty() {
                p { "There are none in " code { (directory) } " yet. " code { "host-runner run job.yaml" } " makes one." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Runs" {
                    table.wide {
                        thead { tr {
                            @for head in ["Outcome", "Job", "Boards", "Started"] { th scope="col" { (head) } }
                            th.number scope="col" { "Took" }
                        } }
                        tbody { @for run in &list.runs { (run_row(run)) } }
                    }
                }
                (pager(list))
            }
        }
    }
}

fn run_row(run: &RunLine) -> Markup {
    html! {
        tr {
            td { (state(run.state, run.outcome)) }
            th scope="row" {
                a href={ "/runs/" (ask::part(&run.id)) "/" } title=(run.id) { (run.job) }
                @if let Some(fault) = &run.fault {
                    div.facts.cut title=(fault.message) { (fault.headline()) }
                }
            }
            td {
                @for (index, board) in run.boards.iter().enumerate() {
                    @if index > 0 { ", " }
                    a href={ "/boards/" (ask::part(board)) } { (board) }
                }
            }
            td.nowrap { @if let Some(started) = run.started { (time(started)) } }
            td.number { (took(run)) }
        }
    }
}

fn took(run: &RunLine) -> Markup {
    let stored = Duration::try_from_secs_f64(run.duration_s).unwrap_or_default();
    html! {
        @match (run.state, run.started) {
            (State::Running, Some(started)) => {
                // Between its results the list does not read the run's events.
                @let age = jiff::Timestamp::now().duration_since(started);
                (span(Duration::from_secs(age.as_secs().max(0).unsigned_abs())))
            }
            _ => { (span(stored)) }
        }
    }
}

fn pager(list: &RunList) -> Markup {
    html! {
        @if list.pages > 1 {
            nav.pager aria-label="Pages of the list" {
                @if list.page > 1 { a rel="prev" href={ "/?page=" (list.page - 1) } { "newer" } " " }
                "page " (list.page) " of " (list.pages)
                @if list.page < list.pages { " " a rel="next" href={ "/?page=" (list.page + 1) } { "older" } }
            }
        }
    }
}
