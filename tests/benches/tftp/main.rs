//! TFTP servers beside each other, as whole processes: `cargo bench -p host-runner-tests --bench tftp`.
//!
//! Each peer that is installed is measured in the same run with the same client, which does what U-Boot's does and
//! loses packets itself where a table says so. The limit is a process that does nothing but answer datagrams of the
//! same sizes. Peers come from Debian: `apt-get install atftpd dnsmasq-base`, and tftpd-hpa, which conflicts with
//! atftpd, from its package: `apt-get download tftpd-hpa && dpkg -x tftpd-hpa_*.deb target/peers`. Those that are made of the
//! crates async-tftp and tftpd (rs-tftpd) are built when they are asked for. What is missing is said, before the figures and
//! after them.

mod load;
mod server;
mod table;

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser as _;

use testbench::harness::print_verdict;

use load::{Load, Loss, Measured};
use server::Program;

/// Measures TFTP servers.
#[derive(Debug, clap::Parser)]
struct Options {
    /// What one client alone fetches, MiB; with loss, or among others, it fetches less.
    #[arg(long, default_value_t = 16)]
    mebibytes: usize,
    /// How often each figure is taken, in turn; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long the client is silent before it repeats its last packet, milliseconds.
    #[arg(long, default_value_t = 200)]
    patience: u64,
    /// Only the tables with loss, which take most of the time, or only those without.
    #[arg(long)]
    loss: Option<bool>,
    /// Only the tables with so many clients: 1 or 50.
    #[arg(long)]
    clients: Option<usize>,
    /// Only these servers, by what their names begin with.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Serves a file: what the measured process of ours does.
    #[arg(long, hide = true, num_args = 2, value_names = ["ADDRESS", "FILE"])]
    serve: Option<Vec<String>>,
    /// Answers datagrams: what the measured process of the limit does.
    #[arg(long, hide = true, value_names = ["ADDRESS"])]
    pong: Option<SocketAddr>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What came of one load on one program.
#[derive(Clone, Debug)]
enum Cell {
    /// The figures of each round.
    Measured(Vec<Measured>),
    /// The program is not here.
    Absent,
    /// The limit has no such load.
    Inapplicable,
    Failed(String),
}

/// What came of all loads of a table on one program.
#[derive(Debug)]
struct Row<'p> {
    program: &'p Program,
    cells: Vec<Cell>,
}

/// Block size in bytes and window in blocks of each column.
const SHAPES: [(u16, u16); 6] = [(512, 1), (512, 8), (512, 16), (1468, 1), (1468, 8), (1468, 16)];
/// What is lost, and how many clients there are, of each table.
const TABLES: [(Loss, usize); 8] = [
    (Loss::NONE, 1),
    (Loss::data(1000), 1),
    (Loss::data(500), 1),
    (Loss::data(100), 1),
    (Loss::acks(100), 1),
    (Loss::NONE, 50),
    (Loss::data(1000), 50),
    (Loss::data(500), 50),
];

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if let Some([address, file]) = options.serve.as_deref() {
        return server::serve(address.parse()?, PathBuf::from(file));
    }
    if let Some(address) = options.pong {
        return Ok(load::pong(address)?);
    }
    let wanted =
        |name: &str| options.only.is_empty() || options.only.iter().any(|only| name.starts_with(only));
    let programs = server::programs(wanted);
    let mut out = io::stdout().lock();
    print_missing(&mut out, &programs)?;
    let mut ahead = Vec::new();
    let wanted = |(loss, clients): &(Loss, usize)| {
        options.loss.is_none_or(|with| with == (*loss != Loss::NONE))
            && options.clients.is_none_or(|wanted| wanted == *clients)
    };
    for (loss, clients) in TABLES.into_iter().filter(wanted) {
        let title = format!("{clients} client(s), {loss}");
        let rows = measure(&options, &programs, loss, clients);
        ahead.extend(table::print(&mut out, &title, &rows)?);
    }
    print_verdict(&mut out, &ahead)?;
    print_missing(&mut out, &programs)?;
    Ok(())
}

/// Says which programs are not measured, and why.
fn print_missing(out: &mut impl Write, programs: &[Program]) -> io::Result<()> {
    for program in programs {
        if let Some(reason) = program.missing() {
            writeln!(out, "MISSING: {}: {reason}", program.name())?;
        }
    }
    Ok(())
}

/// How many bytes a client fetches of the `most` that one does alone and without loss. Where packets are lost, about four
/// blocks of 512 bytes are: a peer may need seconds for each of them.
fn bytes_of_a_client(most: usize, loss: Loss, clients: usize) -> usize {
    const LOST: usize = 4 * 512;
    match (clients, loss.data + loss.acks) {
        (1, 0) => most,
        (1, one_of) => most.min(LOST * one_of as usize),
        _ => most / 16,
    }
}

/// Puts the loads of one table on all programs in turn, again in each round.
fn measure<'p>(options: &Options, programs: &'p [Program], loss: Loss, clients: usize) -> Vec<Row<'p>> {
    let first = |program: &'p Program| {
        let cell = match program {
            program if !program.is_here() => Cell::Absent,
            // It has nobody to lose packets for.
            program if program.is_limit() && loss != Loss::NONE => Cell::Inapplicable,
            _ => Cell::Measured(Vec::new()),
        };
        Row { program, cells: vec![cell; SHAPES.len()] }
    };
    let mut rows: Vec<Row<'p>> = programs.iter().map(first).collect();
    for round in 0..options.rounds {
        for (column, (block_size, window)) in SHAPES.into_iter().enumerate() {
            let load = Load {
                block_size,
                window,
                loss,
                clients,
                bytes: bytes_of_a_client(options.mebibytes << 20, loss, clients),
                patience: Duration::from_millis(options.patience),
                seed: round as u64 + 1,
            };
            for row in &mut rows {
                let cell = &mut row.cells[column];
                // One that has failed is not tried again: it may take long to fail.
                if let Cell::Measured(figures) = cell {
                    match load.measure(row.program) {
                        Ok(figure) => figures.push(figure),
                        Err(error) => *cell = Cell::Failed(error.to_string()),
                    }
                }
            }
        }
    }
    rows
}
