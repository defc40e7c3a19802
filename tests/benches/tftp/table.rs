//! Figures as text.

use std::io::{self, Write};

use testbench::harness::{is_larger, median};

use super::load::Measured;
use super::{Cell, Row, SHAPES};

/// One of the figures.
struct Figure {
    unit: &'static str,
    value: fn(&Measured) -> Option<f64>,
    /// Whether more of it is better.
    more_is_better: bool,
}

const FIGURES: [Figure; 2] = [
    Figure { unit: "MiB/s", value: |measured| Some(measured.mebibytes_per_second), more_is_better: true },
    Figure {
        unit: "CPU ms/MiB",
        value: |measured| measured.milliseconds_per_mebibyte,
        more_is_better: false,
    },
];

/// Prints a line for each program: throughput, CPU time, and both against ours; and the best peer of each column.
/// Returns the columns in which a peer is ahead of ours.
pub(crate) fn print(out: &mut impl Write, title: &str, rows: &[Row<'_>]) -> io::Result<Vec<String>> {
    let mut ahead = Vec::new();
    for figure in &FIGURES {
        let heads: String =
            SHAPES.iter().map(|(size, window)| format!("{:>18}", format!("{size} x{window}"))).collect();
        writeln!(out, "\n{title}: {} (ratio to ours)\n{:<26}{heads}", figure.unit, "")?;
        for row in rows {
            let cells = (0..SHAPES.len()).map(|column| format!("{:>18}", figure.cell(rows, row, column)));
            writeln!(out, "  {:<24}{}", row.program.name(), cells.collect::<String>())?;
        }
        let best: Vec<_> = (0..SHAPES.len()).map(|column| figure.best_peer(rows, column)).collect();
        let cells = best.iter().map(|best| match best {
            Some((name, ratio)) => format!("{:>18}", format!("{name} {ratio:.2}")),
            None => format!("{:>18}", "-"),
        });
        writeln!(out, "  {:<24}{}", "best peer, ratio to ours", cells.collect::<String>())?;
        for (column, (size, window)) in SHAPES.iter().enumerate() {
            let names = figure.ahead(rows, column);
            ahead.extend(names.map(|name| format!("{title}, {size} x{window}, {}: {name}", figure.unit)));
        }
    }
    for row in rows {
        for ((size, window), cell) in SHAPES.iter().zip(&row.cells) {
            if let Cell::Failed(error) = cell {
                writeln!(out, "  {} failed at {size} x{window}: {error}", row.program.name())?;
            }
        }
    }
    Ok(ahead)
}

impl Figure {
    fn is_better(&self, one: f64, other: f64) -> bool {
        if self.more_is_better { one > other } else { one < other }
    }

    fn of(&self, row: &Row<'_>, column: usize) -> Option<f64> {
        match row.cells.get(column) {
            Some(Cell::Measured(figures)) => median(figures.iter().filter_map(self.value)),
            _ => None,
        }
    }

    fn ours(&self, rows: &[Row<'_>], column: usize) -> Option<f64> {
        rows.iter().find(|row| row.program.is_ours()).and_then(|row| self.of(row, column))
    }

    fn cell(&self, rows: &[Row<'_>], row: &Row<'_>, column: usize) -> String {
        if let Some(figure) = self.of(row, column) {
            let ours = self.ours(rows, column);
            return ours.map_or(format!("{figure:.2}"), |ours| format!("{figure:.2} ({:.2})", figure / ours));
        }
        match row.cells.get(column) {
            Some(Cell::Failed(_)) => "failed",
            Some(Cell::Inapplicable) => "not applicable",
            _ => "not measured",
        }
        .into()
    }

    /// The peers that are ahead of ours in a column, by more than chance.
    fn ahead(&self, rows: &[Row<'_>], column: usize) -> impl Iterator<Item = &'static str> {
        let rounds = move |row: &Row<'_>| match row.cells.get(column) {
            Some(Cell::Measured(figures)) => figures.iter().filter_map(self.value).collect(),
            _ => Vec::new(),
        };
        let ours = rows.iter().find(|row| row.program.is_ours()).map(rounds).unwrap_or_default();
        let peers = rows.iter().filter(|row| row.program.is_peer());
        peers.filter_map(move |row| {
            let pairs = ours.iter().copied().zip(rounds(row));
            let is_ahead = if self.more_is_better {
                is_larger(pairs.map(|(ours, theirs)| (theirs, ours)))
            } else {
                is_larger(pairs)
            };
            is_ahead.then(|| row.program.name())
        })
    }

    /// The best peer of a column, and its figure against ours.
    fn best_peer(&self, rows: &[Row<'_>], column: usize) -> Option<(&'static str, f64)> {
        let ours = self.ours(rows, column)?;
        let peers = rows.iter().filter(|row| row.program.is_peer());
        let figures = peers.filter_map(|row| Some((row.program.name(), self.of(row, column)?)));
        let best = figures.reduce(|best, other| if self.is_better(other.1, best.1) { other } else { best });
        best.map(|(name, figure)| (name, figure / ours))
    }
}
