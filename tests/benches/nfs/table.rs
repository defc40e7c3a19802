//! The tables: a row per load, and per server what it did, what that cost it, and how ours compares.

use std::io::{self, Write};

use testbench::harness::{is_larger, median, usage};

use crate::servers::{Server, Took};

/// All servers under one load.
pub(crate) struct Row<'a> {
    pub(crate) name: &'static str,
    /// What each round took, by server in their order; `None` where it failed, so that rounds stay beside each other.
    pub(crate) rounds: &'a [Vec<Option<Took>>],
    /// What is shown for seconds, and for seconds of CPU time.
    pub(crate) show: Box<dyn Fn(f64, f64) -> (String, String) + 'a>,
}

/// One of the two figures of a cell, in seconds.
type Figure = fn(&Took) -> f64;

const FIGURES: [(&str, Figure); 2] =
    [("time", |took| took.wall.as_secs_f64()), ("CPU time", |took| took.cpu.as_secs_f64())];

/// Prints a table; ratios above 1 mean that ours, the first server, is ahead. Returns where a peer is.
pub(crate) fn print(
    out: &mut impl Write,
    title: &str,
    servers: &[Server],
    rows: &[Row<'_>],
) -> io::Result<Vec<String>> {
    writeln!(out, "\n{title}: medians of the rounds; CPU time of the server; ratio of host-runner to it")?;
    write!(out, "{:<24}", "")?;
    for server in servers {
        write!(out, "{:>13}{:>12}{:>7}", server.name, "CPU", "ratio")?;
    }
    writeln!(out)?;
    let ours = servers.iter().position(|server| server.name == "host-runner");
    let mut ahead = Vec::new();
    for row in rows {
        write!(out, "{:<24}", row.name)?;
        for (index, server) in servers.iter().enumerate() {
            let ours = ours.filter(|ours| *ours != index);
            let [wall, cpu] = FIGURES.map(|(_, figure)| row.median(index, figure));
            let (Some(wall), Some(cpu)) = (wall, cpu) else {
                write!(out, "{:>13}{:>19}", "failed", "")?;
                continue;
            };
            let ratio = ours.and_then(|ours| row.median(ours, FIGURES[0].1)).map(|ours| wall / ours);
            let (time, cost) = (row.show)(wall, cpu);
            let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
            write!(out, "{time:>13}{cost:>12}{ratio:>7}")?;
            let behind = FIGURES
                .iter()
                .filter(|(_, figure)| ours.is_some_and(|ours| row.is_larger(ours, index, *figure)));
            ahead.extend(behind.map(|(what, _)| format!("{title}, {}, {what}: {}", row.name, server.name)));
        }
        writeln!(out)?;
    }
    print_memory(out, servers)?;
    Ok(ahead)
}

fn print_memory(out: &mut impl Write, servers: &[Server]) -> io::Result<()> {
    write!(out, "{:<24}", "peak memory")?;
    for server in servers {
        let peak = usage::peak_kib(server.process.id()).unwrap_or_default();
        write!(out, "{:>13}{:>19}", format!("{:.1} MiB", peak as f64 / 1024.0), "")?;
    }
    writeln!(out)
}

impl Row<'_> {
    /// A figure of every round of a server.
    fn figures(&self, server: usize, figure: Figure) -> impl Iterator<Item = Option<f64>> {
        self.rounds.get(server).into_iter().flatten().map(move |took| took.as_ref().map(figure))
    }

    fn median(&self, server: usize, figure: Figure) -> Option<f64> {
        median(self.figures(server, figure).flatten())
    }

    /// Whether a figure of `one` is larger than that of `other` by more than chance, in the rounds that both have.
    fn is_larger(&self, one: usize, other: usize, figure: Figure) -> bool {
        let rounds = self.figures(one, figure).zip(self.figures(other, figure));
        is_larger(rounds.filter_map(|(one, other)| one.zip(other)))
    }
}
