//! `job.yaml`: the job file that the run is of.

use std::io;
use std::path::PathBuf;

use crate::event::{Event, EventKind};
use crate::report::results_json::replace_file;
use crate::report::{Reporter, Results};

/// Writes `job.yaml` at the start of the run.
#[derive(Debug)]
pub struct JobFile {
    path: PathBuf,
}

impl JobFile {
    /// Will write to `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Reporter for JobFile {
    fn name(&self) -> &'static str {
        "job.yaml"
    }

    fn report(&mut self, event: &Event, _: &Results) -> io::Result<()> {
        match &event.kind {
            EventKind::JobRead { text, .. } => replace_file(&self.path, text.as_bytes()),
            _ => Ok(()),
        }
    }
}
