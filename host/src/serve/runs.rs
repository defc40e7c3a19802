//! The runs that are stored, each by what its `results.json` says: events are not read for a list.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Outcome;
use crate::fault::Fault;
use crate::report::jsonl::is_being_written;

use super::files;

/// Most directories that are looked at: of more, the last by their names.
const MAX_RUNS: usize = 10_000;
/// Largest `results.json` that is read, in bytes.
const MAX_RESULTS: u64 = 64 << 20;

/// The directory of the runs.
#[derive(Debug)]
pub(super) struct Runs {
    directory: PathBuf,
    known: Mutex<HashMap<String, Known>>,
}

/// What was read of a run, and of which state of its file.
#[derive(Debug)]
struct Known {
    stamp: (SystemTime, u64),
    stored: Arc<Stored>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// A process writes its events.
    Running,
    /// It has its last event.
    Finished,
    /// It has none, and nobody writes one.
    CutOff,
}

/// A run of the list.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Name of its directory.
    pub(super) id: String,
    pub(super) state: State,
    pub(super) stored: Arc<Stored>,
}

/// What `results.json` says, as far as lists need it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Stored {
    pub(super) job: String,
    pub(super) started: Option<jiff::Timestamp>,
    pub(super) outcome: Option<Outcome>,
    pub(super) fault: Option<Fault>,
    pub(super) duration_s: f64,
    pub(super) nodes: Vec<StoredNode>,
}

/// A node of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct StoredNode {
    pub(super) name: String,
    pub(super) board: String,
    pub(super) phases: Vec<StoredPhase>,
}

/// A phase of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct StoredPhase {
    pub(super) name: String,
    pub(super) seconds: f64,
    pub(super) outcome: Option<Outcome>,
}

impl Stored {
    /// The boards that it ran on; a secondary connection has another node in its place.
    pub(super) fn boards(&self) -> Vec<&str> {
        let mut boards: Vec<_> = self.board_nodes().map(|node| node.board.as_str()).collect();
        boards.dedup();
        boards
    }

    /// The nodes that had a board.
    pub(super) fn board_nodes(&self) -> impl Iterator<Item = &StoredNode> {
        self.nodes.iter().filter(|node| self.nodes.iter().all(|other| other.name != node.board))
    }
}

impl Runs {
    /// Those whose directories are in `directory`.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, known: Mutex::default() }
    }

    /// Where they are.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// All of them: those that go on, then the newest first.
    pub(super) fn list(&self) -> Vec<Run> {
        let ids = self.ids();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *known);
        let mut runs = Vec::with_capacity(ids.len());
        for id in ids {
            let directory = self.directory.join(&id);
            let Some(read) = read(&directory, &id, before.remove(&id)) else { continue };
            let stored = Arc::clone(&read.stored);
            known.insert(id.clone(), read);
            runs.push(Run { state: state(&directory, stored.outcome), id, stored });
        }
        runs.sort_by(|one, other| {
            let key = |run: &Run| (run.state == State::Running, run.stored.started);
            key(other).cmp(&key(one)).then_with(|| other.id.cmp(&one.id))
        });
        runs
    }

    /// The directory of the run `id`, if one of that name is there.
    pub(super) fn find(&self, id: &str) -> Option<PathBuf> {
        // One name, and no way to anywhere else.
        let mut parts = Path::new(id).components();
        let is_name =
            matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == id);
        let directory = self.directory.join(id);
        if !is_name || !fs::symlink_metadata(&directory).is_ok_and(|kind| kind.is_dir()) {
            return None;
        }
        fs::symlink_metadata(directory.join("run.jsonl"))
            .is_ok_and(|file| file.is_file())
            .then_some(directory)
    }

    fn ids(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut ids: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        // Names begin with a time: these are the newest.
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.truncate(MAX_RUNS);
        ids
    }
}

/// How far the run in `directory` is.
pub(super) fn state(directory: &Path, outcome: Option<Outcome>) -> State {
    if outcome.is_some() {
        return State::Finished;
    }
    match files::open(&directory.join("run.jsonl")) {
        Ok(file) if is_being_written(&file) => State::Running,
        _ => State::CutOff,
    }
}

/// `None` for a directory without a run.
fn read(directory: &Path, id: &str, known: Option<Known>) -> Option<Known> {
    let file = files::open(&directory.join("results.json")).ok();
    let Some(file) = file else {
        // A run that has only just begun has no results.
        let begun = fs::symlink_metadata(directory.join("run.jsonl")).is_ok_and(|file| file.is_file());
        return begun.then(|| nothing(id, (SystemTime::UNIX_EPOCH, 0)));
    };
    let about = file.metadata().ok()?;
    let stamp = (about.modified().ok()?, about.len());
    if let Some(known) = known.filter(|known| known.stamp == stamp) {
        return Some(known);
    }
    Some(
        parse(&file, about.len())
            .map_or_else(|| nothing(id, stamp), |stored| Known { stamp, stored: Arc::new(stored) }),
    )
}

fn parse(file: &File, length: u64) -> Option<Stored> {
    let mut text = Vec::new();
    if length > MAX_RESULTS || file.take(MAX_RESULTS).read_to_end(&mut text).is_err() {
        return None;
    }
    serde_json::from_slice(&text).ok()
}

/// A run of which nothing but its directory is known.
fn nothing(id: &str, stamp: (SystemTime, u64)) -> Known {
    Known { stamp, stored: Arc::new(Stored { job: id.to_owned(), ..Stored::default() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(started: &str, outcome: &str) -> String {
        format!(
            r#"{{"job":"j","version":"1","started":"{started}","outcome":{outcome},"fault":null,"duration_s":1.5,"nodes":[
            {{"name":"host","role":"host","board":"bbb1","outcome":null,"phases":[]}},
            {{"name":"guest","role":"guest","board":"host","outcome":null,"phases":[]}}]}}"#
        )
    }

    fn run(directory: &Path, id: &str, results: &str) {
        fs::create_dir(directory.join(id)).unwrap();
        fs::write(directory.join(id).join("results.json"), results).unwrap();
        fs::write(directory.join(id).join("run.jsonl"), "").unwrap();
    }

    #[test]
    fn runs_that_go_on_come_first_and_then_the_newest() {
        let directory = tempfile::tempdir().unwrap();
        run(directory.path(), "old", &results("2026-01-01T00:00:00Z", r#""pass""#));
        run(directory.path(), "new", &results("2026-01-02T00:00:00Z", "null"));
        run(directory.path(), "on", &results("2025-01-01T00:00:00Z", "null"));
        run(directory.path(), "broken", "{");
        fs::create_dir(directory.path().join("none")).unwrap();
        let writer = File::open(directory.path().join("on/run.jsonl")).unwrap();
        writer.lock().unwrap();
        let runs = Runs::new(directory.path().to_owned());
        let told: Vec<_> = runs.list().into_iter().map(|run| (run.id, run.state)).collect();
        let expected = [
            ("on", State::Running),
            ("new", State::CutOff),
            ("old", State::Finished),
            ("broken", State::CutOff),
        ];
        assert_eq!(told, expected.map(|(id, state)| (id.to_owned(), state)));
        assert_eq!(runs.list()[1].stored.boards(), ["bbb1"], "a guest has no board of its own");
        drop(writer);
        assert_eq!(runs.list()[0].id, "new", "nobody writes the other one any more");
    }

    #[test]
    fn a_run_is_found_by_the_name_of_its_directory_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("runs")).unwrap();
        run(directory.path(), "outside", &results("2026-01-01T00:00:00Z", "null"));
        run(&directory.path().join("runs"), "inside", &results("2026-01-01T00:00:00Z", "null"));
        let runs = Runs::new(directory.path().join("runs"));
        assert!(runs.find("inside").is_some());
        for id in ["", ".", "..", "../outside", "inside/.", "./inside", "/", "absent"] {
            assert_eq!(runs.find(id), None, "{id}");
        }
    }

    #[test]
    fn results_are_read_again_when_they_have_changed() {
        let directory = tempfile::tempdir().unwrap();
        run(directory.path(), "a", &results("2026-01-01T00:00:00Z", "null"));
        let runs = Runs::new(directory.path().to_owned());
        assert_eq!(runs.list()[0].stored.outcome, None);
        fs::write(directory.path().join("a/results.json"), results("2026-01-01T00:00:00Z", r#""fail""#))
            .unwrap();
        assert_eq!(runs.list()[0].stored.outcome, Some(Outcome::Fail));
    }
}
