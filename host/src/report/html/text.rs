//! Times, outcomes and names as the page shows them.

use std::time::Duration;

use maud::{Markup, html};

use crate::event::{Outcome, TestResult};

/// Units that a character of a label in a drawing needs.
const CHARACTER: f64 = 7.0;

/// `12.3 s`, `4 min 05 s`.
pub(crate) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        0..=119 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 120..=7199 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// An outcome as a word in its colour; `None` is what was cut off.
pub(crate) fn outcome(outcome: Option<Outcome>) -> Markup {
    badge(outcome_word(outcome))
}

/// A word in its colour, which the style sheet has under the same word.
pub(super) fn badge(word: &str) -> Markup {
    html! { span class={ "badge " (word) } { (word) } }
}

/// An outcome's word, which is also its class in the style sheet.
pub(super) fn outcome_word(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Pass) => "pass",
        Some(Outcome::Fail) => "fail",
        Some(Outcome::Error) => "error",
        Some(Outcome::Cancelled) => "cancelled",
        None => "unfinished",
    }
}

/// `1 case`, `2 cases`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// As [`outcome_word`], of a part of a run that may go on: what has not ended then is running.
pub(super) fn part_word(outcome: Option<Outcome>, goes_on: bool) -> &'static str {
    if outcome.is_none() && goes_on { "running" } else { outcome_word(outcome) }
}

/// A test's result as a word in its colour.
pub(super) fn result(result: TestResult) -> Markup {
    badge(&result.to_string())
}

/// How many were left out of a list, if any; `where_all` says where they are.
pub(super) fn left_out(count: u64, where_all: &str) -> Markup {
    html! {
        @if count > 0 {
            p.note { (count) " more are left out here; " (where_all) " has all." }
        }
    }
}

/// A coordinate of a drawing, with one decimal.
pub(super) fn px(units: f64) -> String {
    format!("{units:.1}")
}

/// A name cut to a width, if more than a letter or two of it have room.
pub(super) fn fitting(name: &str, width: f64) -> Option<String> {
    let room = (width / CHARACTER).floor().max(0.0) as usize;
    let length = name.chars().count();
    if length <= room {
        return Some(name.to_owned());
    }
    (room >= 4).then(|| name.chars().take(room - 1).chain(['…']).collect())
}
