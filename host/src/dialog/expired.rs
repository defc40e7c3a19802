//! A wait that ended without what it waited for.

use std::fmt;
use std::time::Duration;

use super::Scan;
use crate::fault::LAST_LINES;
use crate::limit::Limit;
use crate::text::clip;

/// How much noise is shown, in bytes.
const NOISE: usize = 100;

/// What was awaited, how long, and what the board said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// What did not come, such as `autoboot prompt`.
    pub awaited: String,
    /// How long it was waited for.
    pub waited: Duration,
    /// The time that was over: that of this wait, or of what it is part of.
    pub limit: Limit,
    /// The board's last lines, printable; empty if it said nothing.
    pub last_output: String,
    /// Whether that was mostly not text.
    pub garbage: bool,
}

impl Expired {
    pub(super) fn new(awaited: impl Into<String>, waited: Duration, limit: &Limit, scan: &Scan) -> Self {
        let garbage = scan.is_garbage();
        // Noise tells nobody anything: a little of it is enough to see what it is.
        let last_output = if garbage { clip(&scan.tail().replace('\n', " "), NOISE) } else { scan.tail() };
        Self { awaited: awaited.into(), waited, limit: limit.clone(), last_output, garbage }
    }
}

impl std::error::Error for Expired {}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { awaited, waited, limit, last_output, garbage } = self;
        write!(f, "no {awaited} within {} s (at most {limit}); ", waited.as_secs_f64().ceil())?;
        if *garbage {
            write!(f, "what came is mostly not text: this looks like a wrong baud rate; ")?;
        }
        write!(f, "{}", LastOutput(last_output))
    }
}

/// Displays the board's last lines, indented.
pub(crate) struct LastOutput<'a>(pub(crate) &'a str);

impl fmt::Display for LastOutput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the board said nothing (is it powered, and is this its console?)");
        }
        f.write_str(LAST_LINES)?;
        self.0.lines().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
