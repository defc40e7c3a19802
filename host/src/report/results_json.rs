//! `results.json`: what the run came to, for machines.

use std::io;
use std::path::{Path, PathBuf};

use crate::event::{Event, EventKind};
use crate::report::{Reporter, Results};

/// Writes `results.json`: at the start, after every node and at the end, so that a run that is cut off leaves what it had.
#[derive(Debug)]
pub struct ResultsJson {
    path: PathBuf,
    results: Results,
}

impl ResultsJson {
    /// Will write to `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, results: Results::default() }
    }
}

impl Reporter for ResultsJson {
    fn name(&self) -> &'static str {
        "results.json"
    }

    fn report(&mut self, event: &Event) -> io::Result<()> {
        self.results.add(event);
        match event.kind {
            EventKind::RunStarted { .. }
            | EventKind::DefinitionFinished { .. }
            | EventKind::NodeFinished { .. }
            | EventKind::RunFinished { .. } => {
                let mut text = serde_json::to_vec_pretty(&self.results)?;
                text.push(b'\n');
                replace_file(&self.path, &text)
            }
            _ => Ok(()),
        }
    }
}

/// Writes a file as a whole or not at all.
pub(super) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    io::Write::write_all(&mut file, content)?;
    // The reports of a run are for the user's colleagues as well; temporary files are private.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode)?;
    file.persist(path)?;
    Ok(())
}
