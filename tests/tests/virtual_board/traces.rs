//! What a run may leave behind on the machine: processes, links, mounts, files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    /// Command lines of the processes that have the marker in their environment.
    pub(crate) processes: BTreeSet<String>,
    /// Network namespaces that other processes than ours live in, as `net:[…]`.
    pub(crate) namespaces: BTreeSet<String>,
    /// Links of our own network namespace: taps and bridges among them.
    links: BTreeSet<String>,
    /// Mounts of our own mount namespace that a run could make: network namespaces with a name, and what is in the
    /// directories of the test. Whatever else the machine mounts meanwhile is not of our making.
    mounts: BTreeSet<String>,
    /// Temporary files of the cache that no living process holds a lock on, without those that were there at first: any
    /// run clears them away.
    abandoned: BTreeSet<PathBuf>,
    abandoned_at_first: BTreeSet<PathBuf>,
    /// Everything in the directories for state and temporary files.
    files: BTreeSet<PathBuf>,
    marker: String,
    cache: PathBuf,
    directories: Vec<PathBuf>,
}

impl Traces {
    /// Looks for processes with `marker` in their environment, in `cache`, and at all files below `directories`.
    pub(crate) fn of(marker: &str, cache: &Path, directories: &[PathBuf]) -> Self {
        Self::since(abandoned(cache), marker, cache, directories)
    }

    fn since(
        abandoned_at_first: BTreeSet<PathBuf>,
        marker: &str,
        cache: &Path,
        directories: &[PathBuf],
    ) -> Self {
        let marked: Vec<PathBuf> = processes_with(marker);
        Self {
            processes: marked.iter().filter_map(|process| command_line(process)).collect(),
            namespaces: marked.iter().filter_map(|process| namespace(process)).collect(),
            links: names("/sys/class/net").collect(),
            mounts: mounts(directories),
            abandoned: &abandoned(cache) - &abandoned_at_first,
            abandoned_at_first,
            files: directories.iter().flat_map(|directory| files(directory)).collect(),
            marker: marker.to_owned(),
            cache: cache.to_owned(),
            directories: directories.to_owned(),
        }
    }

    /// The same at this moment.
    pub(crate) fn again(&self) -> Self {
        Self::since(self.abandoned_at_first.clone(), &self.marker, &self.cache, &self.directories)
    }
}

fn processes_with(marker: &str) -> Vec<PathBuf> {
    let has_marker = |process: &PathBuf| {
        // Processes end while we look.
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes())
    };
    fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()).filter(has_marker).collect()
}

fn command_line(process: &Path) -> Option<String> {
    let arguments = fs::read(process.join("cmdline")).ok()?;
    Some(String::from_utf8_lossy(&arguments).replace('\0', " "))
}

fn namespace(process: &Path) -> Option<String> {
    let of = |process: &Path| Some(fs::read_link(process.join("ns/net")).ok()?.display().to_string());
    let namespace = of(process)?;
    (Some(&namespace) != of(Path::new("/proc/self")).as_ref()).then_some(namespace)
}

fn mounts(directories: &[PathBuf]) -> BTreeSet<String> {
    let homes: Vec<String> =
        directories.iter().filter_map(|path| Some(path.parent()?.display().to_string())).collect();
    let is_a_runs = |line: &&str| line.contains(" - nsfs ") || homes.iter().any(|home| line.contains(home));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.lines().filter(is_a_runs).map(str::to_owned).collect()
}

/// Scratch directories and temporary files of the cache whose lock can be taken: whoever made them has gone.
fn abandoned(cache: &Path) -> BTreeSet<PathBuf> {
    let scratch = entries(&cache.join("scratch")).map(|path| (path.join("lock"), path));
    let temporary = entries(&cache.join("tmp")).map(|path| (path.clone(), path));
    let is_free = |lock: &Path| fs::File::open(lock).is_ok_and(|file| file.try_lock().is_ok());
    scratch.chain(temporary).filter(|(lock, _)| is_free(lock)).map(|(_, path)| path).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| {
        let inner = if path.is_dir() { files(&path) } else { vec![path.clone()] };
        std::iter::once(path).filter(|path| !path.is_dir()).chain(inner).collect::<Vec<_>>()
    };
    entries(directory).flat_map(below).collect()
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    // A directory that a run has not made yet is empty.
    fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path())
}

fn names(directory: &str) -> impl Iterator<Item = String> {
    entries(Path::new(directory)).filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
}
