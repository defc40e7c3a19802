//! Figures as text.

use std::io::{self, Write};

use testbench::harness::median;

use super::measure::Measured;

/// Prints what `runs` took: the whole, then each phase of each node.
pub(crate) fn print(out: &mut impl Write, title: &str, runs: &[Measured]) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<34}{:>9}{:>9}{:>9}",
        format!("{title}, {} runs", runs.len()),
        "min",
        "median",
        "max"
    )?;
    let mut row = |name: &str, value: fn(&Measured) -> f64| {
        let values = sorted(runs.iter().map(value));
        let (min, max) = (values.first().copied(), values.last().copied());
        let figures = [min, median(values), max].map(|value| format!("{:>9.3}", value.unwrap_or(f64::NAN)));
        writeln!(out, "{name:<34}{}", figures.concat())
    };
    row("wall time, s", |run| run.wall.as_secs_f64())?;
    row("CPU time of host-runner, s", |run| run.cpu.as_secs_f64())?;
    row("peak memory of host-runner, MiB", |run| run.peak_kib as f64 / 1024.0)?;
    phases(out, runs)
}

/// The median seconds of each phase: a row for each, a column for each node.
fn phases(out: &mut impl Write, runs: &[Measured]) -> io::Result<()> {
    let times: Vec<(String, String, f64)> = runs.iter().flat_map(phase_times).collect();
    let nodes = distinct(times.iter().map(|(node, ..)| node.as_str()));
    let heads: String = nodes.iter().map(|node| format!("{node:>9}")).collect();
    writeln!(out, "{:<34}{heads}", "median seconds of each phase")?;
    for phase in distinct(times.iter().map(|(_, phase, _)| phase.as_str())) {
        let cell = |node: &&str| {
            let of_cell = times.iter().filter(|(other, name, _)| other == node && name == phase);
            let seconds = median(of_cell.map(|(.., seconds)| *seconds));
            seconds.map_or_else(|| format!("{:>9}", ""), |seconds| format!("{seconds:>9.3}"))
        };
        writeln!(out, "  {phase:<32}{}", nodes.iter().map(cell).collect::<String>())?;
    }
    Ok(())
}

/// Node, phase and seconds of everything that a run went through.
fn phase_times(run: &Measured) -> Vec<(String, String, f64)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let nodes = run.results["nodes"].as_array().into_iter().flatten();
    nodes
        .flat_map(|node| {
            let phases = node["phases"].as_array().into_iter().flatten();
            phases.map(|phase| {
                (text(&node["name"]), text(&phase["name"]), phase["seconds"].as_f64().unwrap_or(f64::NAN))
            })
        })
        .collect()
}

/// The different ones, in the order in which they come.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
