//! Shows problems of files with the lines that they are about.
//!
//! What a file holds reaches the terminal as text that steers nothing, and in bounds: a long line is cut around the place
//! that is shown, a long message behind its beginning.

mod excerpt;

use std::fmt::{self, Write as _};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan};

use self::excerpt::Excerpts;
use crate::diagnostic::{Diagnostic, Diagnostics, MAX_PROBLEMS, Severity, Source};
use crate::text::steers;

/// Most problems of a file that are shown.
const MAX_SHOWN: usize = 100;

/// Longest message and help, in characters.
const MAX_TEXT: usize = 2000;

/// Renders problems as text with excerpts of the file; with colours and box drawing if `fancy`.
pub fn render(diagnostics: &Diagnostics, fancy: bool) -> String {
    render_problems(&diagnostics.source, &diagnostics.problems, fancy)
}

/// Renders some problems of `source`, such as the warnings of a file that can be used.
pub fn render_problems(source: &Source, problems: &[Diagnostic], fancy: bool) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let theme = if fancy { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    let excerpts = Excerpts::new(source);
    let mut text = String::new();
    for problem in problems.iter().take(MAX_SHOWN) {
        let report = Report { problem, excerpts: &excerpts, message: shown(&problem.message) };
        // Writing to a string cannot fail.
        let _ = handler.render_report(&mut text, &report);
    }
    if let Some(more) = problems.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        let at_least = if problems.len() == MAX_PROBLEMS { "at least " } else { "" };
        let _ = writeln!(text, "… and {at_least}{more} more");
    }
    text
}

/// `text` as a terminal may have it: what steers one is escaped, and what is too long cut.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MAX_TEXT));
    for (index, c) in text.chars().enumerate() {
        if index == MAX_TEXT {
            shown.push('…');
            break;
        }
        if steers(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// A problem together with its file, as miette wants it.
#[derive(Debug)]
struct Report<'a> {
    problem: &'a Diagnostic,
    excerpts: &'a Excerpts,
    message: String,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(shown(help)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(self.excerpts)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.problem.labels.iter().map(|label| {
            let text = Some(shown(&label.text)).filter(|text| !text.is_empty());
            let span = self.excerpts.visible(label.span);
            LabeledSpan::new(text, span.offset, span.len)
        })))
    }
}
