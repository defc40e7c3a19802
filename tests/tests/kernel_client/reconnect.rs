//! Connections that break under a client at work.

use std::net::SocketAddr;
use std::time::Duration;

use testbench::kernel_client::{Guest, MOUNT_POINT, SERVER};
use testbench::tcp_relay::{Cuts, TcpRelay};

use crate::{Bench, PATIENCE, PORT};

/// Where the client connects to.
const RELAY: u16 = 2050;
const CUTS: Cuts = Cuts { age: Duration::from_secs(2), silence: Duration::from_millis(50) };
/// Where it connects to for comparison: no connection grows as old as that.
const WHOLE_RELAY: u16 = 2051;
const NO_CUTS: Cuts = Cuts { age: Duration::from_secs(3600), silence: Duration::ZERO };
/// Where the root filesystem is mounted for comparison.
const WHOLE: &str = "/run/whole";
/// How long the client works, in seconds.
const WORK: u64 = 40;
/// What a connection that breaks may cost the client, in seconds, beyond what a call takes at most where none does: on a busy
/// machine, client and server wait for a processor and for the disk. Servers that do not answer a repeated call cost it 90 s.
const LONGEST: f64 = 1.0;
/// What a call may take at most where no connection breaks, in seconds: beside more, a stall of 5 s could not be told.
const BUSY: f64 = 3.0;

/// Works in two directories in turn for some seconds, all of it with calls that succeed only once; a line with the place and
/// the longest call of each round, in seconds.
const LOAD: &str = r#"
import os, sys, time

end = time.monotonic() + float(sys.argv[1])
places = {"cut": sys.argv[2], "whole": sys.argv[3]}
data = b"x" * 65536
took = []

def timed(function, *arguments):
    begin = time.monotonic()
    result = function(*arguments)
    took.append(time.monotonic() - begin)
    return result

def work(number):
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

for directory in places.values():
    os.mkdir(directory)
number = 0
while time.monotonic() < end:
    number += 1
    for place, directory in places.items():
        took.clear()
        timed(os.chdir, directory)
        work(number)
        print(place, f"{max(took):.3f}", flush=True)
os.chdir("/")
for directory in places.values():
    os.rmdir(directory)
"#;

/// The longest call of each round at a place, in seconds.
fn longest_calls(output: &str, place: &str) -> Vec<f64> {
    let rounds = output.lines().filter_map(|line| line.split_once(' ').filter(|(at, _)| *at == place));
    rounds.map(|(_, seconds)| seconds.parse().unwrap()).collect()
}

#[test]
fn a_client_whose_connection_breaks_every_two_seconds_loses_no_reply_and_waits_a_second_more_at_most() {
    let bench = Bench::for_peer(SERVER.into());
    let _server = bench.serve();
    let network = &bench.network;
    let at = |port| SocketAddr::from((SERVER, port));
    let relay = |port, cuts| TcpRelay::start(network.net(), at(port), at(PORT), cuts);
    let relayed = network.runtime().block_on(relay(RELAY, CUTS)).unwrap();
    let _whole = network.runtime().block_on(relay(WHOLE_RELAY, NO_CUTS)).unwrap();
    let mut client = Guest::boot(network).unwrap();
    client.mount(at(RELAY), &bench.export).unwrap();
    client.mount_at(WHOLE, at(WHOLE_RELAY), WHOLE_RELAY, &bench.export).unwrap();
    let program = client.put("load.py", LOAD).unwrap();
    let load = format!("exec python3 {} {WORK} {MOUNT_POINT}/cut {WHOLE}/whole", program.display());
    let output = client.run_well(&load, PATIENCE).unwrap();
    let [cut, whole] = ["cut", "whole"].map(|place| longest_calls(&output, place));
    let [stall, busy] = [&cut, &whole].map(|calls| calls.iter().copied().fold(0.0, f64::max));
    let (cuts, lossy) = relayed.cuts();
    println!(
        "{} rounds, {cuts} cuts, {lossy} with lost replies, longest stall {stall} s, {busy} s without cuts",
        cut.len()
    );
    assert!(busy <= BUSY, "the machine is too busy to tell: {busy} s without cuts, {whole:?}");
    assert!(stall <= LONGEST + busy, "{stall} s, without cuts {busy} s: {cut:?}");
    // Stalls make cuts fewer: they are told first.
    let expected = WORK as usize / 3;
    assert!(cuts >= expected && lossy >= expected / 2, "{cuts} cuts, {lossy} with lost replies");
}
