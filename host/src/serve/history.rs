//! How long the phases of a board took over its runs, and which took longer than usual.
//!
//! Usual is the median of the times that the phase took in up to ten runs of the same job before it, of those that passed it. Longer than
//! usual is more than half as long again, and at least two seconds more, where there are three such runs.

use crate::event::Outcome;

use super::runs::{Run, State};

/// Runs before, of which the median is taken.
const BEFORE: usize = 10;
/// Fewer say nothing.
const MIN_BEFORE: usize = 3;
/// Times the median.
const FACTOR: f64 = 1.5;
/// More than the median, in seconds: short phases vary by more than their half.
const MIN_EXCESS: f64 = 2.0;

/// A run of a board.
#[derive(Debug)]
pub(super) struct Past<'r> {
    pub(super) run: &'r Run,
    /// In the order of its node.
    pub(super) phases: Vec<PastPhase<'r>>,
}

/// How long a phase took.
#[derive(Debug, PartialEq)]
pub(super) struct PastPhase<'r> {
    pub(super) name: &'r str,
    /// In seconds.
    pub(super) took: f64,
    pub(super) outcome: Option<Outcome>,
    /// What is usual, in seconds, where it took longer than that.
    pub(super) slower_than: Option<f64>,
}

/// The runs of `board` that have ended, the newest first as they are in `runs`.
pub(super) fn of<'r>(board: &str, runs: &'r [Run]) -> Vec<Past<'r>> {
    let phases = |run: &'r Run| {
        let node = run.stored.board_nodes().find(|node| node.board == board)?;
        let phases = node.phases.iter().map(|phase| PastPhase {
            name: &phase.name,
            took: phase.seconds,
            outcome: phase.outcome,
            slower_than: None,
        });
        Some(Past { run, phases: phases.collect() })
    };
    let ended = runs.iter().filter(|run| run.state != State::Running);
    let mut past: Vec<_> = ended.filter_map(phases).collect();
    mark(&mut past);
    past
}

fn mark(past: &mut [Past<'_>]) {
    for index in 0..past.len() {
        let (upto, before) = past.split_at_mut(index + 1);
        let Some(this) = upto.last_mut() else { continue };
        for phase in &mut this.phases {
            let usual = usual(phase.name, &this.run.stored.job, before);
            phase.slower_than =
                usual.filter(|usual| phase.took > usual * FACTOR && phase.took >= usual + MIN_EXCESS);
        }
    }
}

/// The median of the last passes of a phase of a job.
fn usual(name: &str, job: &str, before: &[Past<'_>]) -> Option<f64> {
    let passed = |past: &Past<'_>| {
        past.phases
            .iter()
            .find(|phase| phase.name == name && phase.outcome == Some(Outcome::Pass))
            .map(|phase| phase.took)
    };
    let mut times: Vec<f64> =
        before.iter().filter(|past| past.run.stored.job == job).filter_map(passed).take(BEFORE).collect();
    times.sort_by(f64::total_cmp);
    let upper = times.get(times.len() / 2)?;
    let lower = times.get((times.len() - 1) / 2)?;
    (times.len() >= MIN_BEFORE).then(|| f64::midpoint(*upper, *lower))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::serve::runs::{Stored, StoredNode, StoredPhase};

    fn run(job: &str, seconds: f64, outcome: Outcome) -> Run {
        let phases = vec![StoredPhase { name: "boot".to_owned(), seconds, outcome: Some(outcome) }];
        let node = StoredNode { name: "host".to_owned(), board: "bbb1".to_owned(), phases };
        let stored = Stored { job: job.to_owned(), nodes: vec![node], ..Stored::default() };
        Run { id: seconds.to_string(), state: State::Finished, stored: Arc::new(stored) }
    }

    /// What is usual, for each of those that took longer, the oldest first.
    fn slower(times: &[(f64, Outcome)]) -> Vec<Option<f64>> {
        let runs: Vec<_> =
            times.iter().rev().map(|(seconds, outcome)| run("job", *seconds, *outcome)).collect();
        of("bbb1", &runs).iter().rev().map(|past| past.phases[0].slower_than).collect()
    }

    #[test]
    fn what_is_usual_in_one_job_says_nothing_of_another() {
        let runs = ["long", "smoke", "smoke", "smoke"]
            .map(|job| run(job, if job == "long" { 90.0 } else { 9.0 }, Outcome::Pass));
        assert_eq!(of("bbb1", &runs)[0].phases[0].slower_than, None);
    }

    #[test]
    fn a_phase_is_slow_that_took_half_as_long_again_as_the_median_before_it() {
        let pass = Outcome::Pass;
        let times = [(10.0, pass), (30.0, pass), (12.0, pass), (18.0, pass), (18.1, pass), (27.0, pass)];
        assert_eq!(slower(&times), [None, None, None, None, None, None]);
        let times = [(10.0, pass), (30.0, pass), (12.0, pass), (18.1, pass)];
        assert_eq!(slower(&times), [None, None, None, Some(12.0)]);
    }

    #[test]
    fn failures_and_short_times_do_not_count() {
        let pass = Outcome::Pass;
        assert_eq!(slower(&[(1.0, pass), (1.0, pass), (1.0, pass), (2.9, pass)])[3], None);
        assert_eq!(slower(&[(1.0, Outcome::Fail), (1.0, pass), (1.0, pass), (9.0, pass)])[3], None);
        assert_eq!(of("bbb2", &[run("job", 1.0, pass)]).len(), 0);
    }
}
