//! The runner's own share of a run, as whole processes: `cargo bench -p host-runner-tests --bench flow`.
//!
//! The fake board answers at once, so what remains is the runner's time, OpenSSH's and that of starting processes.
//! `-- --virtual` measures a run on the virtual board of `cargo xtask lab` as well, where the board takes nearly all.

mod measure;
mod table;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use clap::Parser as _;
use testbench::harness::{Flow, Job, Testbench, host_runner};

use measure::{Measured, measure};

/// Measures whole runs of host-runner.
#[derive(Debug, clap::Parser)]
struct Options {
    /// Runs of each flow on the fake board.
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// Measures one run on the virtual board, too.
    #[arg(long)]
    r#virtual: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut out = io::stdout().lock();
    let flow = Flow::new();
    let run = |index: usize| {
        let name = format!("out-{index}");
        measure(flow.command(&name), &flow.path().join(name))
    };
    table::print(&mut out, "four nodes, fake board", &repeat(options.runs, run)?)?;
    table::print(&mut out, "one node, fake board", &one_node(options.runs)?)?;
    if options.r#virtual {
        virtual_board(&mut out)?;
    }
    Ok(())
}

/// Measures runs, after one that fills the cache.
fn repeat(runs: usize, run: impl Fn(usize) -> io::Result<Measured>) -> io::Result<Vec<Measured>> {
    run(runs)?;
    (0..runs).map(run).collect()
}

fn one_node(runs: usize) -> io::Result<Vec<Measured>> {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", Job::new().to_yaml());
    repeat(runs, |index| {
        let name = format!("out-{index}");
        measure(bench.host_runner(&["run", "job.yaml", "--out", &name]), &bench.path().join(name))
    })
}

/// One run of the example on the virtual board, if the lab is there.
fn virtual_board(out: &mut impl Write) -> io::Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let lab = workspace.join("target/lab/bench.toml");
    if !lab.exists() {
        return writeln!(out, "SKIPPED: virtual board: {} is missing; run `cargo xtask lab`", lab.display());
    }
    let directory = tempfile::tempdir()?;
    let results = directory.path().join("out");
    let mut command = std::process::Command::new(host_runner());
    command.args(["run", "examples/bbb-ssh-guest.yaml", "--bench"]).arg(&lab).arg("--out").arg(&results);
    command.current_dir(&workspace);
    table::print(out, "four nodes, virtual board", &[measure(command, &results)?])
}
