//! Connections that break under a client at work.

use std::net::SocketAddr;
use std::time::Duration;

use testbench::kernel_client::{Guest, MOUNT_POINT, SERVER};
use testbench::tcp_relay::{Cuts, TcpRelay};

use crate::{Bench, PATIENCE, PORT};

/// Where the client connects to.
const RELAY: u16 = 2050;
const CUTS: Cuts = Cuts { age: Duration::from_secs(2), silence: Duration::from_millis(50) };
/// How long the client works, in seconds.
const WORK: u64 = 30;
/// A connection that breaks may cost the client this much. Servers that do not answer a repeated call cost it 90 s.
const LONGEST: f64 = 1.0;

/// Works in a directory for some seconds, all of it with calls that succeed only once; a line with the longest call of each
/// round, in seconds.
const LOAD: &str = r#"
import os, sys, time

os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
end = time.monotonic() + float(sys.argv[2])
data = b"x" * 65536
took = []

def timed(function, *arguments):
    begin = time.monotonic()
    result = function(*arguments)
    took.append(time.monotonic() - begin)
    return result

number = 0
while time.monotonic() < end:
    took.clear()
    number += 1
    file = timed(os.open, f"{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.write(file, data)
    timed(os.fsync, file)
    timed(os.close, file)
    timed(os.rename, f"{number}", "renamed")
    timed(os.link, "renamed", "linked")
    timed(os.unlink, "renamed")
    timed(os.mkdir, "directory")
    timed(os.symlink, "target", "directory/symlink")
    timed(os.unlink, "directory/symlink")
    timed(os.rmdir, "directory")
    assert os.path.getsize("linked") == len(data)
    timed(os.unlink, "linked")
    print("round", number, f"{max(took):.3f}", flush=True)
os.chdir("..")
os.rmdir(sys.argv[1])
"#;

#[test]
fn a_client_whose_connection_breaks_every_two_seconds_loses_no_reply_and_waits_a_second_at_most() {
    let bench = Bench::for_peer(SERVER.into());
    let _server = bench.serve();
    let network = &bench.network;
    let (relay, server) = (SocketAddr::from((SERVER, RELAY)), SocketAddr::from((SERVER, PORT)));
    let started = network.runtime().block_on(TcpRelay::start(network.net(), relay, server, CUTS));
    let relayed = started.unwrap();
    let mut client = Guest::boot(network).unwrap();
    client.mount(relay, &bench.export).unwrap();
    let program = client.put("load.py", LOAD).unwrap();
    let load = format!("exec python3 {} {MOUNT_POINT}/load {WORK}", program.display());
    let output = client.run_well(&load, PATIENCE).unwrap();
    let rounds = output.lines().filter_map(|line| line.strip_prefix("round ")?.split_once(' '));
    let longest: Vec<f64> = rounds.map(|(_, seconds)| seconds.parse().unwrap()).collect();
    let stall = longest.iter().copied().fold(0.0, f64::max);
    let (cuts, lossy) = relayed.cuts();
    println!("{} rounds, {cuts} cuts, {lossy} with lost replies, longest stall {stall} s", longest.len());
    let expected = WORK as usize / 3;
    assert!(cuts >= expected && lossy >= expected / 2, "{cuts} cuts, {lossy} with lost replies");
    assert!(stall <= LONGEST, "{stall} s, {longest:?}");
}
