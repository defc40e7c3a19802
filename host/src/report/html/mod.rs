//! `index.html`: the run on one page that needs nothing else, for people.
//!
//! One file per section. Everything that comes from outside goes through the template's escaping; beside that the page
//! forbids the browser to load anything, and to run any script but its own.
//!
//! What is kept of a run besides its results: the last 2000 lines of every node (at most 256 KiB), the first 500 messages of
//! the group and the first 200 warnings. Of a definition with more than 1000 cases, the page lists those that failed.

mod console;
mod live;
mod page;
mod results;
mod sequence;
mod text;
mod timeline;
mod verdict;
mod warnings;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::event::{Event, EventKind};
use crate::report::bounded::Bounded;
use crate::report::evidence::Evidence;
use crate::report::results_json::replace_file;
use crate::report::tail::{Limit, Tails};
use crate::report::{Reporter, Results};
use crate::text::clip;

pub(crate) use live::Live;
pub(crate) use page::STYLE;
pub(crate) use text::{outcome, span};

const CONSOLE: Limit = Limit { lines: 2000, bytes: 256 * 1024 };
const MAX_MESSAGES: usize = 500;
const MAX_WARNINGS: usize = 200;
/// Longest message or warning, in bytes.
const MAX_TEXT: usize = 2 * 1024;

/// Writes `index.html` at the end of the run.
#[derive(Debug)]
pub struct HtmlPage {
    path: PathBuf,
    seen: Seen,
}

/// What the page shows besides the results.
#[derive(Debug)]
struct Seen {
    consoles: Tails,
    evidence: Evidence,
    messages: Bounded<Said>,
    warnings: Bounded<Said>,
}

/// Something that was said at some time.
#[derive(Debug)]
struct Said {
    /// Time since the run started.
    elapsed: Duration,
    /// By which node; `None` for the run as a whole.
    node: Option<String>,
    text: String,
}

impl HtmlPage {
    /// Will write to `path`. The page refers to the console logs beside it.
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: Seen::new() }
    }

    fn write(&self, results: &Results) -> io::Result<()> {
        let page = page::page(results, &self.seen).into_string();
        replace_file(&self.path, page.as_bytes())
    }
}

impl Seen {
    fn new() -> Self {
        let (messages, warnings) = (Bounded::new(MAX_MESSAGES), Bounded::new(MAX_WARNINGS));
        Self { consoles: Tails::new(CONSOLE), evidence: Evidence::default(), messages, warnings }
    }

    /// Takes the next event; the results have it already.
    fn add(&mut self, event: &Event, so_far: &Results) {
        let lines = self.consoles.add(event);
        self.evidence.add(event, &lines, self.consoles.lines(), so_far);
        match &event.kind {
            EventKind::Group { text } => self.messages.push(Said::new(event, text)),
            EventKind::Warning { text } => self.warnings.push(Said::new(event, text)),
            _ => {}
        }
    }
}

impl Said {
    fn new(event: &Event, text: &str) -> Self {
        Self { elapsed: event.elapsed, node: event.node.clone(), text: clip(text, MAX_TEXT) }
    }
}

impl Reporter for HtmlPage {
    fn name(&self) -> &'static str {
        "index.html"
    }

    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()> {
        self.seen.add(event, so_far);
        match event.kind {
            EventKind::RunFinished { .. } => self.write(so_far),
            _ => Ok(()),
        }
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        self.seen.consoles.cut_off(so_far.last_event());
        self.write(so_far)
    }
}
