//! A root filesystem made ready for a job: `cargo bench -p host-runner-tests --bench rootfs`.
//!
//! Indexing a generated archive, and loading the index that an earlier job left, are measured in the same rounds as GNU
//! tar listing and unpacking it; once with the archive in the page cache, once without. So is the first job of a
//! compressed one (into the cache, decompressed, checksums, index) beside decompression and GNU tar in a pipe.

mod archive;
mod layer;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser as _;
use host_runner::artifact::{Cache, Compression, Mirrors, Request};
use host_runner::rootfs::Lower;
use rustix::fs::{Advice, fadvise};
use testbench::harness::median;

const SHA256: &str = "of the generated archive";
/// The first job of a compressed archive may take this long.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures how long a root filesystem takes to be ready.
#[derive(Debug, clap::Parser)]
struct Options {
    /// Rounds; each measures everything once.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Changes a layer in this process, and does nothing else.
    #[arg(long, requires = "archive", hide = true)]
    work: Option<layer::Work>,
    /// The archive below that layer.
    #[arg(long, hide = true)]
    archive: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What each thing took, a round a number.
#[derive(Default)]
struct Times(Vec<(&'static str, Vec<Duration>)>);

impl Times {
    fn add(&mut self, what: &'static str, time: Duration) {
        match self.0.iter_mut().find(|(name, _)| *name == what) {
            Some((_, times)) => times.push(time),
            None => self.0.push((what, vec![time])),
        }
    }

    fn median(&self, what: &str) -> Option<f64> {
        let (_, times) = self.0.iter().find(|(name, _)| *name == what)?;
        median(times.iter().map(milliseconds))
    }
}

const NEXT: &str = "next job: index loaded and checked";

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut out = io::stdout().lock();
    if let (Some(work), Some(archive)) = (options.work, &options.archive) {
        return layer::work(work, archive, &mut out);
    }
    let directory = tempfile::tempdir()?;
    let tar = directory.path().join("rootfs");
    archive::generate(&tar)?;
    let gz = archive::compress("gzip", &tar, "gz")?;
    let zst = archive::compress("zstd", &tar, "zst")?;
    let mut times = Times::default();
    for _ in 0..options.rounds {
        round(directory.path(), &tar, &mut times)?;
        cold(&tar, &mut times)?;
        let names = ["first job of a .gz: decompressed, indexed", "zcat | tar -t"];
        compressed(directory.path(), &gz, Compression::Gzip, "zcat", names, &mut times)?;
        let names = ["first job of a .zst: decompressed, indexed", "zstd -dc | tar -t"];
        compressed(directory.path(), &zst, Compression::Zstd, "zstd -dc", names, &mut times)?;
    }
    let lower = Lower::from_index(&tar, SHA256).ok_or("the index was not loaded")?;
    let each = lower.memory() as u64 / lower.inode_count();
    writeln!(out, "{} inodes, {each} bytes of memory each", lower.inode_count())?;
    writeln!(out, "index file: {} bytes", fs::metadata(Lower::index_path(&tar))?.len())?;
    let unit = times.median(NEXT).unwrap_or(f64::NAN);
    writeln!(out, "{:<44}{:>9}{:>9}{:>9}{:>9}", "ms", "min", "median", "max", "ratio")?;
    for (what, times) in &times.0 {
        print(&mut out, what, times, unit)?;
    }
    layer::measure(&tar, &mut out)
}

fn round(directory: &Path, tar: &Path, times: &mut Times) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let lower = Lower::from_tar(tar)?;
    let index = lower.to_index(SHA256).ok_or("the index is too large")?;
    let file = Lower::index_path(tar);
    fs::write(&file, index)?;
    File::open(&file)?.sync_all()?;
    times.add("first job: headers read, index saved", started.elapsed());
    drop(lower);

    let started = Instant::now();
    let lower = Lower::from_index(tar, SHA256).ok_or("the index was not loaded")?;
    times.add(NEXT, started.elapsed());
    if lower.inode_count() < archive::FILES {
        return Err("files are missing in the index".into());
    }

    let mut list = Command::new("tar");
    times.add("tar -tf", run(list.arg("-tf").arg(tar))?);
    let target = directory.join("unpacked");
    fs::create_dir(&target)?;
    let mut unpack = Command::new("tar");
    times.add("tar -xf", run(unpack.arg("-xf").arg(tar).arg("-C").arg(&target))?);
    fs::remove_dir_all(&target)?;
    Ok(())
}

/// The same with neither archive nor index in the page cache.
fn cold(tar: &Path, times: &mut Times) -> Result<(), Box<dyn Error>> {
    let forget = || -> io::Result<()> {
        for path in [tar, &Lower::index_path(tar)] {
            let file = File::open(path)?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
        Ok(())
    };
    forget()?;
    let started = Instant::now();
    Lower::from_tar(tar)?;
    times.add("cold: headers read", started.elapsed());
    forget()?;
    let started = Instant::now();
    Lower::from_index(tar, SHA256).ok_or("the index was not loaded")?;
    times.add("cold: index loaded and checked", started.elapsed());
    forget()?;
    times.add("cold: tar -tf", run(Command::new("tar").arg("-tf").arg(tar))?);
    Ok(())
}

/// The first job of a compressed archive, in a cache of its own, beside `pipe` and GNU tar.
fn compressed(
    directory: &Path,
    archive: &Path,
    compression: Compression,
    pipe: &str,
    [ours, theirs]: [&'static str; 2],
    times: &mut Times,
) -> Result<(), Box<dyn Error>> {
    let cache_directory = directory.join("cache");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Instant::now();
    let cache = Cache::open(&cache_directory)?;
    let url = archive.display().to_string();
    let request = Request { url, compression: Some(compression), ..Request::default() };
    let (mirrors, deadline) = (Mirrors::default(), started + PATIENCE);
    let artifact = runtime.block_on(cache.fetch(&request, &mirrors, deadline, |_, _| ()))?;
    let lower = Lower::from_tar(&artifact.path)?;
    let index = lower.to_index(&artifact.sha256).ok_or("the index is too large")?;
    cache.keep_derived(&artifact, Lower::INDEX_SUFFIX, &index)?;
    times.add(ours, started.elapsed());
    fs::remove_dir_all(&cache_directory)?;
    let mut shell = Command::new("sh");
    times.add(theirs, run(shell.arg("-c").arg(format!("{pipe} \"$1\" | tar -t")).arg("sh").arg(archive))?);
    Ok(())
}

fn run(command: &mut Command) -> io::Result<Duration> {
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let time = started.elapsed();
    if !status.success() {
        return Err(io::Error::other(format!("{command:?}: {status}")));
    }
    Ok(time)
}

fn milliseconds(time: &Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn print(out: &mut impl Write, what: &str, times: &[Duration], unit: f64) -> io::Result<()> {
    let median = median(times.iter().map(milliseconds)).unwrap_or(f64::NAN);
    let (min, max) = times
        .iter()
        .map(milliseconds)
        .fold((f64::NAN, f64::NAN), |(min, max), time| (time.min(min), time.max(max)));
    writeln!(out, "{what:<44}{min:>9.1}{median:>9.1}{max:>9.1}{:>9.1}", median / unit)
}
