//! Goodput and round trips of a real agent, over paced lines and over pipes.

use std::io::Write;
use std::time::Duration;

use testbench::pacer::Pacer;

use crate::agent::{Agent, Error, Ran, run};
use crate::percentile;

/// What is printed: lines as tests print them, and bytes that are no text.
const TEXT: &str = "yes 'ok 17 - cpu-hotplug: cpu1 was taken off and came back, 12 times' | head -c";
const RANDOM: &str = "head -c";

/// Calls whose round trips are measured.
const CALLS: usize = 200;

/// Bytes and calls over pipes.
const PIPE_BYTES: u32 = 64 << 20;
const PIPE_CALLS: usize = 2_000;

/// Prints the table of paced lines.
pub(crate) async fn measure(out: &mut impl Write, rates: &[u32], seconds: u32) -> Result<(), Error> {
    writeln!(
        out,
        "\n{:<12}{:>12}{:>14}{:>16}{:>16}{:>16}",
        "baud", "text, %", "random, %", "call p50, ms", "call p99, ms", "of it wire, ms"
    )?;
    for &baud in rates {
        let line = Pacer::new(baud / 10)?;
        let mut agent = Agent::new()?;
        let mut session = agent.on_line(&line, baud).await?;
        let bytes = baud / 10 * seconds;
        let mut goodput = Vec::new();
        for script in [format!("{TEXT} {bytes}\n"), format!("{RANDOM} {bytes} /dev/urandom\n")] {
            agent.script(&script)?;
            let ran = run(&mut session).await?;
            goodput.push(100.0 * ran.bytes as f64 / ran.took.as_secs_f64() / f64::from(baud / 10));
        }
        agent.script(&calls(CALLS))?;
        let before = line.carried();
        let ran = run(&mut session).await?;
        let wire_ms = (line.carried() - before) as f64 / CALLS as f64 * 10_000.0 / f64::from(baud);
        let turns = turns_ms(&ran);
        let [p50, p99] = [50.0, 99.0].map(|percent| percentile(&turns, percent));
        writeln!(
            out,
            "{baud:<12}{:>12.1}{:>14.1}{p50:>16.2}{p99:>16.2}{wire_ms:>16.2}",
            goodput[0], goodput[1]
        )?;
        session.quit().await?;
    }
    Ok(())
}

/// Prints the figures of pipes.
pub(crate) async fn measure_pipes(out: &mut impl Write) -> Result<(), Error> {
    let mut agent = Agent::new()?;
    let mut session = agent.on_pipes().await?;
    agent.script(&format!("{TEXT} {PIPE_BYTES}\n"))?;
    let ran = run(&mut session).await?;
    writeln!(out, "\npipes: {:.1} MB/s of text", ran.bytes as f64 / 1e6 / ran.took.as_secs_f64())?;
    agent.script(&calls(PIPE_CALLS))?;
    let ran = run(&mut session).await?;
    let turns = turns_ms(&ran);
    writeln!(
        out,
        "pipes: {:.0} results per second, p50 {:.2} ms, p99 {:.2} ms",
        PIPE_CALLS as f64 / ran.took.as_secs_f64(),
        percentile(&turns, 50.0),
        percentile(&turns, 99.0)
    )?;
    session.quit().await?;
    Ok(())
}

fn calls(count: usize) -> String {
    format!("n=0\nwhile [ $n -lt {count} ]; do lava-test-case c --result pass; n=$((n+1)); done\n")
}

/// Milliseconds from each call to the next: the reply's way, the end of a helper and the start of the next, the call's way.
fn turns_ms(ran: &Ran) -> Vec<f64> {
    ran.calls.windows(2).map(|pair| millis(pair[1] - pair[0])).collect()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
