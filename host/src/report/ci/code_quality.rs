//! `gl-code-quality-report.json`: GitLab shows it at the lines of the job file in a merge request.
//!
//! Source: "Code Quality report format" of GitLab's documentation.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::event::{Event, EventKind};
use crate::fault::Class;
use crate::report::finding::{self, Finding, Place};
use crate::report::results_json::replace_file;
use crate::report::{Reporter, Results};
use crate::text::clip;

/// Findings of a report; the results have all.
const MAX_FINDINGS: usize = 1000;
/// Longest description, in bytes.
const MAX_TEXT: usize = 4 * 1024;

/// Writes `gl-code-quality-report.json` at the end of the run.
#[derive(Debug)]
pub struct CodeQuality {
    path: PathBuf,
}

impl CodeQuality {
    /// Will write to `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn write(&self, results: &Results) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(&issues(results))?;
        text.push(b'\n');
        replace_file(&self.path, &text)
    }
}

impl Reporter for CodeQuality {
    fn name(&self) -> &'static str {
        "gl-code-quality-report.json"
    }

    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()> {
        if matches!(event.kind, EventKind::RunFinished { .. }) { self.write(so_far) } else { Ok(()) }
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        self.write(so_far)
    }
}

#[derive(Debug, Serialize)]
struct Issue {
    description: String,
    check_name: String,
    /// Tells issues apart and is the same in the next run: GitLab compares reports by it.
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Debug, Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Debug, Serialize)]
struct Lines {
    begin: u32,
}

fn issues(results: &Results) -> Vec<Issue> {
    let job_file = job_file(results);
    // A case may fail twice; each of its failures is an issue.
    let mut seen: HashMap<String, u32> = HashMap::new();
    finding::all(results)
        .take(MAX_FINDINGS)
        .map(|finding| {
            let number = seen.entry(finding.subject.clone()).or_default();
            *number += 1;
            issue(&finding, *number, &job_file)
        })
        .collect()
}

fn issue(finding: &Finding<'_>, number: u32, job_file: &str) -> Issue {
    let Finding { class, subject, message, place, of: _ } = finding;
    let (path, begin) = place.as_ref().map_or((job_file, 1), |place| (place.file, place.line));
    Issue {
        description: clip(&format!("{subject}: {message}"), MAX_TEXT),
        check_name: format!("host-runner/{class}"),
        fingerprint: fingerprint(&format!("{class}\0{subject}\0{number}")),
        severity: severity(*class),
        location: Location {
            path: path.strip_prefix("./").unwrap_or(path).to_owned(),
            lines: Lines { begin },
        },
    }
}

/// The file that the run's phases are in; the job's name, if it did not come to any.
fn job_file(results: &Results) -> String {
    let places =
        results.nodes.iter().flat_map(|node| &node.phases).filter_map(|phase| phase.place.as_deref());
    let file = places.filter_map(Place::parse).map(|place| place.file).next();
    file.unwrap_or(&results.job).to_owned()
}

fn fingerprint(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

const fn severity(class: Class) -> &'static str {
    match class {
        Class::Cancelled => "minor",
        Class::Test => "major",
        Class::Job | Class::Usage | Class::Infrastructure | Class::Bench => "critical",
        Class::Bug => "blocker",
    }
}
