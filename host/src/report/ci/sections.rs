//! Sections of a CI service's log that can be folded: one around what the terminal report says while the run goes on, so
//! that the results at its end are what is seen first, and one for the last lines of every node that did not pass.
//!
//! Source: "Custom collapsible sections" of GitLab's documentation, "Grouping log lines" of GitHub's.

use std::io::{self, Write};

use crate::event::{Event, EventKind, Outcome};
use crate::report::lines::Line;
use crate::report::tail::{Limit, Tails};
use crate::report::{Reporter, Results, file_name};

use super::github::Fence;

const TAIL: Limit = Limit { lines: 50, bytes: 16 * 1024 };

/// How a service marks sections.
#[derive(Clone, Debug)]
pub enum Sections {
    /// GitHub's workflow commands, which are off within.
    GitHub(Fence),
    /// GitLab's marks, which a board cannot print: they begin with an escape character.
    GitLab,
}

impl Sections {
    fn begin(&self, at: jiff::Timestamp, name: &str, title: &str, is_folded: bool) -> String {
        match self {
            Self::GitHub(fence) => format!("::group::{title}\n{}", fence.close()),
            Self::GitLab => {
                let options = if is_folded { "[collapsed=true]" } else { "" };
                format!("\x1b[0Ksection_start:{}:{name}{options}\r\x1b[0K{title}\n", at.as_second())
            }
        }
    }

    fn end(&self, at: jiff::Timestamp, name: &str) -> String {
        match self {
            Self::GitHub(fence) => format!("{}::endgroup::\n", fence.open()),
            Self::GitLab => format!("\x1b[0Ksection_end:{}:{name}\r\x1b[0K\n", at.as_second()),
        }
    }
}

/// The section around the live log; stands before the terminal report.
pub struct LiveSection {
    out: Box<dyn Write + Send>,
    sections: Sections,
}

impl LiveSection {
    const NAME: &str = "host_runner_live";

    /// Prints to `out`, where the terminal report prints too.
    pub fn new(out: Box<dyn Write + Send>, sections: Sections) -> Self {
        Self { out, sections }
    }

    fn end(&mut self, at: jiff::Timestamp) -> io::Result<()> {
        write!(self.out, "{}", self.sections.end(at, Self::NAME))?;
        if let Sections::GitHub(fence) = &self.sections {
            // The tables and faults that follow hold a board's words, too.
            write!(self.out, "{}", fence.close())?;
        }
        self.out.flush()
    }
}

impl Reporter for LiveSection {
    fn name(&self) -> &'static str {
        "section of the log"
    }

    fn report(&mut self, event: &Event, _: &Results) -> io::Result<()> {
        match &event.kind {
            EventKind::RunStarted { .. } => {
                write!(self.out, "{}", self.sections.begin(event.at, Self::NAME, "host-runner", false))?;
                self.out.flush()
            }
            EventKind::RunFinished { .. } => self.end(event.at),
            _ => Ok(()),
        }
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        self.end(so_far.last_event())
    }
}

/// Switches GitHub's commands off before a terminal report that says nothing until its end; stands before it.
pub struct Closing {
    out: Box<dyn Write + Send>,
    fence: Fence,
}

impl Closing {
    /// Prints to `out`, where the terminal report prints too.
    pub fn new(out: Box<dyn Write + Send>, fence: Fence) -> Self {
        Self { out, fence }
    }

    fn close(&mut self) -> io::Result<()> {
        self.out.write_all(self.fence.close().as_bytes())?;
        self.out.flush()
    }
}

impl Reporter for Closing {
    fn name(&self) -> &'static str {
        "fence of the log"
    }

    fn report(&mut self, event: &Event, _: &Results) -> io::Result<()> {
        if matches!(event.kind, EventKind::RunFinished { .. }) { self.close() } else { Ok(()) }
    }

    fn cut_off(&mut self, _: &Results) -> io::Result<()> {
        self.close()
    }
}

/// The sections with the last lines of the nodes that did not pass; stand behind the terminal report.
pub struct ConsoleSections {
    out: Box<dyn Write + Send>,
    sections: Sections,
    tails: Tails,
}

impl ConsoleSections {
    /// Prints to `out`, where the terminal report prints too.
    pub fn new(out: Box<dyn Write + Send>, sections: Sections) -> Self {
        Self { out, sections, tails: Tails::new(TAIL) }
    }

    fn write(&mut self, results: &Results) -> io::Result<()> {
        let at = results.last_event();
        if let Sections::GitHub(fence) = &self.sections {
            write!(self.out, "{}", fence.open())?;
        }
        for node in results.nodes.iter().filter(|node| node.outcome != Some(Outcome::Pass)) {
            let Some(tail) = self.tails.of(&node.name) else { continue };
            let name = format!("host_runner_console_{}", file_name(&node.name));
            let title = format!("Last lines of {}", node.name);
            write!(self.out, "{}", self.sections.begin(at, &name, &title, true))?;
            for Line { began, text, .. } in tail.lines() {
                writeln!(self.out, "{} {text}", began.strftime("%H:%M:%S%.3f"))?;
            }
            write!(self.out, "{}", self.sections.end(at, &name))?;
        }
        if let Sections::GitHub(fence) = &self.sections {
            write!(self.out, "{}", fence.close())?;
        }
        self.out.flush()
    }
}

impl Reporter for ConsoleSections {
    fn name(&self) -> &'static str {
        "sections of the log"
    }

    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()> {
        self.tails.add(event);
        if matches!(event.kind, EventKind::RunFinished { .. }) { self.write(so_far) } else { Ok(()) }
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        self.tails.cut_off(so_far.last_event());
        self.write(so_far)
    }
}
