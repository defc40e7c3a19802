//! What a line that loses bytes carries, in virtual time: pieces of a fixed length beside those that the link advises.

use std::io::{self, Write};

use protocol::AgentToHost;
use protocol::frame::{MAX_ENCODED, Side};
use protocol::limits::MAX_CHUNK;
use protocol::link::{Config, Link, State};
use testbench::numbers::Numbers;

/// Bytes per second of 115200 baud.
const RATE: u32 = 11_520;

/// Bytes of output.
const OUTPUT: usize = 200_000;

/// Prints the table.
pub(crate) fn measure(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<34}{:>22}{:>22}",
        "115200 baud, % of it as output", "pieces of 1536 bytes", "adapted pieces"
    )?;
    for one_in in [u64::MAX, 100_000, 10_000, 3_000, 1_000, 300, 100] {
        let name = if one_in == u64::MAX {
            "no byte lost".to_owned()
        } else {
            format!("one of {one_in} bytes lost")
        };
        let [fixed, adapted] = [false, true].map(|adapts| match carry(one_in, adapts) {
            Some(seconds) => format!("{:.1}", 100.0 * OUTPUT as f64 / f64::from(RATE) / seconds),
            None => "fails".to_owned(),
        });
        writeln!(out, "{name:<34}{fixed:>22}{adapted:>22}")?;
    }
    Ok(())
}

/// Seconds that the output takes; `None` if the link fails.
fn carry(one_in: u64, adapts: bool) -> Option<f64> {
    let end = |side, id| Link::new(Config { side, id, bytes_per_s: Some(RATE), silence_ms: 30_000 }, 0);
    let (mut agent, mut runner) = (end(Side::Agent, 1), end(Side::Runner, 2));
    let (mut left, mut now_ms, mut numbers) = (OUTPUT, 0, Numbers(1));
    let mut frame = [0; MAX_ENCODED];
    loop {
        while runner.receive(now_ms).is_some() {}
        while agent.can_send() && left > 0 {
            let piece = if adapts { agent.chunk() } else { MAX_CHUNK }.min(left);
            agent.send(&AgentToHost::Output { run: 1, data: &[b'.'; MAX_CHUNK][..piece] }).ok()?;
            left -= piece;
        }
        for side in [Side::Agent, Side::Runner] {
            let (from, to) =
                if side == Side::Agent { (&mut agent, &mut runner) } else { (&mut runner, &mut agent) };
            while let length @ 1.. = from.poll_transmit(now_ms, &mut frame) {
                let kept = frame[..length].iter().filter(|_| (numbers.following() >> 33) % one_in != 0);
                to.handle_input(now_ms, &kept.copied().collect::<Vec<u8>>(), &mut |_| {});
            }
        }
        if left == 0 && agent.is_delivered() {
            return Some(now_ms as f64 / 1_000.0);
        }
        let timers = [agent.poll_timeout(), runner.poll_timeout()];
        now_ms = timers.into_iter().flatten().min()?.max(now_ms + 1);
        agent.handle_timeout(now_ms);
        runner.handle_timeout(now_ms);
        if matches!(agent.state(), State::Failed(_)) {
            return None;
        }
    }
}
