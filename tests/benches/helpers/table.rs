//! Figures as text.

use std::io::{self, Write};
use std::process::Command;

use testbench::agent_runner::Trace;
use testbench::harness::median;

use super::programs::StandIn;

/// One program, natively and emulated.
pub(crate) struct Row {
    name: String,
    trace: Option<Trace>,
    /// Starts this PC's build.
    pub(crate) native: Command,
    /// Starts the board's build under emulation.
    pub(crate) emulated: Command,
    /// CPU time of each run of this PC's build.
    pub(crate) native_ms: Vec<f64>,
    /// CPU time of each run of the board's build.
    pub(crate) emulated_ms: Vec<f64>,
}

impl Row {
    pub(crate) fn new(name: &str, native: Command, emulated: Command) -> Self {
        let name = name.to_owned();
        Self { name, trace: None, native, emulated, native_ms: Vec::new(), emulated_ms: Vec::new() }
    }

    pub(crate) fn with_trace(self, trace: Trace) -> Self {
        Self { trace: Some(trace), ..self }
    }
}

/// Prints the helpers beside the first row, which the ratios are to.
pub(crate) fn print(out: &mut impl Write, rows: &[Row], calls: usize) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<36}{:>7}{:>7}{:>14}{:>16}{:>20}{:>8}",
        format!("median of {calls} calls"),
        "forks",
        "execs",
        "system calls",
        "CPU ms native",
        "CPU ms emulated arm",
        "ratio"
    )?;
    let medians = |row: &Row| [&row.native_ms, &row.emulated_ms].map(|ms| median(ms.iter().copied()));
    let base = rows.first().and_then(|row| medians(row)[1]);
    for row in rows {
        let counts = match row.trace {
            // The program itself is executed as well.
            Some(trace) => {
                format!("{:>7}{:>7}{:>14}", trace.forks, trace.execs + 1, trace.system_calls)
            }
            None => format!("{:>7}{:>7}{:>14}", 0, 1, ""),
        };
        let [native, emulated] = medians(row).map(|ms| ms.unwrap_or(f64::NAN));
        let ratio = emulated / base.unwrap_or(f64::NAN);
        writeln!(out, "{:<36}{counts}{native:>16.2}{emulated:>20.2}{ratio:>8.2}", row.name)?;
    }
    Ok(())
}

/// Prints what forks and executed programs alone cost.
pub(crate) fn print_stand_ins(out: &mut impl Write, stand_ins: &[StandIn]) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<36}{:>7}{:>7}{:>30}",
        "a shell that forks as LAVA's", "forks", "execs", "CPU ms native"
    )?;
    for StandIn { helper, forks, execs, cpu_ms } in stand_ins {
        writeln!(out, "{helper:<36}{forks:>7}{:>7}{cpu_ms:>30.2}", execs + 1)?;
    }
    Ok(())
}

/// Prints the agent's side.
pub(crate) fn print_agent_side(out: &mut impl Write, system_calls: &f64) -> io::Result<()> {
    writeln!(out, "\nsystem calls of the agent for one lava-send: {system_calls:.1}")
}
