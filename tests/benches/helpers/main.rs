//! What one call of a helper costs, as whole processes: `cargo bench -p host-runner-tests --bench helpers`.
//!
//! Each helper of the board's build asks an agent and is answered at once. Forks, executed programs and system calls are
//! those that qemu's user-mode emulation tells; CPU time is that of the process, user and system, from its start to its
//! end, for the bench PC's build and for the armv7 build under emulation. Beside them, in turns, run static C programs that
//! write one line, and shell scripts that fork and execute as often as LAVA's helpers.

mod agent_side;
mod programs;
mod table;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use clap::Parser as _;
use nix::sys::resource::{UsageWho, getrusage};
use testbench::agent_runner::{Build, CALLS, Home, MeasuredCall, Runner, Served, Trace, built_for};

use programs::Programs;
use table::Row;

/// Measures helpers.
#[derive(Debug, clap::Parser)]
struct Options {
    /// Calls of each helper.
    #[arg(long, default_value_t = 50)]
    calls: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut out = io::stdout().lock();
    if !built_for("armv7").exists() {
        writeln!(out, "SKIPPED: there is no agent for armv7; `cargo xtask agent` makes it")?;
        return Ok(());
    }
    let programs = Programs::build()?;
    let (native, board) = (Home::new(Build::X86), Home::new(Build::Board("armv7")));
    let served = Served::start(Home::new(Build::X86), Runner::over_pipes);

    let mut rows = vec![
        Row::new("static C, one write()", programs.write_natively(), programs.write_emulated()),
        Row::new("the same without a C library", programs.bare_natively(), programs.bare_emulated()),
    ];
    for call in &CALLS {
        let helper = |home: &Home| {
            let mut helper = home.helper(call.helper);
            served.prepare(&mut helper).args(call.arguments);
            helper
        };
        let mut traced = board.traced_helper(call.helper);
        let trace = Trace::of(served.prepare(&mut traced).args(call.arguments));
        rows.push(Row::new(&title(call), helper(&native), helper(&board)).with_trace(trace));
    }
    // In turns, so that a slow moment of the machine falls on all.
    for _ in 0..options.calls {
        for row in &mut rows {
            row.native_ms.push(cpu_ms(&mut row.native)?);
            row.emulated_ms.push(cpu_ms(&mut row.emulated)?);
        }
    }
    served.end();
    table::print(&mut out, &rows, options.calls)?;
    table::print_stand_ins(&mut out, &programs.measure_stand_ins(options.calls)?)?;
    table::print_agent_side(&mut out, &agent_side::measure(options.calls)?)?;
    Ok(())
}

fn title(call: &MeasuredCall) -> String {
    [&[call.helper], call.arguments].concat().join(" ")
}

/// Runs a program to its end and returns the CPU time that it took, in milliseconds.
fn cpu_ms(program: &mut Command) -> io::Result<f64> {
    let before = children_ms()?;
    let status = program.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if !status.success() {
        return Err(io::Error::other(format!(
            "{:?} {:?}: {status}",
            program.get_program(),
            program.get_args()
        )));
    }
    Ok(children_ms()? - before)
}

/// CPU time of all children that have ended, in milliseconds.
fn children_ms() -> io::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let ms = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3;
    Ok(ms(usage.user_time()) + ms(usage.system_time()))
}
