//! The tables: a row per load, and per server what it did, what that cost it, and how ours compares.

use std::io::{self, Write};
use std::time::Duration;

use testbench::harness::{median, usage};

use crate::servers::Server;

/// The figure of one server under one load.
pub(crate) struct Cell {
    /// The larger, the better: ours divided by a peer's is the ratio.
    pub(crate) merit: f64,
    /// What is shown.
    pub(crate) text: String,
    /// CPU time of the server.
    pub(crate) cost: String,
}

/// All servers under one load, in their order; without a cell where the server failed.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) cells: Vec<Option<Cell>>,
}

/// The median of something, in seconds.
pub(crate) fn middle<T>(figures: &[T], value: impl Fn(&T) -> Duration) -> Option<f64> {
    median(figures.iter().map(|figure| value(figure).as_secs_f64()))
}

/// Prints a table; ratios above 1 mean that ours, the first server, is ahead.
pub(crate) fn print(out: &mut impl Write, title: &str, servers: &[Server], rows: &[Row]) -> io::Result<()> {
    writeln!(out, "\n{title}: medians of the rounds; CPU time of the server; ratio of host-runner to it")?;
    write!(out, "{:<24}", "")?;
    for server in servers {
        write!(out, "{:>13}{:>12}{:>7}", server.name, "CPU", "ratio")?;
    }
    writeln!(out)?;
    for row in rows {
        write!(out, "{:<24}", row.name)?;
        let ours = row.cells.first().and_then(Option::as_ref).filter(|_| is_ours(servers.first()));
        for (server, cell) in servers.iter().zip(&row.cells) {
            let ratio = match (ours, cell) {
                (Some(ours), Some(cell)) if !is_ours(Some(server)) => {
                    format!("{:.2}", ours.merit / cell.merit)
                }
                _ => String::new(),
            };
            match cell {
                Some(cell) => write!(out, "{:>13}{:>12}{ratio:>7}", cell.text, cell.cost)?,
                None => write!(out, "{:>13}{:>12}{ratio:>7}", "failed", "")?,
            }
        }
        writeln!(out)?;
    }
    write!(out, "{:<24}", "peak memory")?;
    for server in servers {
        let peak = usage::peak_kib(server.process.id()).unwrap_or_default();
        write!(out, "{:>13}{:>19}", format!("{:.1} MiB", peak as f64 / 1024.0), "")?;
    }
    writeln!(out)
}

fn is_ours(server: Option<&Server>) -> bool {
    server.is_some_and(|server| server.name == "host-runner")
}
