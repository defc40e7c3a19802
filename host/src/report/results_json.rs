//! `results.json`: what the run came to, for machines.

use std::io;
use std::path::{Path, PathBuf};

use crate::event::{Event, EventKind};
use crate::report::{Reporter, Results};

/// Writes `results.json`: at the start, after every node and at the end, so that a run that is cut off leaves what it had.
#[derive(Debug)]
pub struct ResultsJson {
    path: PathBuf,
}

impl ResultsJson {
    /// Will write to `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn write(&self, results: &Results) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(results)?;
        text.push(b'\n');
        replace_file(&self.path, &text)
    }
}

impl Reporter for ResultsJson {
    fn name(&self) -> &'static str {
        "results.json"
    }

    fn report(&mut self, event: &Event, so_far: &Results) -> io::Result<()> {
        match event.kind {
            EventKind::RunStarted { .. }
            | EventKind::DefinitionFinished { .. }
            | EventKind::NodeFinished { .. }
            | EventKind::RunFinished { .. } => self.write(so_far),
            _ => Ok(()),
        }
    }

    fn cut_off(&mut self, so_far: &Results) -> io::Result<()> {
        self.write(so_far)
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
