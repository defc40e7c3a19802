//! What the live view says: of each node, what it does now, when its time is over, and what came last. Pure.

use std::time::Duration;

use console::{measure_text_width, truncate_str};

use crate::event::{Event, EventKind, Node, Outcome};
use crate::text::steers;

use super::lines::Style;

/// A transfer of which nothing is told for so long rests, or has ended.
const STALLED: Duration = Duration::from_secs(5);

/// Rows and columns of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// The nodes of the run, as the live view shows them.
#[derive(Debug, Default)]
pub(super) struct View {
    nodes: Vec<NodeView>,
}

#[derive(Debug, Default)]
struct NodeView {
    name: String,
    /// The phases that it is to go through.
    planned: Vec<String>,
    /// Number of the phase that it is in, from 1; 0 before the first.
    ordinal: usize,
    phase: Option<OpenPhase>,
    transfer: Option<Transfer>,
    /// The last line of its console or of its tests.
    said: String,
    outcome: Option<Outcome>,
}

#[derive(Debug)]
struct OpenPhase {
    name: String,
    began: Duration,
    ends: Duration,
    /// What sets its end.
    limit: Option<String>,
}

/// A transfer that goes on.
#[derive(Debug)]
struct Transfer {
    what: String,
    /// When it was first told of, and how many bytes it had come to then.
    first: (Duration, u64),
    last: (Duration, u64),
    total: Option<u64>,
}

impl View {
    /// Takes the next event.
    pub(super) fn update(&mut self, event: &Event) {
        if let EventKind::RunStarted { nodes, .. } = &event.kind {
            self.nodes = nodes.iter().map(NodeView::of).collect();
        } else if let Some(node) = event.node.as_deref().and_then(|name| self.node(name)) {
            node.update(event);
        }
    }

    /// `node` has printed a line.
    pub(super) fn said(&mut self, node: &str, text: &str) {
        if let Some(node) = self.node(node).filter(|_| !text.trim().is_empty()) {
            node.said =
                text.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|&c| !steers(c)).collect();
        }
    }

    /// The lines of the view at `now`, the time since the run started: at most two thirds of the rows, none as wide as the
    /// terminal. Nodes for which there is no room are counted, and so are those that have ended.
    pub(super) fn lines(&self, now: Duration, size: Size, style: Style) -> Vec<String> {
        let room = (size.rows * 2 / 3).max(1);
        let running: Vec<_> = self.nodes.iter().filter(|node| node.outcome.is_none()).collect();
        if running.is_empty() {
            return Vec::new();
        }
        let has_ended = running.len() < self.nodes.len();
        let room_for_nodes = room - usize::from(has_ended);
        let has_detail = running.len() * 2 <= room_for_nodes;
        let shown = match running.len() {
            count if count <= room_for_nodes => count,
            _ => room - 1,
        };
        let columns = size.columns.saturating_sub(1);
        let longest = running.iter().map(|node| measure_text_width(&node.name)).max().unwrap_or(0);
        let width = longest.min((columns / 4).max(6));
        let mut lines: Vec<String> =
            running.iter().take(shown).flat_map(|node| node.lines(now, width, has_detail, style)).collect();
        lines.extend(self.rest(running.len() - shown).map(|text| style.dim(&text)));
        lines.into_iter().map(|line| truncate_str(&line, columns, "…").into_owned()).collect()
    }

    /// Those that have no line of their own.
    fn rest(&self, hidden: usize) -> Option<String> {
        let mut parts = Vec::new();
        if hidden > 0 {
            parts.push(format!("{hidden} more"));
        }
        for outcome in [Outcome::Pass, Outcome::Fail, Outcome::Error, Outcome::Cancelled] {
            let count = self.nodes.iter().filter(|node| node.outcome == Some(outcome)).count();
            if count > 0 {
                parts.push(format!("{count} ended: {outcome}"));
            }
        }
        (!parts.is_empty()).then(|| format!("… {}", parts.join(", ")))
    }

    fn node(&mut self, name: &str) -> Option<&mut NodeView> {
        self.nodes.iter_mut().find(|node| node.name == name)
    }
}

impl NodeView {
    fn of(node: &Node) -> Self {
        Self { name: node.name.clone(), planned: node.phases.clone(), ..Self::default() }
    }

    fn update(&mut self, event: &Event) {
        match &event.kind {
            EventKind::PhaseStarted { phase, timeout, limit, .. } => {
                let behind = self.planned.iter().skip(self.ordinal).position(|planned| planned == phase);
                self.ordinal += behind.map_or(0, |distance| distance + 1);
                (self.transfer, self.said) = (None, String::new());
                self.phase = Some(OpenPhase {
                    name: phase.clone(),
                    began: event.elapsed,
                    ends: event.elapsed + *timeout,
                    limit: limit.clone(),
                });
            }
            EventKind::PhaseFinished { .. } => (self.phase, self.transfer) = (None, None),
            EventKind::Progress { what, done, total } => {
                let now = (event.elapsed, *done);
                let goes_on = |transfer: &Transfer| {
                    transfer.what == *what && transfer.last.1 <= *done && transfer.is_moving(event.elapsed)
                };
                let same = self.transfer.take().filter(goes_on);
                let first = same.map_or(now, |transfer| transfer.first);
                let is_over = total.is_some_and(|total| *done >= total);
                self.transfer =
                    (!is_over).then(|| Transfer { what: what.clone(), first, last: now, total: *total });
            }
            EventKind::NodeFinished { outcome, .. } => self.outcome = Some(*outcome),
            _ => {}
        }
    }

    fn lines(&self, now: Duration, width: usize, has_detail: bool, style: Style) -> Vec<String> {
        let name = truncate_str(&self.name, width, "…");
        let padding = " ".repeat(width.saturating_sub(measure_text_width(&name)));
        let detail = self.detail(now, style);
        let head = format!("{name}{padding} {}", self.head(now, has_detail, style));
        match has_detail {
            true => vec![head, format!("{:width$} {detail}", "")],
            false => vec![format!("{head} {detail}")],
        }
    }

    /// `3/7 boot-u-boot 0:12, 4:48 left (…)`.
    fn head(&self, now: Duration, has_limit: bool, style: Style) -> String {
        let Some(phase) = &self.phase else { return style.dim("waits") };
        let ordinal = match self.planned.len() {
            0 => String::new(),
            all => format!("{}/{all} ", self.ordinal),
        };
        let limit = phase.limit.as_ref().filter(|_| has_limit);
        let limit = limit.map(|limit| style.dim(&format!(" ({limit})"))).unwrap_or_default();
        format!(
            "{ordinal}{} {}, {} left{limit}",
            style.bold(&phase.name),
            clock(now.saturating_sub(phase.began)),
            clock(phase.ends.saturating_sub(now)),
        )
    }

    /// What is transferred, and the last line.
    fn detail(&self, now: Duration, style: Style) -> String {
        let transfer = self.transfer.as_ref().filter(|transfer| transfer.is_moving(now)).map(Transfer::text);
        let said = (!self.said.is_empty()).then(|| style.dim(&format!("│ {}", self.said.trim_end())));
        transfer.into_iter().chain(said).collect::<Vec<_>>().join(" ")
    }
}

impl Transfer {
    /// Whether something was told of it a moment ago.
    fn is_moving(&self, now: Duration) -> bool {
        now.saturating_sub(self.last.0) < STALLED
    }

    /// `tftp zImage 2.1 of 5.4 MB, 39 %, 1.1 MB/s`.
    fn text(&self) -> String {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let done = self.last.1;
        let amount = match self.total.filter(|&total| total > 0) {
            Some(total) => {
                let percent = u128::from(done) * 100 / u128::from(total);
                format!("{:.1} of {:.1} MB, {percent} %", megabytes(done), megabytes(total))
            }
            None => format!("{:.1} MB", megabytes(done)),
        };
        let seconds = self.last.0.saturating_sub(self.first.0).as_secs_f64();
        let rate = megabytes(done - self.first.1) / seconds;
        let rate = if seconds > 0.0 { format!(", {rate:.1} MB/s") } else { String::new() };
        format!("{} {amount}{rate}", self.what)
    }
}

/// A time for people: `0:07`, `12:30`, `2:00:00`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { colours: false };
    /// The second of the run at which the view is looked at.
    const AT: u64 = 22;

    fn event(second: u64, node: Option<&str>, kind: EventKind) -> Event {
        Event {
            seq: second,
            at: jiff::Timestamp::UNIX_EPOCH,
            elapsed: Duration::from_secs(second),
            node: node.map(str::to_owned),
            kind,
        }
    }

    fn view(names: &[&str]) -> View {
        let phases = ["prepare", "deploy-tftp", "boot-u-boot"].map(str::to_owned).to_vec();
        let node = |name: &&str| Node {
            name: (*name).to_owned(),
            role: "host".to_owned(),
            board: "bbb1".to_owned(),
            phases: phases.clone(),
        };
        let nodes = names.iter().map(node).collect();
        let mut view = View::default();
        let (job, version) = ("demo".to_owned(), "0.0.0".to_owned());
        view.update(&event(0, None, EventKind::RunStarted { job, version, nodes }));
        view
    }

    fn boots(view: &mut View, name: &str) {
        let started = EventKind::PhaseStarted {
            phase: "boot-u-boot".to_owned(),
            timeout: Duration::from_secs(300),
            limit: Some("`timeouts.job`, job.yaml:3:3".to_owned()),
            place: None,
        };
        view.update(&event(10, Some(name), started));
    }

    fn shown(view: &View, rows: usize, columns: usize) -> Vec<String> {
        let lines = view.lines(Duration::from_secs(AT), Size { rows, columns }, PLAIN);
        assert!(lines.iter().all(|line| measure_text_width(line) < columns), "{lines:#?}");
        assert!(lines.len() <= (rows * 2 / 3).max(1), "{lines:#?}");
        lines
    }

    #[test]
    fn a_node_shows_its_phase_its_time_and_what_it_said() {
        let mut view = view(&["host"]);
        boots(&mut view, "host");
        view.said("host", "[    1.2]\tusb 1-1: \u{202e}new");
        assert_eq!(
            shown(&view, 24, 80),
            [
                "host 3/3 boot-u-boot 0:12, 4:48 left (`timeouts.job`, job.yaml:3:3)",
                "     │ [    1.2] usb 1-1: new"
            ]
        );
        assert_eq!(shown(&view, 24, 40)[0], "host 3/3 boot-u-boot 0:12, 4:48 left (…");
        assert_eq!(shown(&view, 2, 80), ["host 3/3 boot-u-boot 0:12, 4:48 left │ [    1.2] usb 1-1: new"]);
    }

    #[test]
    fn a_transfer_shows_how_far_it_is_and_how_fast() {
        let mut view = view(&["host"]);
        boots(&mut view, "host");
        let progress = |done, total| EventKind::Progress { what: "tftp zImage".to_owned(), done, total };
        view.update(&event(18, Some("host"), progress(1_000_000, Some(8_000_000))));
        assert_eq!(shown(&view, 24, 80)[1], "     tftp zImage 1.0 of 8.0 MB, 12 %");
        view.update(&event(20, Some("host"), progress(4_000_000, Some(8_000_000))));
        assert_eq!(shown(&view, 24, 80)[1], "     tftp zImage 4.0 of 8.0 MB, 50 %, 1.5 MB/s");
        view.update(&event(21, Some("host"), progress(8_000_000, Some(8_000_000))));
        assert_eq!(shown(&view, 24, 80)[1].trim(), "");
        view.said("host", "Starting kernel ...");
        view.update(&event(AT, Some("host"), progress(8_000_000, None)));
        assert_eq!(shown(&view, 24, 80)[1], "     tftp zImage 8.0 MB │ Starting kernel ...");
        view.update(&event(AT - STALLED.as_secs(), Some("host"), progress(9_000_000, None)));
        assert_eq!(shown(&view, 24, 80)[1], "     │ Starting kernel ...");
    }

    #[test]
    fn nodes_that_do_not_fit_are_counted_and_long_names_are_cut() {
        let names: Vec<_> = (0..20).map(|number| format!("a-very-long-name-of-a-role-{number}")).collect();
        let mut view = view(&names.iter().map(String::as_str).collect::<Vec<_>>());
        names.iter().for_each(|name| boots(&mut view, name));
        let lines = shown(&view, 24, 40);
        assert_eq!((lines.len(), lines[15].as_str()), (16, "… 5 more"));
        assert_eq!(lines[0], "a-very-l… 3/3 boot-u-boot 0:12, 4:48 l…");
        assert_eq!(shown(&view, 60, 80).len(), 40);
        let finished = EventKind::NodeFinished { outcome: Outcome::Pass, fault: None };
        view.update(&event(20, Some(&names[0]), finished));
        assert_eq!(shown(&view, 24, 40)[15], "… 4 more, 1 ended: pass");
        assert_eq!(shown(&view, 1, 40), ["… 19 more, 1 ended: pass"]);
    }
}
