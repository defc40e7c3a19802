//! Figures as text.

use std::io::{self, Write};

use super::SHAPES;
use super::load::Measured;

/// One of the figures.
type Figure = fn(&Measured) -> f64;

/// Prints a row for each server: throughput, CPU time, and both against ours.
pub(crate) fn print(
    out: &mut impl Write,
    title: &str,
    rows: &[(&str, Vec<Option<Measured>>)],
) -> io::Result<()> {
    let heads: String =
        SHAPES.iter().map(|(size, window)| format!("{:>14}", format!("{size} x{window}"))).collect();
    let ours = rows.iter().find(|(name, _)| *name == "host-runner").map(|(_, cells)| cells);
    let units: [(&str, Figure); 2] = [
        ("MiB/s", |measured| measured.mebibytes_per_second),
        ("CPU ms/MiB", |measured| measured.milliseconds_per_mebibyte),
    ];
    for (unit, value) in units {
        writeln!(out, "\n{:<46}{heads}", format!("{title}: {unit} (ratio to ours)"))?;
        for (name, cells) in rows {
            if cells.iter().all(Option::is_none) {
                continue;
            }
            let cell = |(column, cell): (usize, &Option<Measured>)| {
                let own = ours.and_then(|ours| ours.get(column)?.as_ref()).map(value);
                let text = match (cell.as_ref().map(value), own) {
                    (Some(figure), Some(own)) => format!("{figure:.2} ({:.2})", figure / own),
                    (Some(figure), None) => format!("{figure:.2}"),
                    (None, _) => String::new(),
                };
                format!("{text:>14}")
            };
            writeln!(out, "  {name:<44}{}", cells.iter().enumerate().map(cell).collect::<String>())?;
        }
    }
    Ok(())
}
