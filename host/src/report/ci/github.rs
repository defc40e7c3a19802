//! GitHub's workflow commands, and annotations made with them.
//!
//! GitHub takes any line of a step's output that begins with `::` for a command. What a board says must not be one, so
//! commands are switched off while the terminal report prints; see [`Fence`].
//!
//! Source: "Workflow commands for GitHub Actions" of GitHub's documentation; the escaping is that of GitHub's own toolkit.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use crate::event::{Event, EventKind};
use crate::fault::Class;
use crate::report::bounded::Bounded;
use crate::report::finding::{self, Finding, Place};
use crate::report::{Reporter, Results};
use crate::text::clip;

/// GitHub shows ten errors and ten warnings of a step.
const MAX_ANNOTATIONS: usize = 10;
/// Longest message, in bytes.
const MAX_MESSAGE: usize = 4 * 1024;

/// Switches the commands of a log off and on again. Only who knows its word can switch them on.
#[derive(Clone, Debug)]
pub struct Fence {
    word: String,
}

impl Fence {
    /// `word` must be one that nobody else can guess, of letters and digits.
    pub fn new(word: String) -> Self {
        Self { word }
    }

    /// The line behind which commands are off.
    pub(super) fn close(&self) -> String {
        format!("::stop-commands::{}\n", self.word)
    }

    /// The line behind which commands are on again.
    pub(super) fn open(&self) -> String {
        format!("::{}::\n", self.word)
    }
}

/// Prints an annotation for everything that failed, and for warnings.
pub struct Annotations {
    out: Box<dyn Write + Send>,
    fence: Fence,
    warnings: Bounded<String>,
}

impl Annotations {
    /// Prints to `out`, the step's output, where `fence` is closed by whoever prints before.
    pub fn new(out: Box<dyn Write + Send>, fence: Fence) -> Self {
        Self { out, fence, warnings: Bounded::new(MAX_ANNOTATIONS) }
    }

    fn write(&mut self, results: &Results) -> io::Result<()> {
        self.out.write_all(self.fence.open().as_bytes())?;
        for warning in self.warnings.kept() {
            write!(self.out, "{}", Command::warning(warning))?;
        }
        // The last one says how many more there are.
        let findings = Bounded::of(MAX_ANNOTATIONS - 1, finding::all(results));
        for finding in findings.kept() {
            write!(self.out, "{}", Command::error(finding))?;
        }
        if findings.more() > 0 {
            let text = format!("{} more failed; the summary and index.html have them", findings.more());
            let more = Command { kind: "error", place: None, title: results.job.clone(), text: &text };
            write!(self.out, "{more}")?;
        }
        self.out.flush()
    }
}

impl Reporter for Annotations {
    fn name(&self) -> &'static str {
        "annotations"
    }

    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()> {
        match &event.kind {
            EventKind::Warning { text } => self.warnings.push(clip(text, MAX_MESSAGE)),
            EventKind::RunFinished { .. } => self.write(so_far)?,
            _ => {}
        }
        Ok(())
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        self.write(so_far)
    }
}

/// An annotation: `::error file=…,line=…,col=…,title=…::message`.
struct Command<'a> {
    kind: &'static str,
    place: Option<Place<'a>>,
    title: String,
    text: &'a str,
}

impl<'a> Command<'a> {
    fn error(finding: &'a Finding<'a>) -> Self {
        let title = match finding.class {
            Class::Test => finding.subject.clone(),
            class => format!("{}: {class} error", finding.subject),
        };
        Self { kind: "error", place: finding.place.clone(), title, text: &finding.message }
    }

    /// A warning of the run; those of the job file begin with their place.
    fn warning(text: &'a str) -> Self {
        let placed = text.split_once(": ").and_then(|(place, rest)| Some((Place::parse(place)?, rest)));
        let (place, text) = placed.map_or((None, text), |(place, rest)| (Some(place), rest));
        Self { kind: "warning", place, title: "host-runner".to_owned(), text }
    }
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut properties = String::new();
        if let Some(Place { file, line, column }) = &self.place {
            let _ = write!(properties, "file={},line={line},col={column},", property(file));
        }
        let text = data(&clip(self.text, MAX_MESSAGE));
        writeln!(f, "::{} {properties}title={}::{text}", self.kind, property(&self.title))
    }
}

/// The text of a command.
fn data(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\r' | '\n')).collect();
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
