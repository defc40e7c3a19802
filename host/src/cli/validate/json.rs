//! `validate` for programs: one JSON object a line and file.

use serde::Serialize;

use super::{Checked, ValidateArgs};
use crate::diagnostic::{Diagnostic, Severity, Source, Span};
use crate::fault::Fault;
use crate::plan::NodeOutline;

/// What came of checking one file.
#[derive(Serialize)]
struct File<'a> {
    file: &'a str,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    /// The bench file that it was checked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    bench: Option<&'a str>,
    problems: Vec<Problem<'a>>,
    /// Faults of the bench, and of files that cannot be read.
    faults: &'a [Fault],
    /// Keys that are recorded and not used.
    recorded: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Vec<NodeOutline>>,
}

/// A problem of the file.
#[derive(Serialize)]
struct Problem<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    #[serde(flatten)]
    place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    /// Other places that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    message: &'a str,
    #[serde(flatten)]
    place: Place,
}

/// Lines and columns, both from 1; columns count characters; the end is behind the last.
#[derive(Serialize)]
struct Place {
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

impl Place {
    fn of(source: &Source, span: Span) -> Self {
        let (line, column) = source.line_column(span);
        let (end_line, end_column) = source.line_column(Span { offset: span.offset + span.len, len: 0 });
        Self { line, column, end_line, end_column }
    }
}

/// The object, with a newline.
pub(super) fn line(file: &Checked, args: &ValidateArgs) -> String {
    let problems = file
        .source
        .iter()
        .flat_map(|source| file.problems.iter().map(move |problem| Problem::of(source, problem)));
    let job = file.job.as_ref();
    let value = File {
        file: &file.name,
        valid: file.class().is_none(),
        job: job.map(|job| job.name.as_str()),
        bench: file.bench.as_deref().filter(|_| file.job.is_some()),
        problems: problems.collect(),
        faults: &file.faults,
        recorded: job.iter().flat_map(|job| &job.recorded).map(|key| key.value.as_str()).collect(),
        plan: (args.plan && job.is_some()).then(|| file.outline()),
    };
    // These values have nothing that JSON cannot hold.
    serde_json::to_string(&value).unwrap_or_default() + "\n"
}

impl<'a> Problem<'a> {
    fn of(source: &Source, problem: &'a Diagnostic) -> Self {
        let related = problem.labels.iter().skip(1);
        Self {
            code: problem.code.name(),
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: &problem.message,
            place: Place::of(source, problem.span()),
            help: problem.help.as_deref(),
            related: related
                .map(|label| Related { message: &label.text, place: Place::of(source, label.span) })
                .collect(),
        }
    }
}
