//! Events as lines of text.

use crate::event::{Event, EventKind, Outcome, TestCase, TestResult};
use crate::report::lines::Line;

/// Whether and how text is coloured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) colours: bool,
}

impl Style {
    fn paint(self, style: console::Style, text: &str) -> String {
        style.force_styling(self.colours).apply_to(text).to_string()
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint(console::Style::new().dim(), text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint(console::Style::new().bold(), text)
    }

    fn warn(self, text: &str) -> String {
        self.paint(console::Style::new().yellow(), text)
    }

    pub(super) fn outcome(self, outcome: Outcome, text: &str) -> String {
        let style = console::Style::new();
        let style = match outcome {
            Outcome::Pass => style.green(),
            Outcome::Fail | Outcome::Error => style.red().bold(),
            Outcome::Cancelled => style.yellow(),
        };
        self.paint(style, text)
    }

    fn result(self, result: TestResult) -> String {
        let style = console::Style::new();
        let style = match result {
            TestResult::Pass => style.green(),
            TestResult::Fail => style.red().bold(),
            TestResult::Skip | TestResult::Unknown => style.yellow(),
        };
        self.paint(style, &format!("{result:<7}"))
    }

    /// A line of console text, or of what a definition printed, which is brighter.
    pub(super) fn console(self, event: &Event, width: usize, line: &Line) -> String {
        let text = &line.text;
        let line = match &line.definition {
            Some(definition) => self.dim(&format!("{definition} │ ")) + text,
            None => self.dim(&format!("│ {text}")),
        };
        self.prefix(event, width) + &line
    }

    fn prefix(self, event: &Event, width: usize) -> String {
        let node = event.node.as_deref().unwrap_or("");
        let time = self.dim(&format!("{:>7.1}", event.elapsed.as_secs_f64()));
        format!("{time}  {node:<width$}  ")
    }

    /// The lines for an event; none for those that only reports for machines need.
    pub(super) fn event(self, event: &Event, width: usize) -> Vec<String> {
        let texts: Vec<String> = match &event.kind {
            EventKind::RunStarted { job, nodes, .. } => {
                let count = nodes.len();
                let mut lines = vec![format!(
                    "job {}, {count} node{}",
                    self.bold(job),
                    if count == 1 { "" } else { "s" }
                )];
                lines.extend(nodes.iter().map(|n| format!("  {}: role {} on {}", n.name, n.role, n.board)));
                lines
            }
            // The warning before it has said so.
            EventKind::AttemptFailed { .. } => Vec::new(),
            EventKind::PhaseStarted { phase, timeout, .. } => {
                vec![self.dim(&format!("{phase} … (at most {})", span(timeout.as_secs_f64().round() as u64)))]
            }
            EventKind::PhaseFinished { phase, took, outcome } => {
                let outcome = self.outcome(*outcome, &outcome.to_string());
                vec![format!("{} {outcome} {:.1} s", self.bold(phase), took.as_secs_f64())]
            }
            EventKind::Note { text } => text.lines().map(str::to_owned).collect(),
            EventKind::Warning { text } => {
                text.lines().map(|line| format!("{} {line}", self.warn("warning:"))).collect()
            }
            EventKind::Kernel { complaint, text, definition, step, case } => {
                let place = [
                    case.as_ref().map(|case| format!("during {case}")),
                    definition.as_ref().map(|definition| format!("in {definition}")),
                    step.map(|step| format!("{} step {}", step.script, step.number)),
                ];
                let place: Vec<_> = place.into_iter().flatten().collect();
                let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(", ")) };
                vec![format!("{} {text}{place}", self.warn(&format!("kernel {complaint}:")))]
            }
            EventKind::DefinitionStarted { definition, .. } => {
                vec![format!("definition {}", self.bold(definition))]
            }
            EventKind::TestCase(case) => vec![self.test_case(case)],
            EventKind::DefinitionFinished { definition, outcome, took, reason } => {
                // That it passes is no word about its cases, which have failed perhaps.
                let outcome = match outcome {
                    Outcome::Pass => self.outcome(Outcome::Pass, "ran to its end,"),
                    other => self.outcome(*other, &other.to_string()),
                };
                let reason = reason.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
                vec![format!("definition {definition} {outcome} {:.1} s{reason}", took.as_secs_f64())]
            }
            EventKind::Group { text } => vec![self.dim(&format!("group: {text}"))],
            EventKind::NodeFinished { outcome, fault } => {
                let what = self.outcome(*outcome, &outcome.to_string());
                let reason =
                    fault.as_ref().map(|fault| format!(": {}", fault.headline())).unwrap_or_default();
                vec![format!("ended: {what}{reason}")]
            }
            EventKind::JobRead { .. }
            | EventKind::Progress { .. }
            | EventKind::Console { .. }
            | EventKind::StepStarted { .. }
            | EventKind::Output { .. }
            | EventKind::ScriptFinished { .. }
            | EventKind::TestSet { .. }
            | EventKind::RunFinished { .. } => Vec::new(),
        };
        texts.into_iter().map(|text| self.prefix(event, width) + &text).collect()
    }

    fn test_case(self, case: &TestCase) -> String {
        let set = case.set.as_ref().map(|set| format!("{set}.")).unwrap_or_default();
        let measured = case
            .measurement
            .map(|value| format!(" {value} {}", case.units.as_deref().unwrap_or_default()))
            .unwrap_or_default();
        let comment = case.comment.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
        format!("  {} {set}{}{}{comment}", self.result(case.result), case.case, measured.trim_end())
    }
}

/// A number of seconds for people: `90 s`, `15 min`, `2 h`.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}
