//! The terminal: one line per thing that happened, a live line per node while it runs, tables and errors at the end.

mod lines;
mod live;
mod tables;

use std::io::{self, Write};

use crate::event::{Direction, Event, EventKind};
use crate::report::{Reporter, Results};

use lines::ConsoleLines;
use live::Live;
use tables::{faults, nodes_table, phases_table};

/// What the terminal shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whether colours may be used.
    pub colours: bool,
    /// Whether what test definitions print is shown as well.
    pub output: bool,
    /// Whether what boards say on their consoles is shown as well.
    pub console: bool,
    /// Whether a live line per node is drawn below the text; for terminals only.
    pub live: bool,
}

/// The terminal report.
pub struct Terminal {
    out: Box<dyn Write + Send>,
    options: Options,
    live: Option<Live>,
    console: ConsoleLines,
    style: lines::Style,
}

impl Terminal {
    /// Reports to `out`; with [`Options::live`], `out` must be the process's standard output.
    pub fn new(out: Box<dyn Write + Send>, options: Options) -> Self {
        Self {
            out,
            live: options.live.then(Live::new),
            console: ConsoleLines::default(),
            style: lines::Style { colours: options.colours },
            options,
        }
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        match &self.live {
            Some(live) => live.print(text),
            None => writeln!(self.out, "{text}"),
        }
    }

    fn console_lines(&mut self, event: &Event, width: usize) -> io::Result<()> {
        let (source, data) = match &event.kind {
            EventKind::Console { direction: Direction::Rx, data } => (None, data),
            EventKind::Output { definition, data, .. } => (Some(definition.as_str()), data),
            _ => return Ok(()),
        };
        let is_shown = if source.is_some() { self.options.output } else { self.options.console };
        let node = event.node.as_deref().unwrap_or_default();
        for text in self.console.add(node, source, &data.0) {
            if let Some(live) = &mut self.live {
                live.last_line(node, &text);
            }
            if is_shown {
                let line = self.style.console(event, width, source, &text);
                self.line(&line)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, results: &Results) -> io::Result<()> {
        if let Some(live) = self.live.take() {
            live.clear()?;
        }
        let text = [
            nodes_table(results, self.style),
            phases_table(results, self.style),
            faults(results, self.style),
        ];
        for part in text.iter().filter(|part| !part.is_empty()) {
            write!(self.out, "\n{part}")?;
        }
        self.out.flush()
    }
}

impl Reporter for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()> {
        let width = node_width(so_far);
        if let Some(live) = &mut self.live {
            live.update(event);
        }
        self.console_lines(event, width)?;
        for text in self.style.event(event, width) {
            self.line(&text)?;
        }
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            self.finish(so_far)?;
        }
        Ok(())
    }
}

/// Columns that the longest name of a node needs.
fn node_width(results: &Results) -> usize {
    results.nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0).max(4)
}
