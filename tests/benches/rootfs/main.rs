//! A root filesystem made ready for a job: `cargo bench -p host-runner-tests --bench rootfs`.
//!
//! The archive is generated: 12 000 files, 237 MB, as a Debian with SSH and systemd has. Indexing it, and loading the
//! index that an earlier job left, are measured in the same rounds as GNU tar listing and unpacking it.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser as _;
use host_runner::rootfs::Lower;
use tar::{EntryType, Header};
use testbench::harness::median;

const FILES: u64 = 12_000;
const FILES_IN_DIRECTORY: u64 = 20;
const BYTES: u64 = 237_000_000;
const SHA256: &str = "of the generated archive";

/// Measures how long a root filesystem takes to be ready.
#[derive(Debug, clap::Parser)]
struct Options {
    /// Rounds; each measures everything once.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one round took.
#[derive(Default)]
struct Times {
    first: Vec<Duration>,
    second: Vec<Duration>,
    list: Vec<Duration>,
    unpack: Vec<Duration>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let directory = tempfile::tempdir()?;
    let tar = directory.path().join("rootfs");
    generate(&tar)?;
    let mut times = Times::default();
    for _ in 0..options.rounds {
        round(directory.path(), &tar, &mut times)?;
    }
    let lower = Lower::from_index(&tar, SHA256).ok_or("the index was not loaded")?;
    let each = lower.memory() as u64 / lower.inode_count();
    let mut out = io::stdout().lock();
    writeln!(out, "{} inodes, {each} bytes of memory each", lower.inode_count())?;
    writeln!(out, "index file: {} bytes", fs::metadata(Lower::index_path(&tar))?.len())?;
    let second = median(times.second.iter().map(milliseconds)).unwrap_or(f64::NAN);
    writeln!(out, "{:<44}{:>9}{:>9}{:>9}{:>9}", "ms", "min", "median", "max", "ratio")?;
    print(&mut out, "first job: headers read, index saved", &times.first, second)?;
    print(&mut out, "next job: index loaded and checked", &times.second, second)?;
    print(&mut out, "tar -tf", &times.list, second)?;
    print(&mut out, "tar -xf", &times.unpack, second)?;
    Ok(())
}

fn round(directory: &Path, tar: &Path, times: &mut Times) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let lower = Lower::from_tar(tar)?;
    let index = lower.to_index(SHA256).ok_or("the index is too large")?;
    let file = Lower::index_path(tar);
    fs::write(&file, index)?;
    File::open(&file)?.sync_all()?;
    times.first.push(started.elapsed());
    drop(lower);

    let started = Instant::now();
    let lower = Lower::from_index(tar, SHA256).ok_or("the index was not loaded")?;
    times.second.push(started.elapsed());
    if lower.inode_count() < FILES {
        return Err("files are missing in the index".into());
    }

    let mut list = Command::new("tar");
    times.list.push(run(list.arg("-tf").arg(tar))?);
    let target = directory.join("unpacked");
    fs::create_dir(&target)?;
    let mut unpack = Command::new("tar");
    times.unpack.push(run(unpack.arg("-xf").arg(tar).arg("-C").arg(&target))?);
    fs::remove_dir_all(&target)?;
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

/// Writes the archive: sizes from none to twice the mean, each directory with the same number of files.
fn generate(path: &Path) -> io::Result<()> {
    let mut tar = tar::Builder::new(BufWriter::new(File::create(path)?));
    let header = |kind, mode, size| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(size);
        header
    };
    let mean = BYTES / FILES;
    for number in 0..FILES {
        let directory = format!("usr/share/doc/package-{:03}/", number / FILES_IN_DIRECTORY);
        if number % FILES_IN_DIRECTORY == 0 {
            tar.append_data(&mut header(EntryType::Directory, 0o755, 0), &directory, io::empty())?;
        }
        let size = mean * 2 * (number % FILES_IN_DIRECTORY) / (FILES_IN_DIRECTORY - 1);
        let name = format!("{directory}some-file-{number:05}.so.1.2.3");
        tar.append_data(&mut header(EntryType::Regular, 0o644, size), name, io::repeat(b'x').take(size))?;
    }
    tar.into_inner()?.flush()
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
