//! `/metrics`, for Prometheus: text format 0.0.4.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use crate::event::Outcome;

use super::boards::{BoardLine, Use};
use super::runs::{Run, State};
use super::{MAX_FOLLOWERS, Site};

/// The metrics' text.
pub(super) fn text(site: &Site) -> String {
    let runs = site.runs.list();
    let boards = site.boards(&runs);
    let mut out = Text::default();
    out.family("host_runner_build_info", "gauge", "Which host-runner serves this");
    out.sample("host_runner_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    out.family("host_runner_board_used", "gauge", "Whether a run or command has the board");
    for board in &boards {
        let used = f64::from(u8::from(board.state == Use::Used));
        out.sample("host_runner_board_used", &[("board", &board.name)], used);
    }
    last_runs(&mut out, &boards);
    out.family("host_runner_runs", "gauge", "Runs that are stored, by how they ended");
    for word in ["running", "cut-off", "pass", "fail", "error", "cancelled"] {
        let count = runs.iter().filter(|run| ending(run) == word).count();
        out.sample("host_runner_runs", &[("ending", word)], count as f64);
    }
    out.family("host_runner_serve_requests_total", "counter", "Requests that were answered");
    out.sample("host_runner_serve_requests_total", &[], site.requests.load(Ordering::Relaxed) as f64);
    out.family("host_runner_serve_followers", "gauge", "Streams of events that are open");
    let followers = MAX_FOLLOWERS.saturating_sub(site.followers.available_permits());
    out.sample("host_runner_serve_followers", &[], followers as f64);
    out.0
}

fn last_runs(out: &mut Text, boards: &[BoardLine]) {
    let ended = || {
        let last = |board: &BoardLine| Some((board.name.clone(), board.last_run.clone()?));
        boards.iter().filter_map(last).filter(|(_, run)| run.state != State::Running)
    };
    let name = "host_runner_board_last_run_passed";
    out.family(name, "gauge", "Whether the newest run of the board passed; absent while it goes on");
    for (board, run) in ended() {
        out.sample(name, &[("board", &board)], f64::from(u8::from(run.outcome == Some(Outcome::Pass))));
    }
    let name = "host_runner_board_last_run_duration_seconds";
    out.family(name, "gauge", "How long the newest run of the board took; absent while it goes on");
    for (board, run) in ended() {
        out.sample(name, &[("board", &board)], run.duration_s);
    }
}

/// The word of a run's ending.
fn ending(run: &Run) -> String {
    match (run.state, run.stored.outcome) {
        (State::Running, _) => "running".to_owned(),
        (_, Some(outcome)) => outcome.to_string(),
        (_, None) => "cut-off".to_owned(),
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}.\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<_> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
