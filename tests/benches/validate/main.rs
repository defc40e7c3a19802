//! `host-runner validate` as whole processes: `cargo bench -p host-runner-tests --bench validate`.
//!
//! One job file, and a thousand of them, are checked beside Python reading the same files with PyYAML and nothing else;
//! with its parser in Python (`SafeLoader`), and with the one in C that LAVA uses (`CSafeLoader`). Where LAVA's own
//! `lava-schema` is installed it checks the files, too. Rounds are interleaved, so that a slow moment of the machine falls
//! on all.

mod process;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use testbench::harness::{host_runner, median};

use process::Usage;

/// Limit for one job file, in milliseconds.
const ONE_MS: f64 = 20.0;
/// Limit for all files, in milliseconds.
const ALL_MS: f64 = 2000.0;
/// Limit for the memory of either, in MiB.
const MEMORY_MIB: f64 = 20.0;

/// Measures `validate`.
#[derive(Debug, clap::Parser)]
struct Options {
    /// Rounds; each measures everything once.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Job files.
    #[arg(long, default_value_t = 1000)]
    files: usize,
    /// Runs a program, prints what it used, and does nothing else.
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    usage_of: Vec<OsString>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A program that is measured, and what it used in each round.
struct Row {
    what: &'static str,
    files: usize,
    program: PathBuf,
    arguments: Vec<OsString>,
    used: Vec<Usage>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut out = io::stdout().lock();
    if let [program, arguments @ ..] = options.usage_of.as_slice() {
        return process::print_usage_of(&mut out, Command::new(program).args(arguments));
    }
    let directory = tempfile::tempdir()?;
    let files = write_jobs(directory.path(), options.files)?;
    let mut rows = rows(&files, &mut out)?;
    for _ in 0..options.rounds {
        for row in &mut rows {
            row.used.push(Usage::of(&row.program, &row.arguments)?);
        }
    }
    print(&mut out, &rows)
}

/// As many jobs as asked for, in turns of those that the tests read.
fn write_jobs(directory: &Path, number: usize) -> io::Result<Vec<PathBuf>> {
    let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/jobs"));
    let names = ["seed.yaml", "uboot-nfs.yaml", "uboot-ramdisk.yaml", "single-node.yaml"];
    let write = |(index, name): (usize, &&str)| {
        let path = directory.join(format!("{index:04}-{name}"));
        fs::copy(fixtures.join(name), &path)?;
        Ok(path)
    };
    names.iter().cycle().take(number).enumerate().map(write).collect()
}

fn rows(files: &[PathBuf], out: &mut impl Write) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let script = |loader: &str| {
        format!("import sys, yaml\nfor name in sys.argv[1:]: yaml.load(open(name), yaml.{loader})")
    };
    let one = files.get(..1).unwrap_or_default();
    for files in [one, files] {
        let mut add = |what, program: PathBuf, arguments: &[&str]| {
            let arguments = arguments.iter().map(OsString::from);
            let arguments = arguments.chain(files.iter().map(|file| file.clone().into_os_string()));
            rows.push(Row {
                what,
                files: files.len(),
                program,
                arguments: arguments.collect(),
                used: Vec::new(),
            });
        };
        add("host-runner validate", host_runner().to_owned(), &["validate"]);
        if let Some(python) = installed("python3") {
            add("python3, SafeLoader", python.clone(), &["-c", &script("SafeLoader")]);
            add("python3, CSafeLoader", python, &["-c", &script("CSafeLoader")]);
        }
        match installed("lava-schema") {
            Some(schema) => add("lava-schema job", schema, &["job"]),
            None => writeln!(out, "absent: lava-schema (Debian's lava-common)")?,
        }
    }
    Ok(rows)
}

/// A program that the system has.
fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

fn print(out: &mut impl Write, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    writeln!(out, "{:<24}{:>7}{:>10}{:>10}{:>10}{:>8}", "", "files", "ms", "CPU ms", "MiB", "ratio")?;
    let mut ours = f64::NAN;
    for row in rows {
        let middle = |value: fn(&Usage) -> f64| median(row.used.iter().map(value)).unwrap_or(f64::NAN);
        let (ms, cpu, memory) = (middle(|used| used.ms), middle(|used| used.cpu_ms), middle(|used| used.mib));
        let is_ours = row.what.starts_with("host-runner");
        if is_ours {
            ours = ms;
        }
        let (what, files, ratio) = (row.what, row.files, ms / ours);
        writeln!(out, "{what:<24}{files:>7}{ms:>10.1}{cpu:>10.1}{memory:>10.1}{ratio:>8.2}")?;
        let limit = if row.files == 1 { ONE_MS } else { ALL_MS };
        if is_ours && (ms > limit || memory > MEMORY_MIB) {
            writeln!(out, "  beyond its limit of {limit} ms and {MEMORY_MIB} MiB")?;
        }
    }
    Ok(())
}
