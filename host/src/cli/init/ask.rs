//! Questions on the terminal.

use std::io::{self, Write as _};

use super::answer::{Answer, NoEcho, line};
use super::cancelled;
use crate::cli::interrupt::interrupted;
use crate::cli::message::note;
use crate::fault::{Class, Fault};

/// Whether a person says yes.
pub(super) fn agrees(question: &str) -> Result<bool, Fault> {
    ask(&format!("{question} (y/n)"), "n", |text| match text {
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("y or n".to_owned()),
    })
}

/// Asks until the answer is one that `read` takes; an empty one means `usual`.
///
/// # Errors
/// Standard input cannot be read or has ended, or a signal came.
pub(super) fn ask<T>(
    question: &str,
    usual: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Fault> {
    loop {
        let answer = answer(question, usual)?;
        match read(answer.trim()) {
            Ok(value) => return Ok(value),
            Err(why) => note(&format!("  {why}")),
        }
    }
}

/// Asks for a password, which the terminal does not show.
///
/// # Errors
/// As of [`ask`].
pub(super) fn ask_password(question: &str, may_be_empty: bool) -> Result<String, Fault> {
    loop {
        let no_echo = NoEcho::begin().map_err(broken)?;
        let password = answer(question, "")?;
        drop(no_echo);
        if may_be_empty || !password.is_empty() {
            return Ok(password);
        }
        note("  something, please");
    }
}

/// Asks once.
fn answer(question: &str, usual: &str) -> Result<String, Fault> {
    let interrupted = interrupted()?;
    let shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
    let mut out = io::stderr();
    write!(out, "{question}{shown}: ").and_then(|()| out.flush()).map_err(broken)?;
    match line(&interrupted).map_err(broken)? {
        Answer::Line(line) if line.trim().is_empty() => Ok(usual.to_owned()),
        Answer::Line(line) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
        Answer::End => {
            let text = format!("it ended before the answer to `{}`", question.trim());
            Err(Fault::new(Class::Usage, "standard input", text).with_help("--non-interactive asks nothing"))
        }
        Answer::Interrupted => {
            note("");
            Err(cancelled())
        }
    }
}

fn broken(error: io::Error) -> Fault {
    Fault::from_error(Class::Infrastructure, "standard input", &error)
}

/// A number within `range`; an empty answer means the first.
pub(super) fn number(question: &str, range: std::ops::RangeInclusive<u32>) -> Result<i64, Fault> {
    let (first, last) = (*range.start(), *range.end());
    ask(question, &first.to_string(), |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(i64::from(number)),
        _ => Err(format!("a number from {first} to {last}")),
    })
}

/// Some text.
pub(super) fn text(question: &str) -> Result<String, Fault> {
    ask(question, "", |text| match text {
        "" => Err("something, please".to_owned()),
        text => Ok(text.to_owned()),
    })
}
