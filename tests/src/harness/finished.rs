//! A run that has ended, and all that it left.

use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// A run that has ended. It keeps the bench's directory, which its files are in.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
    /// The directory that the results are in.
    pub out: PathBuf,
    directory: Arc<TempDir>,
}

impl Finished {
    pub(super) fn new(
        status: ExitStatus,
        stdout: String,
        stderr: String,
        directory: Arc<TempDir>,
        took: Duration,
    ) -> Self {
        let out = directory.path().join("out");
        Self { code: status.code(), stdout, stderr, took, out, directory }
    }

    /// `results.json`.
    ///
    /// # Panics
    /// When it is missing or broken.
    pub fn results(&self) -> Value {
        serde_json::from_str(&self.file("results.json")).expect("results.json is JSON")
    }

    /// The events of `run.jsonl`.
    ///
    /// # Panics
    /// When it is missing or broken.
    pub fn events(&self) -> Vec<Value> {
        let text = self.file("run.jsonl");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of run.jsonl is JSON")).collect()
    }

    /// A file of the results, such as `junit.xml` or `console/fake1.log`.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn file(&self, name: &str) -> String {
        let path = self.out.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}\n{self}", path.display()))
    }

    /// What was done to the board's power, in order: `on`, `off`, `reset`.
    pub fn power(&self) -> Vec<String> {
        // No file: no command ran.
        fs::read_to_string(self.directory.path().join("power.log"))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr, took, .. } = self;
        write!(f, "exit code {code:?} after {took:.1?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
