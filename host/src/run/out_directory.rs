//! Where the results of a run go whose directory nobody has named.

use std::path::{Path, PathBuf};

use crate::report::file_name;

/// `<UTC time>-<job name>` in `runs`, with a number behind it where another run has begun in the same second: one that is
/// there, or that `is_taken` knows.
pub fn out_directory(
    runs: &Path,
    job_name: &str,
    started: jiff::Timestamp,
    is_taken: impl Fn(&Path) -> bool,
) -> PathBuf {
    let name = format!("{}-{}", started.strftime("%Y%m%dT%H%M%SZ"), file_name(job_name));
    let first = runs.join(&name);
    let others = (2..=99).map(|number| runs.join(format!("{name}-{number}")));
    let all = std::iter::once(first.clone()).chain(others);
    // If all are there, whoever makes the first one is told that it is.
    all.into_iter().find(|path| !path.exists() && !is_taken(path)).unwrap_or(first)
}
