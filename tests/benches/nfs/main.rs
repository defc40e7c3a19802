//! Raw NFSv3 load on `host-runner rootfs serve`, and on nfs-ganesha in the same run where it is installed.
//!
//! Every server is asked the same by the same client over the loopback device of a network namespace of its own; rounds
//! are interleaved, and each figure is the median of its rounds.

mod servers;

use std::error::Error;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use clap::Parser;
use testbench::harness::{median, usage};
use testbench::nfs_client::{Client, Xdr};

use crate::servers::{FILE, FILE_SIZE, Server};

/// Set in the process that runs in the namespace: to `root`, or to `user` where it is root there alone.
const INSIDE: &str = "HOST_RUNNER_BENCH_INSIDE";

#[derive(Debug, Parser)]
struct Options {
    /// Rounds of each load
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One kind of load.
struct Load {
    name: &'static str,
    depth: usize,
    calls: u64,
    /// Bytes of file data of one call; 0 for GETATTR.
    bytes: u64,
    writes: bool,
}

const LOADS: [Load; 6] = [
    Load { name: "GETATTR, depth 1", depth: 1, calls: 20_000, bytes: 0, writes: false },
    Load { name: "GETATTR, depth 16", depth: 16, calls: 100_000, bytes: 0, writes: false },
    Load { name: "READ 64 KiB, depth 4", depth: 4, calls: 8192, bytes: 64 << 10, writes: false },
    Load { name: "READ 1 MiB, depth 4", depth: 4, calls: 512, bytes: 1 << 20, writes: false },
    Load { name: "WRITE 64 KiB, depth 4", depth: 4, calls: 4096, bytes: 64 << 10, writes: true },
    Load { name: "WRITE 1 MiB, depth 4", depth: 4, calls: 256, bytes: 1 << 20, writes: true },
];

/// What one load took on one server.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let Some(inside) = std::env::var_os(INSIDE) else {
        return Err(enter_namespace().into());
    };
    let status = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
    if !status.success() {
        return Err("the loopback device cannot be set up".into());
    }
    let directory = tempfile::tempdir()?;
    let mut servers = vec![servers::ours(directory.path())?];
    if inside == "root" {
        servers.extend(servers::ganesha(directory.path())?);
    }
    let mut figures = vec![vec![Vec::new(); servers.len()]; LOADS.len()];
    for _ in 0..options.rounds {
        for (load, figures) in LOADS.iter().zip(&mut figures) {
            for (server, figures) in servers.iter().zip(figures) {
                figures.push(run(server, load)?);
            }
        }
    }
    print(&mut io::stdout().lock(), &servers, &figures)?;
    Ok(())
}

/// Runs this program again in a network namespace of its own: nothing else listens there, and nothing is reached.
fn enter_namespace() -> io::Error {
    let root = rustix::process::geteuid().is_root();
    let (own, who): (&[&str], _) =
        if root { (&["--net"], "root") } else { (&["--net", "--user", "--map-root-user"], "user") };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    Command::new("unshare").args(own).arg(program).args(std::env::args_os().skip(1)).env(INSIDE, who).exec()
}

/// One load on one server.
fn run(server: &Server, load: &Load) -> io::Result<Took> {
    let directory = Client::connect(server.mount)?.mount(&server.path)?;
    let mut client = Client::connect(server.nfs)?;
    let handle =
        if load.writes { client.create(&directory, "written")? } else { client.lookup(&directory, FILE)? };
    let (procedure, data) = match (load.bytes, load.writes) {
        (0, _) => (1, Vec::new()),
        (_, false) => (6, Vec::new()),
        (bytes, true) => (7, vec![b'y'; bytes as usize]),
    };
    let arguments = (0..load.calls).map(|call| {
        let file = Xdr::default().opaque(&handle);
        let offset = call * load.bytes % FILE_SIZE;
        match procedure {
            1 => file,
            6 => file.u64(offset).u32(load.bytes as u32),
            // UNSTABLE.
            _ => file.u64(offset).u32(load.bytes as u32).u32(0).opaque(&data),
        }
    });
    let before = usage::cpu_time(server.process.id())?;
    let mut wall = client.load(procedure, load.depth, arguments)?;
    if load.writes {
        let all = Xdr::default().opaque(&handle).u64(0).u32(0);
        wall += client.load(21, 1, std::iter::once(all))?;
    }
    Ok(Took { wall, cpu: usage::cpu_time(server.process.id())?.saturating_sub(before) })
}

fn print(out: &mut impl Write, servers: &[Server], figures: &[Vec<Vec<Took>>]) -> io::Result<()> {
    write!(out, "{:<24}", "median of the rounds")?;
    for server in servers {
        write!(out, "{:>14}{:>12}", server.name, "CPU")?;
    }
    writeln!(out, "{:>10}", "ratio")?;
    for (load, figures) in LOADS.iter().zip(figures) {
        write!(out, "{:<24}", load.name)?;
        let mut rates = Vec::new();
        for took in figures {
            let middle = |value: fn(&Took) -> Duration| {
                median(took.iter().map(|took| value(took).as_secs_f64())).unwrap_or(f64::NAN)
            };
            let wall = middle(|took| took.wall);
            let cpu = middle(|took| took.cpu);
            let (rate, unit, cost) = if load.bytes == 0 {
                let calls = load.calls as f64;
                (calls / wall / 1e3, "k/s", format!("{:.1} us", cpu / calls * 1e6))
            } else {
                let mib = (load.calls * load.bytes) as f64 / f64::from(1 << 20);
                (mib / wall, "MiB/s", format!("{:.2} ms/MiB", cpu / mib * 1e3))
            };
            write!(out, "{:>14}{cost:>12}", format!("{rate:.1} {unit}"))?;
            rates.push(rate);
        }
        match rates.as_slice() {
            [ours, peer] => writeln!(out, "{:>10.2}", ours / peer)?,
            _ => writeln!(out)?,
        }
    }
    for server in servers {
        let peak = usage::peak_kib(server.process.id()).unwrap_or_default();
        writeln!(out, "peak memory of {}: {:.1} MiB", server.name, peak as f64 / 1024.0)?;
    }
    if servers.len() == 1 {
        writeln!(
            out,
            "SKIPPED: nfs-ganesha (Debian packages nfs-ganesha, nfs-ganesha-vfs and rpcbind; root)"
        )?;
    }
    Ok(())
}
