//! What every node said: its last lines, to be searched.

use maud::{Markup, html};

use crate::report::lines::Line;
use crate::report::results::NodeResults;
use crate::report::tail::Tails;
use crate::report::{Results, file_name};

/// The section; nothing if no node said anything.
pub(super) fn section(run: &Results, consoles: &Tails) -> Markup {
    let nodes = || run.nodes.iter().filter_map(|node| Some((node, consoles.of(&node.name)?)));
    html! {
        @if nodes().next().is_some() {
            section #console aria-labelledby="console-title" {
                h2 #console-title { "Consoles" }
                @for (node, tail) in nodes() {
                    @let id = id(node);
                    @let lines = format!("{id}-lines");
                    details id=(id) {
                        summary { (node.name) " " span.facts { @match tail.lines().count() { 1 => "1 line", count => { (count) " lines" } } } }
                        p.note {
                            @if tail.left_out() > 0 { (tail.left_out()) " lines before these are left out here. " }
                            "All is in " a href={ "console/" (file_name(&node.name)) ".log" } { "the log file" } "."
                        }
                        label.search hidden { "Only lines with " input type="search" data-lines=(lines); }
                        pre.console id=(lines) tabindex="0" aria-label={ "Console of " (node.name) } {
                            @for said in tail.lines() { (line(said)) }
                        }
                    }
                }
            }
        }
    }
}

/// The id of a node's part of the section.
pub(super) fn id(node: &NodeResults) -> String {
    format!("console-{}", file_name(&node.name))
}

/// A line with its time, and with the definition that printed it.
pub(super) fn line(said: &Line) -> Markup {
    html! {
        span.line {
            time { (said.began.strftime("%H:%M:%S%.3f")) } " "
            @if let Some(definition) = &said.definition { b { (definition) "│" } " " }
            (said.text) "\n"
        }
    }
}
