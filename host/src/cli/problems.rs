//! Shows problems of files with the lines that they are about.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};

use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Source};

/// Renders problems as text with excerpts of the file; with colours and box drawing if `fancy`.
pub fn render(diagnostics: &Diagnostics, fancy: bool) -> String {
    render_problems(&diagnostics.source, &diagnostics.problems, fancy)
}

/// Renders some problems of `source`, such as the warnings of a file that can be used.
pub fn render_problems(source: &Source, problems: &[Diagnostic], fancy: bool) -> String {
    let theme = if fancy { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    let code = NamedSource::new(&source.name, source.text.to_string());
    let mut text = String::new();
    for problem in problems {
        let report = Report { problem, code: &code };
        // Writing to a string cannot fail.
        let _ = handler.render_report(&mut text, &report);
    }
    text
}

/// A problem together with its file, as miette wants it.
#[derive(Debug)]
struct Report<'a> {
    problem: &'a Diagnostic,
    code: &'a NamedSource<String>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
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
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(self.code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.problem.labels.iter().map(|label| {
            let text = Some(label.text.clone()).filter(|text| !text.is_empty());
            LabeledSpan::new(text, label.span.offset, label.span.len)
        })))
    }
}
