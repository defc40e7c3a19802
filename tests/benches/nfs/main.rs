//! NFS servers beside each other, as whole processes: `cargo bench -p host-runner-tests --bench nfs`.
//!
//! First raw load: the same calls by the same client to each server, over the loopback device. Then a real kernel's client
//! ([user-mode Linux](testbench::kernel_client), from `cargo xtask lab`), which mounts one server after the other. Each
//! part is in a network namespace of its own; rounds are interleaved, and each figure is the median of its rounds. At the
//! end stands where a peer is ahead by more than chance, which takes five rounds at least to be told.
//!
//! Peers: nfs-ganesha from Debian (`apt-get install nfs-ganesha nfs-ganesha-vfs rpcbind`; root only); the library
//! nfs-mamont behind a directory (`tests/benches/peers`); the library nfs3_server in its own program, cargo-nfs3-server.
//! The two libraries are built when they are first asked for. What is missing is said, before the figures and after them.

mod kernel;
mod raw;
mod servers;
mod table;

use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Parser as _;
use testbench::harness::print_verdict;

/// Measures NFS servers.
#[derive(Debug, clap::Parser)]
struct Options {
    /// How often each figure is taken, in turn; the median counts
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Only these servers, by what their names begin with
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only this part
    #[arg(long)]
    part: Option<Part>,
    /// Where the servers have their files; on a tmpfs, the disk has no part in the figures
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Calls of a client that does nothing else.
    Raw,
    /// Programs on a mounted root filesystem.
    Kernel,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let wanted =
        |name: &str| options.only.is_empty() || options.only.iter().any(|only| name.starts_with(only));
    let mut programs = Vec::new();
    let mut missing = Vec::new();
    for (name, find) in servers::ALL.into_iter().filter(|(name, _)| wanted(name)) {
        match find() {
            Ok(program) => programs.push((name, program)),
            Err(error) => missing.push(format!("MISSING: {name}: {error}")),
        }
    }
    let mut out = io::stdout().lock();
    for line in &missing {
        writeln!(out, "{line}")?;
    }
    let mut ahead = Vec::new();
    if options.part != Some(Part::Kernel) {
        ahead.extend(raw::measure(&mut out, &programs, &options.directory, options.rounds)?);
    }
    if options.part != Some(Part::Raw) {
        ahead.extend(kernel::measure(&mut out, &programs, &options.directory, options.rounds)?);
    }
    print_verdict(&mut out, &ahead)?;
    for line in &missing {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
