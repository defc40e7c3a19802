//! Boards with what they do now and, for whoever has control, what switches them: of the first page, and of a board's own.

use maud::{Markup, html};

use crate::serve::ask;
use crate::serve::boards::{BoardLine, Use};

use super::layout::{state, time};

/// A row for each of `boards`.
pub(super) fn board_table(boards: &[BoardLine]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Boards" {
            table.wide {
                thead { tr { @for head in ["Board", "State", "Power", "Last run", "Type"] { th scope="col" { (head) } } } }
                tbody { @for board in boards { (board_row(board)) } }
            }
        }
    }
}

fn board_row(board: &BoardLine) -> Markup {
    let word = match board.state {
        Use::Free => "free",
        Use::Used => "used",
        Use::Unknown => "unknown",
    };
    html! {
        tr {
            th scope="row" { a href={ "/boards/" (ask::part(&board.name)) } { (board.name) } }
            td {
                span class={ "badge " (word) } { (word) }
                @if let Some(holder) = &board.holder {
                    " " span.facts {
                        @if holder.job.is_empty() { code { (holder.run) } } @else { (holder.job) }
                        ", process " (holder.pid) ", since " (time(holder.since))
                    }
                }
                @for waiter in &board.waiting {
                    div.facts { "waits: " (waiter.job) ", process " (waiter.pid) ", since " (time(waiter.since)) }
                }
            }
            td.nowrap { (power(board)) }
            td {
                @if let Some(last) = &board.last_run {
                    (state(last.state, last.outcome)) " "
                    a href={ "/runs/" (ask::part(&last.id)) "/" } { (last.job) } " "
                    @if let Some(started) = last.started { span.facts { (time(started)) } }
                } @else { span.facts { "none" } }
            }
            td { (board.board_type) @if !board.tags.is_empty() { " " span.facts { (board.tags.join(", ")) } } }
        }
    }
}

fn power(board: &BoardLine) -> Markup {
    html! {
        @match (board.is_on, &board.problem) {
            (Some(true), _) => { "on" }
            (Some(false), _) => { "off" }
            (None, Some(problem)) => { span.slow title=(problem) { "not known" } }
            (None, None) => { span.facts { "–" } }
        }
        @if board.can_switch {
            span.control {
                @for (order, word) in [("on", "On"), ("off", "Off"), ("cycle", "Cycle")] {
                    " " button type="button" data-board=(board.name) data-power=(order) aria-label={ (word) ": " (board.name) } { (word) }
                }
            }
        }
    }
}
