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
    results: Results,
    console: ConsoleLines,
    style: lines::Style,
}

impl Terminal {
    /// Reports to `out`; with [`Options::live`], `out` must be the process's standard output.
    pub fn new(out: Box<dyn Write + Send>, options: Options) -> Self {
        Self {
            out,
            live: options.live.then(Live::new),
            results: Results::default(),
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

    fn console_lines(&mut self, event: &Event) -> io::Result<()> {
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
                let width = self.node_width();
                let line = self.style.console(event, width, source, &text);
                self.line(&line)?;
            }
        }
        Ok(())
    }

    fn node_width(&self) -> usize {
        self.results.nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0).max(4)
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Some(live) = self.live.take() {
            live.clear()?;
        }
        let text = [
            nodes_table(&self.results, self.style),
            phases_table(&self.results, self.style),
            faults(&self.results, self.style),
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

    fn report(&mut self, event: &Event) -> io::Result<()> {
        self.results.add(event);
        if let Some(live) = &mut self.live {
            live.update(event);
        }
        self.console_lines(event)?;
        for text in self.style.event(event, self.node_width()) {
            self.line(&text)?;
        }
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            self.finish()?;
        }
        Ok(())
    }
}
