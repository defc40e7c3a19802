//! The page of a run: what it has come to, its consoles and its files.

use std::time::Duration;

use hyper::{Response, StatusCode};
use maud::{Markup, html};

use crate::report::html::{Live, span};
use crate::report::{Results, file_name};
use crate::serve::answer::{self, Body};
use crate::serve::control::StartedState;
use crate::serve::files::{self, StoredFile};
use crate::serve::runs::{self, State};
use crate::serve::watched::Watched;
use crate::serve::{Site, ask};
use crate::text::Size;

use super::layout::{Page, state, time};

/// The page of the run `id`, with or without what its consoles have said; `None` if there is no such run.
pub(in crate::serve) fn page(site: &Site, id: &str, with_consoles: bool) -> Option<Response<Body>> {
    let directory = site.runs.find(id)?;
    let files = files::list(&directory);
    let shown = site.watched.with(id, &directory, |run| {
        let far = runs::state(&directory, run.live().results().outcome);
        page_of(run, &About { site, id, far, files: &files, with_consoles })
    });
    Some(shown.unwrap_or_else(|error| {
        let words = format!("The events of this run cannot be read: {error}\n");
        answer::text(StatusCode::INTERNAL_SERVER_ERROR, words)
    }))
}

/// What a page is made of beside the run's events.
struct About<'a> {
    site: &'a Site,
    id: &'a str,
    far: State,
    files: &'a [StoredFile],
    with_consoles: bool,
}

impl About<'_> {
    /// Whether whoever has the token may end it.
    fn can_be_cancelled(&self) -> bool {
        let started = self.site.started();
        started.iter().any(|run| run.id == self.id && run.state == StartedState::Running)
    }
}

fn page_of(run: &mut Watched, about: &About<'_>) -> Response<Body> {
    let &About { site, id, far, files, with_consoles } = about;
    let goes_on = far == State::Running;
    let (offset, from) = (run.offset(), run.console_offset());
    let live = run.live();
    if let Some(started) = live.results().started.filter(|_| goes_on) {
        let age = jiff::Timestamp::now().duration_since(started);
        live.goes_on_for(Duration::try_from(age).unwrap_or_default());
    }
    let results = live.results();
    let title = format!("{}: {}", word(far, results), job(results, id));
    let main = html! {
        div #live data-state=(if goes_on { "running" } else { "ended" }) data-offset=(offset) {
            section #facts {
                (facts(results, far))
                @if about.can_be_cancelled() { p.control { button type="button" data-cancel=(id) { "Cancel this run" } } }
            }
            (live.sections(goes_on))
            section #files aria-labelledby="files-title" { (file_list(files)) }
        }
        (terminals(live, from, goes_on))
        @if with_consoles { (live.consoles()) }
        p.note #connection role="status" {}
    };
    let header = html! { h1 { (job(results, id)) } };
    let has_control = site.control.is_some();
    let page = Page { title: &title, script: Some("run.js"), styles: &["xterm.css"], has_control };
    page.answer(StatusCode::OK, header, main)
}

fn job<'r>(results: &'r Results, id: &'r str) -> &'r str {
    if results.job.is_empty() { id } else { &results.job }
}

fn word(far: State, results: &Results) -> String {
    match (far, results.outcome) {
        (State::Running, _) => "running".to_owned(),
        (_, Some(outcome)) => outcome.to_string(),
        (_, None) => "cut off".to_owned(),
    }
}

fn facts(results: &Results, far: State) -> Markup {
    html! {
        p {
            (state(far, results.outcome)) " "
            span.facts {
                @if let Some(started) = results.started { "started " (time(started)) " · " }
                @if far == State::Running { "for " } @else { "took " }
                (span(results.duration)) " · host-runner " (results.version)
                @if results.has_job_file { " · " a href="job.yaml" { "job.yaml" } }
            }
        }
        @if !results.nodes.is_empty() {
            p.facts {
                @for (index, node) in results.nodes.iter().enumerate() {
                    @if index > 0 { " · " }
                    (node.name) " on "
                    @if results.nodes.iter().any(|other| other.name == node.board) { (node.board) }
                    @else { a href={ "/boards/" (ask::part(&node.board)) } { (node.board) } }
                }
            }
        }
    }
}

/// Where scripts put terminals, of those nodes that have said something; without scripts the consoles are text.
fn terminals(live: &Live, from: u64, goes_on: bool) -> Markup {
    html! {
        section #terminals hidden data-from=(from) aria-labelledby="terminals-title" {
            h2 #terminals-title { "Consoles" }
            @if from > 0 { p.note { "What was said before is in the files." } }
            @for node in &live.results().nodes {
                @let said = live.has_said(&node.name);
                @let file = file_name(&node.name);
                div.terminal.silent[!said] data-node=(node.name) id={ "terminal-" (file) } {
                    h3 {
                        (node.name) " " a.facts href={ "console/" (ask::part(&file)) ".log" } { "log" }
                        @if goes_on && live.results().nodes.iter().all(|other| other.name != node.board) {
                            " " button.control type="button" data-type=(node.board) aria-pressed="false" { "Type" }
                        }
                    }
                    p.note { "It has said nothing." }
                    div.screen {}
                }
            }
        }
    }
}

fn file_list(files: &[StoredFile]) -> Markup {
    html! {
        h2 #files-title { "Files" }
        details {
            summary { @match files.len() { 1 => "1 file", count => { (count) " files" } } }
            ul.files {
                @for file in files {
                    li { a href=(ask::path(&file.name)) { (file.name) } " " span.facts { (Size(file.size)) } }
                }
            }
        }
    }
}
