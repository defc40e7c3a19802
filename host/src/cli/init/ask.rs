//! Questions on the terminal.

use std::io::{self, BufRead as _, Write as _};

use crate::cli::message::note;
use crate::fault::{Class, Fault};

/// Longest answer, in bytes.
const LONGEST_ANSWER: u64 = 4096;

/// Whether a person says yes.
pub(super) fn agrees(question: &str) -> Result<bool, Fault> {
    ask(&format!("{question} (y/n)"), "n", |text| match text {
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("y or n".to_owned()),
    })
}

/// Asks until the answer is one that `read` takes; an empty one means `usual`.
pub(super) fn ask<T>(
    question: &str,
    usual: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Fault> {
    let broken = |error: io::Error| Fault::from_error(Class::Infrastructure, "standard input", &error);
    loop {
        let shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
        let mut out = io::stderr();
        write!(out, "{question}{shown}: ").and_then(|()| out.flush()).map_err(broken)?;
        let mut line = String::new();
        let count =
            io::Read::take(io::stdin().lock(), LONGEST_ANSWER).read_line(&mut line).map_err(broken)?;
        if count == 0 {
            let fault = Fault::new(
                Class::Usage,
                "standard input",
                format!("it ended before the answer to `{}`", question.trim()),
            );
            return Err(fault.with_help("--non-interactive asks nothing"));
        }
        let answer = match line.trim() {
            "" => usual,
            answer => answer,
        };
        match read(answer) {
            Ok(value) => return Ok(value),
            Err(why) => note(&format!("  {why}")),
        }
    }
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
