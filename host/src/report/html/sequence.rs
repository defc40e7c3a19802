//! What the nodes asked of the group and were answered, as a sequence diagram.

use maud::{Markup, html};

use crate::report::Results;
use crate::report::bounded::Bounded;

use super::text::{fitting, px};
use super::{Said, text};

/// Units of the drawing: about a pixel.
const TIMES: f64 = 80.0;
const COLUMN: f64 = 210.0;
const HEAD: f64 = 34.0;
const ROW: f64 = 26.0;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A node asks.
    Asked,
    /// The group has released the node.
    Released,
    /// The group has refused.
    Refused,
}

impl Way {
    /// Of a message, and what is left to say of it.
    fn of(text: &str) -> (Self, &str) {
        if let Some(request) = text.strip_suffix(": done") {
            (Self::Released, request)
        } else if text.contains(": refused: ") {
            (Self::Refused, text)
        } else {
            (Self::Asked, text)
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Released => "released",
            Self::Refused => "refused",
        }
    }
}

/// The section; nothing if the nodes asked nothing.
pub(super) fn section(run: &Results, messages: &Bounded<Said>) -> Markup {
    html! {
        @if !messages.kept().is_empty() {
            section #group aria-labelledby="group-title" {
                h2 #group-title { "Messages of the group" }
                div.scroll tabindex="0" role="region" aria-label="Messages of the group as a sequence diagram" {
                    (drawing(run, messages.kept()))
                }
                (text::left_out(messages.more(), "run.jsonl"))
                details {
                    summary { "As a list" }
                    ol { @for said in messages.kept() {
                        li { (text::span(said.elapsed)) " " strong { (said.node.as_deref().unwrap_or("run")) } " " code { (said.text) } }
                    } }
                }
            }
        }
    }
}

fn drawing(run: &Results, messages: &[Said]) -> Markup {
    let height = HEAD + ROW * (messages.len() as f64 + 0.7);
    let width = TIMES + COLUMN * (run.nodes.len() as f64 + 0.6);
    let x = |column: usize| TIMES + 40.0 + COLUMN * column as f64;
    html! {
        svg.sequence viewBox={ "0 0 " (px(width)) " " (px(height)) } width=(px(width)) height=(px(height)) role="img"
            aria-label="Messages between the nodes and the group; the list below has the same" {
            @for (column, name) in std::iter::once("group").chain(run.nodes.iter().map(|node| node.name.as_str())).enumerate() {
                text.head x=(x(column)) y="18" { (name) }
                line.life x1=(x(column)) y1=(HEAD - 8.0) x2=(x(column)) y2=(px(height)) {}
            }
            @for (row, said) in messages.iter().enumerate() {
                @if let Some(column) = run.nodes.iter().position(|node| Some(&node.name) == said.node.as_ref()) {
                    (arrow(said, x(0), x(column + 1), HEAD + ROW * (row as f64 + 1.0)))
                }
            }
        }
    }
}

/// An arrow from or to the line of the group, with its words on the node's side of it.
fn arrow(said: &Said, group: f64, node: f64, y: f64) -> Markup {
    let (way, words) = Way::of(&said.text);
    let (from, to) = if way == Way::Asked { (node, group) } else { (group, node) };
    let back = if to > from { -8.0 } else { 8.0 };
    let tip = format!("{to},{y} {},{} {},{}", to + back, y - 4.0, to + back, y + 4.0);
    html! {
        g class=(way.class()) {
            title { (text::span(said.elapsed)) " " (said.text) }
            text.time x="0" y=(y) { (text::span(said.elapsed)) }
            line.arrow x1=(from) y1=(y) x2=(to) y2=(y) {}
            polygon.tip points=(tip) {}
            text.words x=(node - 12.0) y=(y - 5.0) { (fitting(words, node - group - 16.0).unwrap_or_default()) }
        }
    }
}
