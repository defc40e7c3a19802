//! What a call costs the agent.

use std::fs::File;
use std::io;

use testbench::agent_runner::{Build, Home, Runner, Served, Trace};

/// System calls that the agent makes for one call of a helper, on average of `calls`.
///
/// The agent is the board's build under emulation, which tells its system calls; the count for no call at all is taken
/// off.
pub(crate) fn measure(calls: usize) -> io::Result<f64> {
    let without = system_calls(0)?;
    let with = system_calls(calls)?;
    Ok((with as f64 - without as f64) / calls as f64)
}

fn system_calls(calls: usize) -> io::Result<usize> {
    let directory = tempfile::tempdir()?;
    let trace = directory.path().join("trace");
    let errors = File::create(&trace)?;
    let helpers = Home::new(Build::X86);
    let served = Served::start(Home::new(Build::Board("armv7")), |home| Runner::traced(home, errors));
    for _ in 0..calls {
        let mut helper = helpers.helper("lava-send");
        let status = served.prepare(&mut helper).arg("ready").status()?;
        if !status.success() {
            return Err(io::Error::other(format!("lava-send: {status}")));
        }
    }
    served.end();
    Ok(Trace::read(&std::fs::read_to_string(&trace)?).system_calls)
}
