//! The terminal: one line per thing that happened, a live view of the nodes below while it runs, tables and failures at the
//! end.

mod failures;
mod lines;
mod screen;
mod tables;
mod view;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::event::{Event, EventKind};
use crate::report::evidence::Evidence;
use crate::report::lines::{Line, Lines};
use crate::report::output::Output;
use crate::report::{Reporter, Results};

use failures::failures;
use screen::Screen;
use tables::{nodes_table, phases_table};

pub use screen::erase;

/// What the terminal shows.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether colours may be used.
    pub colours: bool,
    /// Whether what test definitions print is shown as well.
    pub output: bool,
    /// Whether what boards say on their consoles is shown as well.
    pub console: bool,
    /// A live view of the nodes is drawn below the text, for terminals only.
    pub live: Option<Live>,
    /// Whether nothing but failures and the last line is shown.
    pub quiet: bool,
    /// Nothing is shown of what came before.
    pub from: Moment,
    /// The directory of the run's files, to be named at the end.
    pub files: Option<PathBuf>,
}

/// A moment of a run. Many events may have the same time, so that one of them can be meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Since the run's start.
    pub elapsed: Duration,
    /// The number of the first event of it.
    pub event: u64,
}

impl Moment {
    /// Whether the event comes before it.
    pub fn is_after(self, event: &Event) -> bool {
        event.elapsed < self.elapsed || event.seq < self.event
    }
}

/// A view that is drawn over again and again.
#[derive(Clone, Debug)]
pub struct Live {
    /// How fast the run's time goes, 1 being the time of the bench PC.
    pub speed: f64,
    /// The terminal.
    pub out: Output,
}

/// The terminal report.
pub struct Terminal {
    out: Box<dyn Write + Send>,
    options: Options,
    screen: Option<Screen>,
    lines: Lines,
    evidence: Evidence,
    style: lines::Style,
    /// Whether the last word is said: reports that could not be written then are among it.
    has_ended: bool,
}

impl Terminal {
    /// Reports to `out`; with [`Options::live`], to the same output.
    pub fn new(out: Box<dyn Write + Send>, options: Options) -> Self {
        let style = lines::Style { colours: options.colours };
        Self {
            out,
            screen: options.live.clone().map(|live| Screen::new(style, live)),
            lines: Lines::default(),
            evidence: Evidence::default(),
            style,
            options,
            has_ended: false,
        }
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        match &self.screen {
            Some(screen) => screen.print(text),
            None => writeln!(self.out, "{text}"),
        }
    }

    /// The lines of an event, of boards and tests first.
    fn texts(&self, event: &Event, printed: &[Line], width: usize) -> Vec<String> {
        // The live view says it.
        let is_shown_live = self.screen.is_some() && matches!(event.kind, EventKind::PhaseStarted { .. });
        if self.options.quiet || is_shown_live || self.has_ended || self.options.from.is_after(event) {
            return Vec::new();
        }
        let is_shown = |definition: &Option<String>| {
            if definition.is_some() { self.options.output } else { self.options.console }
        };
        let printed = printed.iter().filter(|line| is_shown(&line.definition));
        let printed = printed.map(|line| self.style.console(event, width, line));
        printed.chain(self.style.event(event, width)).collect()
    }

    fn finish(&mut self, results: &Results) -> io::Result<()> {
        self.screen = None;
        let tables = [nodes_table(results, self.style), phases_table(results, self.style)];
        for table in tables.iter().filter(|table| !table.is_empty() && !self.options.quiet) {
            write!(self.out, "\n{table}")?;
        }
        let between = if self.options.quiet { "" } else { "\n" };
        let files = self.options.files.as_deref();
        write!(self.out, "{between}{}", failures(results, &self.evidence, files, self.style))?;
        self.out.flush()
    }
}

impl Reporter for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()> {
        let printed = self.lines.add(event);
        if let Some(screen) = &self.screen {
            screen.update(event.elapsed, |view| {
                view.update(event);
                if let Some((node, line)) = event.node.as_ref().zip(printed.last()) {
                    view.said(node, &line.text);
                }
            });
        }
        self.evidence.add(event, &printed, &self.lines, so_far);
        for text in self.texts(event, &printed, node_width(so_far)) {
            self.line(&text)?;
        }
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            self.finish(so_far)?;
            self.has_ended = true;
        }
        Ok(())
    }

    fn cut_off(&mut self, _: &Results) -> io::Result<()> {
        self.screen = None;
        self.out.flush()
    }
}

/// Columns that the longest name of a node needs.
fn node_width(results: &Results) -> usize {
    results.nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0).max(4)
}
