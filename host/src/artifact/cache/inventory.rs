//! What is in the cache, and since when nobody has used it.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

use super::{Cache, CacheError};

/// Largest record that is read, in bytes.
const MAX_RECORD: u64 = 64 * 1024;

/// What git writes where the URL of a clone stands.
const UNNAMED: &str = "Unnamed repository;";

/// All that is in a cache.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Files, those first that nobody has used for the longest time.
    pub files: Vec<CachedFile>,
    /// Clones of git repositories, in the same order.
    pub repositories: Vec<CachedRepository>,
}

/// A file of the cache, with what was made from it and is removed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedFile {
    /// SHA-256, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When a run used it last.
    pub used: SystemTime,
    /// Where it came from: URLs, without secrets, and what was done with them.
    pub from: Vec<String>,
    /// Directories of root filesystems that need it.
    pub kept_for: Vec<PathBuf>,
}

/// A clone of a git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedRepository {
    /// Its URL, without secrets; `None` if an earlier release made it and none has used it since.
    pub url: Option<String>,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When a run used it last.
    pub used: SystemTime,
    /// Its name in the cache.
    pub(super) key: String,
}

/// What all records have in common.
#[derive(Debug, Deserialize)]
struct Record {
    url: Option<String>,
    sha256: String,
}

impl Inventory {
    /// Bytes of everything.
    pub fn bytes(&self) -> u64 {
        let files = self.files.iter().map(|file| file.bytes);
        files.chain(self.repositories.iter().map(|repository| repository.bytes)).sum()
    }
}

impl Cache {
    /// Lists what is in the cache. What other runs add or remove meanwhile may be in it or not.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn inventory(&self) -> Result<Inventory, CacheError> {
        let mut names = self.names()?;
        let mut kept = self.kept()?;
        let mut files: BTreeMap<String, CachedFile> = BTreeMap::new();
        for entry in self.entries("blobs")? {
            let name = entry.file_name().to_string_lossy().into_owned();
            // Removed meanwhile, it is not there.
            let Ok(metadata) = entry.metadata() else { continue };
            let (sha256, derived) =
                name.split_once('.').map_or((name.as_str(), false), |(sum, _)| (sum, true));
            let file = files.entry(sha256.to_owned()).or_insert_with(|| CachedFile {
                sha256: sha256.to_owned(),
                bytes: 0,
                used: SystemTime::UNIX_EPOCH,
                from: names.remove(sha256).unwrap_or_default(),
                kept_for: kept.remove(sha256).unwrap_or_default(),
            });
            file.bytes += metadata.len();
            if !derived {
                file.used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            }
        }
        let mut files: Vec<_> = files.into_values().collect();
        files.sort_by_key(|file| file.used);
        let mut repositories: Vec<_> =
            self.entries("git")?.iter().filter_map(|entry| repository(&entry.path())).collect();
        repositories.sort_by_key(|repository| repository.used);
        Ok(Inventory { files, repositories })
    }

    /// What is in one of the cache's directories.
    pub(super) fn entries(&self, directory: &str) -> Result<Vec<DirEntry>, CacheError> {
        let path = self.root.join(directory);
        let entries = fs::read_dir(&path).and_then(Iterator::collect);
        entries.map_err(|source| CacheError { path, source })
    }

    /// Where the files came from, by their SHA-256.
    fn names(&self) -> Result<BTreeMap<String, Vec<String>>, CacheError> {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut unpacked = Vec::new();
        for entry in self.entries("records")? {
            let Some(record) = read_record(&entry.path()) else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.split_once('-') {
                Some(("origin", _)) => {
                    let url = record.url.unwrap_or_else(|| "fetched by an earlier release".to_owned());
                    names.entry(record.sha256).or_default().push(url);
                }
                // `unpacked-<compression>-<sha256 of what was unpacked>`
                Some(("unpacked", key)) => {
                    unpacked.extend(key.split_once('-').map(|(_, from)| (record.sha256, from.to_owned())));
                }
                Some((kind, _)) => names.entry(record.sha256).or_default().push(format!("made: {kind}")),
                None => {}
            }
        }
        for (sha256, from) in unpacked {
            let urls = names.get(&from).cloned().unwrap_or_default();
            names.entry(sha256).or_default().extend(urls.iter().map(|url| format!("{url} (unpacked)")));
        }
        Ok(names)
    }

    /// Directories that need files, by the files' SHA-256. Links to what is gone are left out.
    fn kept(&self) -> Result<BTreeMap<String, Vec<PathBuf>>, CacheError> {
        let mut kept: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for entry in self.entries("kept")? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let (Some((sha256, _)), Ok(directory)) = (name.split_once('-'), fs::read_link(entry.path()))
            else {
                continue;
            };
            if directory.is_dir() {
                kept.entry(sha256.to_owned()).or_default().push(directory);
            }
        }
        Ok(kept)
    }
}

/// The file that a record leads to, and from where.
fn read_record(path: &Path) -> Option<Record> {
    let file = File::open(path).ok()?;
    let is_small = file.metadata().ok()?.len() <= MAX_RECORD;
    is_small.then(|| serde_json::from_reader(io::BufReader::new(file)).ok())?
}

/// The SHA-256 that a record leads to.
pub(super) fn target(record: &Path) -> Option<String> {
    read_record(record).map(|record| record.sha256)
}

fn repository(path: &Path) -> Option<CachedRepository> {
    let key = path.file_name()?.to_str()?.strip_suffix(".git")?.to_owned();
    let description = path.join(Cache::DESCRIPTION);
    let used = fs::metadata(&description).or_else(|_| fs::metadata(path)).ok()?.modified().ok()?;
    let text = fs::read_to_string(&description).unwrap_or_default();
    let url = Some(text.trim()).filter(|url| !url.is_empty() && !url.starts_with(UNNAMED));
    let url = url.map(str::to_owned);
    Some(CachedRepository { url, bytes: bytes_below(path), used, key })
}

/// Bytes of all files below a directory; what goes meanwhile is not counted.
fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let bytes = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    bytes.sum()
}
