//! What should be looked at though it stopped nothing: warnings, and complaints of the nodes' kernels.

use maud::{Markup, html};

use crate::report::Results;
use crate::report::bounded::Bounded;
use crate::report::results::{KernelResult, NodeResults};

use super::{Said, text};

/// Complaints of kernels that are listed.
const MAX_COMPLAINTS: usize = 200;

/// The section; nothing if there was nothing.
pub(super) fn section(run: &Results, warnings: &Bounded<Said>) -> Markup {
    let complaints = || run.nodes.iter().flat_map(|node| node.kernel.iter().map(move |said| (node, said)));
    let unlisted: u64 = run.nodes.iter().map(|node| node.more_of_kernel).sum();
    let all = complaints().count() as u64 + unlisted;
    html! {
        @if !warnings.kept().is_empty() || all > 0 {
            section #warnings aria-labelledby="warnings-title" {
                h2 #warnings-title { "Warnings" }
                ul {
                    @for said in warnings.kept() {
                        li {
                            @if let Some(node) = &said.node { strong { (node) } " " }
                            span.multiline { (said.text) }
                        }
                    }
                }
                (text::left_out(warnings.more(), "run.jsonl"))
                @if all > 0 {
                    h3 { "The kernels complained" }
                    ul { @for (node, said) in complaints().take(MAX_COMPLAINTS) { (complaint(node, said)) } }
                    (text::left_out(all.saturating_sub(MAX_COMPLAINTS as u64), "run.jsonl"))
                }
            }
        }
    }
}

fn complaint(node: &NodeResults, said: &KernelResult) -> Markup {
    html! {
        li {
            strong { (node.name) } " " (said.complaint) ": " code { (said.text) }
            @if let Some(case) = &said.case { " during " (case) }
            @if let Some(definition) = &said.definition { " in " (definition) }
            @if let Some(step) = said.step { ", " (step.script) " step " (step.number) }
        }
    }
}
