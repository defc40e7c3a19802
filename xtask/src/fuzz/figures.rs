//! What libFuzzer writes about a run (LLVM's libFuzzer.html, "Output").

use std::fmt;

/// What came of a run that found no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    executions: u64,
    per_second: u64,
    /// Edges of the program that the checked-in inputs pass, and all of the run together.
    covered: [u64; 2],
    /// Inputs that reached something new.
    found: u64,
    /// Peak of the memory, in MiB.
    memory: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { executions, per_second, covered: [before, after], found, memory } = self;
        let new = after.saturating_sub(*before);
        write!(
            f,
            "{executions:>9} executions, {per_second:>7}/s, {after:>6} edges, {new:>4} of them new by {found} inputs, \
             {memory} MiB"
        )
    }
}

impl Figures {
    /// Reads them from what libFuzzer wrote; `None` if something is missing.
    pub(super) fn parse(log: &str) -> Option<Self> {
        Some(Self {
            executions: statistic(log, "number_of_executed_units")?,
            per_second: statistic(log, "average_exec_per_sec")?,
            covered: [coverage(log, "INITED")?, coverage(log, "DONE")?],
            found: statistic(log, "new_units_added")?,
            memory: statistic(log, "peak_rss_mb")?,
        })
    }
}

fn statistic(log: &str, name: &str) -> Option<u64> {
    let mut values = log.lines().filter_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
    values.next_back()?.strip_prefix(':')?.trim().parse().ok()
}

fn coverage(log: &str, event: &str) -> Option<u64> {
    let line = log.lines().find(|line| line.starts_with('#') && line.contains(event))?;
    line.split_once("cov: ")?.1.split(' ').next()?.parse().ok()
}

/// Where the input is that made a target fail, if one did.
pub(super) fn failing_input(log: &str) -> Option<&str> {
    log.lines().find_map(|line| Some(line.split_once("Test unit written to ")?.1))
}

/// Why a target failed: its panic, or libFuzzer's own words.
pub(super) fn failure(log: &str) -> String {
    let mut lines = log.lines().skip_while(|line| !line.contains("panicked at "));
    if let Some(place) = lines.next() {
        let what: Vec<&str> =
            lines.take_while(|line| !line.starts_with("note: ") && !line.contains("==")).collect();
        return format!("{place} {}", what.join(" ").chars().take(500).collect::<String>());
    }
    let error = log.lines().find_map(|line| Some(line.split_once("ERROR: libFuzzer: ")?.1));
    error.unwrap_or("it ended early").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "INFO: Seed: 1
#43\tINITED cov: 1203 ft: 2345 corp: 40/12Kb exec/s: 0 rss: 40Mb
#64\tNEW    cov: 1210 ft: 2346 corp: 41/12Kb lim: 4096 exec/s: 0 rss: 40Mb L: 3/4 MS: 1 CopyPart-
#131072\tDONE   cov: 1210 ft: 2346 corp: 41/12Kb lim: 4096 exec/s: 43690 rss: 38Mb
Done 131072 runs in 3 second(s)
stat::number_of_executed_units: 131072
stat::average_exec_per_sec:     43690
stat::new_units_added:          1
stat::slowest_unit_time_sec:    0
stat::peak_rss_mb:              39
";

    const BAD: &str = "#43\tINITED cov: 1203 ft: 2345 corp: 40/12Kb exec/s: 0 rss: 40Mb

thread '<unnamed>' (1) panicked at host/src/lib.rs:3:5:
attempt to add with overflow
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
==1== ERROR: libFuzzer: deadly signal
artifact_prefix='work/'; Test unit written to work/crash-da39
";

    #[test]
    fn a_run_without_failures_has_figures() {
        let figures = Figures::parse(GOOD).unwrap();
        assert_eq!(figures.covered, [1203, 1210]);
        assert_eq!((figures.executions, figures.per_second), (131_072, 43_690));
        assert_eq!((figures.found, figures.memory), (1, 39));
        assert_eq!(failing_input(GOOD), None);
        assert_eq!(Figures::parse(&GOOD.replace("DONE", "DIED")), None);
    }

    #[test]
    fn a_failure_has_an_input_and_a_reason() {
        assert_eq!(failing_input(BAD), Some("work/crash-da39"));
        let panic = "thread '<unnamed>' (1) panicked at host/src/lib.rs:3:5: attempt to add with overflow";
        assert_eq!(failure(BAD), panic);
        assert_eq!(failure("==1== ERROR: libFuzzer: timeout after 20 seconds\n"), "timeout after 20 seconds");
    }
}
