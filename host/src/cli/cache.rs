//! `host-runner cache`: what was downloaded, unpacked and cloned.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Subcommand;
use serde::Serialize;

use crate::artifact::{Cache, CachedFile, CachedRepository, Inventory, Pruned};
use crate::cli::args::BenchArgs;
use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::cli::run::load_bench_if_any;
use crate::fault::{Class, Fault};
use crate::run::cache_directory;
use crate::text::{Size, minute};

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner cache list
  host-runner cache prune --dry-run              what 30 days of not being used would remove
  host-runner cache prune --unused-for 7
  host-runner cache prune --unused-for 0         all that no run and no kept root filesystem needs now
  host-runner cache verify";

/// `host-runner cache`.
#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
    /// Lists the files and clones, those first that nobody has used for the longest time
    List {
        #[command(flatten)]
        bench: BenchArgs,
        /// Prints one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Removes what no run has used for some time; what a run or a kept root filesystem needs stays
    Prune {
        #[command(flatten)]
        bench: BenchArgs,
        /// How long
        #[arg(long, value_name = "DAYS", default_value = "30")]
        unused_for: u16,
        /// Only tells what would be removed
        #[arg(long)]
        dry_run: bool,
        /// Prints one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Reads every file and removes those that the disk has damaged; exit code 3 if there are any
    Verify {
        #[command(flatten)]
        bench: BenchArgs,
        /// Prints one JSON object per line
        #[arg(long)]
        json: bool,
    },
}

/// One file or clone, as `--json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    /// `file` or `git`.
    kind: &'static str,
    /// Of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
    /// Bytes on the disk.
    bytes: u64,
    /// When a run used it last.
    used: jiff::Timestamp,
    /// Where it came from.
    from: Vec<&'a str>,
    /// Directories of root filesystems that need it.
    kept_for: Vec<String>,
    /// What became of it, if it was to be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fate: Option<Fate>,
}

/// What became of something that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    Removed,
    WouldBeRemoved,
    InUse,
}

/// Carries out a subcommand.
pub(super) fn cache(command: &CacheCommand) -> Result<Option<Class>, Failure> {
    match command {
        CacheCommand::List { bench, json } => {
            let directory = directory(bench)?;
            let found = match open(&directory)? {
                Some(cache) => cache.inventory().map_err(|error| fault(&error))?,
                None => Inventory::default(),
            };
            print(|out| {
                show(out, &found, None, *json)?;
                summary(out, &format!("in {}", directory.display()), &found, *json)
            })
        }
        CacheCommand::Prune { bench, unused_for, dry_run, json } => {
            prune(bench, *unused_for, *dry_run, *json)
        }
        CacheCommand::Verify { bench, json } => verify(bench, *json),
    }
}

fn prune(bench: &BenchArgs, days: u16, dry_run: bool, json: bool) -> Result<Option<Class>, Failure> {
    let age = Duration::from_secs(u64::from(days) * 24 * 3600);
    let before = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
    let Pruned { removed, in_use } = match open(&directory(bench)?)? {
        Some(cache) => cache.prune(before, dry_run).map_err(|error| fault(&error))?,
        None => Pruned::default(),
    };
    let (fate, done) = match dry_run {
        true => (Fate::WouldBeRemoved, "would be removed"),
        false => (Fate::Removed, "removed"),
    };
    print(|out| {
        show(out, &removed, Some(fate), json)?;
        show(out, &in_use, Some(Fate::InUse), json)?;
        summary(out, done, &removed, json)
    })
}

fn verify(bench: &BenchArgs, json: bool) -> Result<Option<Class>, Failure> {
    let (mut count, mut bytes) = (0_u64, 0_u64);
    let live = io::stderr().is_terminal();
    let mut progress = |file: &CachedFile| {
        count += 1;
        bytes += file.bytes;
        if live {
            // A file may have gigabytes, and takes as many seconds.
            let (name, size) = (short(&file.sha256), Size(file.bytes));
            // Progress that nobody can see is no loss.
            let _ = write!(io::stderr(), "\r\x1b[Kreading {name} ({size})");
        }
    };
    let damaged = match open(&directory(bench)?)? {
        Some(cache) => cache.remove_damaged(&mut progress).map_err(|error| fault(&error)),
        None => Ok(Pruned::default()),
    };
    if live {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    let Pruned { removed, in_use } = damaged?;
    print(|out| {
        show(out, &removed, Some(Fate::Removed), json)?;
        show(out, &in_use, Some(Fate::InUse), json)?;
        if json {
            return Ok(());
        }
        let damaged = removed.files.len() + in_use.files.len();
        writeln!(out, "{count} files, {}: {damaged} damaged", Size(bytes))
    })?;
    let is_whole = removed.files.is_empty() && in_use.files.is_empty();
    Ok((!is_whole).then_some(Class::Infrastructure))
}

fn directory(bench: &BenchArgs) -> Result<PathBuf, Failure> {
    Ok(cache_directory(load_bench_if_any(bench)?.as_ref())?)
}

/// The cache in `directory`; none if no run has made one there yet.
fn open(directory: &Path) -> Result<Option<Cache>, Failure> {
    let cache = directory.is_dir().then(|| Cache::open(directory)).transpose();
    Ok(cache.map_err(|error| fault(&error))?)
}

fn fault(error: &dyn std::error::Error) -> Fault {
    Fault::from_error(Class::Infrastructure, "artifact cache", error)
}

fn show(out: &mut dyn Write, found: &Inventory, fate: Option<Fate>, json: bool) -> io::Result<()> {
    let files = found.files.iter().map(|file| of_file(file, fate));
    let repositories = found.repositories.iter().map(|repository| of_repository(repository, fate));
    files.chain(repositories).try_for_each(|line| {
        if json {
            serde_json::to_writer(&mut *out, &line)?;
            return writeln!(out);
        }
        show_line(out, &line)
    })
}

fn of_file(file: &CachedFile, fate: Option<Fate>) -> Line<'_> {
    Line {
        kind: "file",
        sha256: Some(&file.sha256),
        bytes: file.bytes,
        used: jiff::Timestamp::try_from(file.used).unwrap_or_default(),
        from: file.from.iter().map(String::as_str).collect(),
        kept_for: file.kept_for.iter().map(|directory| directory.display().to_string()).collect(),
        fate,
    }
}

fn of_repository(repository: &CachedRepository, fate: Option<Fate>) -> Line<'_> {
    Line {
        kind: "git",
        sha256: None,
        bytes: repository.bytes,
        used: jiff::Timestamp::try_from(repository.used).unwrap_or_default(),
        from: repository.url.iter().map(String::as_str).collect(),
        kept_for: Vec::new(),
        fate,
    }
}

fn show_line(out: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
    let name = line.sha256.map_or("git", short);
    let from = if line.from.is_empty() { "origin unknown".to_owned() } else { line.from.join(", ") };
    let used = minute(line.used);
    write!(out, "{:>12}  {used}  {name:<12}  {from}", Size(line.bytes))?;
    if !line.kept_for.is_empty() {
        write!(out, "  kept for {}", line.kept_for.join(", "))?;
    }
    if line.fate == Some(Fate::InUse) {
        write!(out, "  stays: a run is using it")?;
    }
    writeln!(out)
}

fn summary(out: &mut dyn Write, what: &str, found: &Inventory, json: bool) -> io::Result<()> {
    if json {
        return Ok(());
    }
    let (files, clones) = (found.files.len(), found.repositories.len());
    writeln!(out, "{:>12}  {files} files and {clones} clones {what}", Size(found.bytes()))
}

/// Enough of a checksum to tell it from others.
fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}
