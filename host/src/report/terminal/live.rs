//! The live lines below the text: what each node does now, how long, and the last line of its console.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::event::{Event, EventKind};

/// How often the spinner and the elapsed times move.
const TICK: Duration = Duration::from_millis(250);

/// A live line per node.
pub(super) struct Live {
    bars: MultiProgress,
    nodes: HashMap<String, NodeLine>,
}

struct NodeLine {
    bar: ProgressBar,
    phase: String,
    detail: String,
}

impl NodeLine {
    fn show(&self) {
        self.bar.set_message(format!("{} {}", self.phase, self.detail));
    }
}

impl Live {
    pub(super) fn new() -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        Self { bars, nodes: HashMap::new() }
    }

    pub(super) fn print(&self, text: &str) -> io::Result<()> {
        self.bars.println(text)
    }

    pub(super) fn clear(self) -> io::Result<()> {
        for line in self.nodes.values() {
            line.bar.finish_and_clear();
        }
        self.bars.clear()
    }

    pub(super) fn last_line(&mut self, node: &str, text: &str) {
        if let Some(line) = self.nodes.get_mut(node) {
            text.trim().clone_into(&mut line.detail);
            line.show();
        }
    }

    pub(super) fn update(&mut self, event: &Event) {
        if let EventKind::RunStarted { nodes, .. } = &event.kind {
            let width = nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0);
            for node in nodes {
                self.add_node(&node.name, width);
            }
            return;
        }
        let Some(line) = event.node.as_ref().and_then(|node| self.nodes.get_mut(node)) else { return };
        match &event.kind {
            EventKind::PhaseStarted { phase, .. } => {
                line.bar.reset_elapsed();
                line.phase.clone_from(phase);
                line.detail.clear();
                line.show();
            }
            EventKind::PhaseFinished { .. } => {
                line.detail.clear();
                line.show();
            }
            EventKind::Progress { what, done, total } => {
                line.detail = progress(what, *done, *total);
                line.show();
            }
            EventKind::NodeFinished { outcome, .. } => line.bar.finish_with_message(outcome.to_string()),
            _ => {}
        }
    }

    fn add_node(&mut self, name: &str, width: usize) {
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed:>4} {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(format!("{name:<width$}"));
        bar.enable_steady_tick(TICK);
        self.nodes.insert(name.to_owned(), NodeLine { bar, phase: String::new(), detail: String::new() });
    }
}

/// A transfer for people: `tftp zImage 2.1 of 5.4 MB (39 %)`.
fn progress(what: &str, done: u64, total: Option<u64>) -> String {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    match total {
        Some(total) if total > 0 => format!(
            "{what} {:.1} of {:.1} MB ({} %)",
            megabytes(done),
            megabytes(total),
            u128::from(done) * 100 / u128::from(total)
        ),
        _ => format!("{what} {:.1} MB", megabytes(done)),
    }
}
