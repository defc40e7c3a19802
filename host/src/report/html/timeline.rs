//! The nodes and their phases on a line of time.

use std::time::Duration;

use maud::{Markup, html};

use crate::event::Outcome;
use crate::report::Results;
use crate::report::results::{DefinitionResult, NodeResults, PhaseResult};

use super::text::{self, fitting, px};

/// Units of the drawing: about a pixel on a screen of 1100.
const WIDTH: f64 = 960.0;
const LABELS: f64 = 130.0;
const ROW: f64 = 44.0;
const AXIS: f64 = 24.0;
/// Most marks on the line of time.
const MAX_TICKS: f64 = 8.0;

/// What lies between two marks, in seconds: the first that needs no more than [`MAX_TICKS`] is taken.
const STEPS: [f64; 16] =
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0];

/// The section: the drawing, and the same as a table, of a run that may go on.
pub(super) fn section(run: &Results, goes_on: bool) -> Markup {
    html! {
        section #timeline aria-labelledby="timeline-title" {
            h2 #timeline-title { "Phases" }
            div.scroll tabindex="0" role="region" aria-label="Phases of the nodes on a line of time" { (drawing(run, goes_on)) }
            details {
                summary { "As a table" }
                (table(run, goes_on))
            }
        }
    }
}

/// Times to units of the drawing.
#[derive(Clone, Copy)]
struct Scale {
    /// The whole line, in seconds; never zero.
    seconds: f64,
    /// Where it ends for now, and whether what is open there goes on.
    end: Duration,
    goes_on: bool,
}

impl Scale {
    fn x(self, at: Duration) -> f64 {
        LABELS + (at.as_secs_f64() / self.seconds).min(1.0) * WIDTH
    }

    fn width(self, span: Duration) -> f64 {
        (span.as_secs_f64() / self.seconds * WIDTH).max(1.5)
    }

    fn ticks(self) -> impl Iterator<Item = Duration> {
        let step = STEPS.into_iter().find(|step| self.seconds / step <= MAX_TICKS).unwrap_or(self.seconds);
        (0_u32..)
            .map(move |number| f64::from(number) * step)
            .take_while(move |at| *at <= self.seconds)
            .take(MAX_TICKS as usize + 1)
            .filter_map(|at| Duration::try_from_secs_f64(at).ok())
    }
}

fn drawing(run: &Results, goes_on: bool) -> Markup {
    let scale = Scale { seconds: run.duration.as_secs_f64().max(0.001), end: run.duration, goes_on };
    let height = AXIS + ROW * run.nodes.len() as f64;
    let width = LABELS + WIDTH + 50.0;
    html! {
        svg.timeline viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) role="img"
            aria-label="Phases of the nodes on a line of time; the table below has the same" {
            @for at in scale.ticks() {
                @let x = px(scale.x(at));
                line.tick x1=(x) y1=(AXIS) x2=(x) y2=(height) {}
                text.axis x=(x) y=(AXIS - 8.0) { (text::span(at)) }
            }
            @for (row, node) in run.nodes.iter().enumerate() {
                (node_row(node, scale, AXIS + ROW * row as f64))
            }
        }
    }
}

fn node_row(node: &NodeResults, scale: Scale, y: f64) -> Markup {
    html! {
        text.label x="0" y=(y + 22.0) { (fitting(&node.name, LABELS - 8.0).unwrap_or_default()) title { (node.name) } }
        @for phase in &node.phases {
            (bar(phase, scale, y))
        }
        @for definition in &node.definitions {
            (thin_bar(definition, scale, y))
        }
    }
}

fn bar(phase: &PhaseResult, scale: Scale, y: f64) -> Markup {
    let took = took(phase.began, phase.took, phase.outcome, scale.end);
    let (x, width) = (scale.x(phase.began), scale.width(took));
    let word = text::part_word(phase.outcome, scale.goes_on);
    html! {
        g {
            title { (phase.name) ": " (word) ", " (text::span(took)) ", from " (text::span(phase.began)) }
            rect class={ "bar " (word) } x=(px(x)) y=(y + 6.0) width=(px(width)) height="24" rx="2" {}
            @if let Some(label) = fitting(&phase.name, width - 8.0) {
                text.inside x=(px(x + 4.0)) y=(y + 22.0) { (label) }
            }
        }
    }
}

fn thin_bar(definition: &DefinitionResult, scale: Scale, y: f64) -> Markup {
    let word = text::part_word(definition.outcome, scale.goes_on);
    let took = took(definition.began, definition.took, definition.outcome, scale.end);
    html! {
        g {
            title { (definition.name) ": " (word) ", " (text::span(took)) }
            rect class={ "bar " (word) } x=(px(scale.x(definition.began))) y=(y + 32.0)
                width=(px(scale.width(took))) height="6" {}
        }
    }
}

/// How long a phase or definition took, or has taken until now, or until the run was cut off.
fn took(began: Duration, took: Duration, outcome: Option<Outcome>, end: Duration) -> Duration {
    if outcome.is_some() { took } else { end.saturating_sub(began) }
}

fn table(run: &Results, goes_on: bool) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Phases as a table" {
            table {
                thead { tr {
                    @for head in ["Node", "Phase", "Outcome", "Began", "Took", "In the job"] { th scope="col" { (head) } }
                } }
                tbody {
                    @for node in &run.nodes {
                        @for phase in &node.phases {
                            tr {
                                th scope="row" { (node.name) }
                                td { (phase.name) }
                                td { (text::badge(text::part_word(phase.outcome, goes_on))) }
                                td.number { (text::span(phase.began)) }
                                td.number { (text::span(took(phase.began, phase.took, phase.outcome, run.duration))) }
                                td { (phase.place.as_deref().unwrap_or_default()) }
                            }
                        }
                    }
                }
            }
        }
    }
}
