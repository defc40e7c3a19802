//! Networks that lose, double and swap packets: the file arrives, and nothing is sent much more often than needed.

use std::fs;
use std::process::Command;
use std::time::Duration;

use testbench::numbers::Numbers;
use testbench::tftp::{Client, Direction, Fate, Relay};

use super::peers::run;
use super::serving::{Serving, content};

const BLOCKS: usize = 400;
/// Packets that a busy machine may cost, of some 400: the server's timer does not know that the client waits for a processor.
const SLACK: u64 = 40;
const WINDOWS: [Option<u16>; 3] = [None, Some(4), Some(16)];

/// What a transfer through a relay took.
struct Took {
    to_client: u64,
    to_server: u64,
    /// By the client, after a silence.
    repeats: u64,
}

/// Fetches 400 full blocks and an empty one through a relay with `plan`, and compares.
fn fetch(
    window: Option<u16>,
    patience: Duration,
    plan: impl FnMut(Direction, u64, &[u8]) -> Fate + Send + 'static,
) -> Took {
    let mut serving = Serving::start();
    let sent = content(BLOCKS * 512);
    serving.add("f", &sent);
    let relay = Relay::start(serving.address, plan);
    let client = Client { window, patience, ..Client::new(relay.address()) };
    let mut got = Vec::new();
    let fetched = client.fetch("f", |block| got.extend_from_slice(block));
    let fetched = fetched.unwrap_or_else(|error| panic!("window {window:?}: {error}"));
    assert!(got == sent, "window {window:?}: {fetched:?}");
    Took {
        to_client: relay.packets(Direction::ToClient),
        to_server: relay.packets(Direction::ToServer),
        repeats: fetched.repeats,
    }
}

/// Packets to the client when nothing is lost: the blocks, the empty one, and the option acknowledgement.
fn needed(window: Option<u16>) -> u64 {
    BLOCKS as u64 + 1 + u64::from(window.is_some())
}

/// A client that never repeats anything within a test: all healing is the server's.
const SILENT: Duration = Duration::from_secs(20);

fn on(wanted: Direction, numbers: &'static [u64], fate: Fate) -> impl FnMut(Direction, u64, &[u8]) -> Fate {
    move |direction, number, _| {
        if direction == wanted && numbers.contains(&number) { fate } else { Fate::Pass }
    }
}

#[test]
fn without_faults_at_most_one_packet_in_ten_is_sent_twice() {
    for window in WINDOWS {
        let took = fetch(window, SILENT, |_, _, _| Fate::Pass);
        assert!(took.to_client <= needed(window) + SLACK, "window {window:?}: {} packets", took.to_client);
    }
}

#[test]
fn a_lost_block_is_sent_again_and_costs_two_windows_at_most() {
    // Among them the answer to the request, the first and last ones of windows, and one in the middle.
    assert_heals_alone(Direction::ToClient, &[1, 2, 6, 22, 35, 100, 300]);
}

#[test]
fn a_lost_acknowledgement_is_answered_by_the_server_s_timer() {
    // The first is the request; what follows a lost one answers a repeated block, which the client does once.
    assert_heals_alone(Direction::ToServer, &[2, 10, 20]);
}

/// Whatever the window, the server makes up for these `lost` packets by itself, each with two windows at most.
fn assert_heals_alone(direction: Direction, lost: &'static [u64]) {
    for window in WINDOWS {
        let took = fetch(window, SILENT, on(direction, lost, Fate::Drop));
        let again = lost.len() as u64 * u64::from(window.unwrap_or(1)) * 2;
        assert!(
            took.to_client <= needed(window) + again + SLACK,
            "window {window:?}: {} packets",
            took.to_client
        );
        assert_eq!(took.repeats, 0, "window {window:?}: the client had to help");
    }
}

#[test]
fn doubled_packets_cost_half_as_many_again_at_most() {
    for window in WINDOWS {
        for direction in [Direction::ToClient, Direction::ToServer] {
            let took = fetch(
                window,
                SILENT,
                move |way, _, _| if way == direction { Fate::Double } else { Fate::Pass },
            );
            // Every packet there is comes twice, and the client may complain about that, at most for every second one.
            assert!(
                took.to_client <= needed(window) * 3 / 2 + SLACK,
                "window {window:?}, {direction:?}: {} packets",
                took.to_client
            );
        }
    }
}

#[test]
fn one_doubled_packet_costs_two_windows_at_most() {
    for window in WINDOWS {
        for direction in [Direction::ToClient, Direction::ToServer] {
            let took = fetch(window, SILENT, on(direction, &[8], Fate::Double));
            let again = u64::from(window.unwrap_or(1)) * 2;
            assert!(
                took.to_client <= needed(window) + again + SLACK,
                "window {window:?}, {direction:?}: {} packets",
                took.to_client
            );
        }
    }
}

#[test]
fn swapped_packets_arrive() {
    for window in WINDOWS {
        let took = fetch(
            window,
            SILENT,
            |_, number, _| if number.is_multiple_of(29) { Fate::Late } else { Fate::Pass },
        );
        assert!(took.to_client <= needed(window) * 3, "window {window:?}: {} packets", took.to_client);
        assert_eq!(took.repeats, 0, "window {window:?}: the client had to help");
    }
}

/// One percent of all packets, by a fixed chance.
fn one_percent(seed: u64) -> impl FnMut(Direction, u64, &[u8]) -> Fate {
    let mut numbers = Numbers(seed);
    move |_, _, _| {
        if (numbers.following() >> 33).is_multiple_of(100) { Fate::Drop } else { Fate::Pass }
    }
}

#[test]
fn one_percent_of_loss_is_survived_without_a_flood() {
    for window in WINDOWS {
        for seed in 1..=3 {
            let took = fetch(window, Duration::from_millis(500), one_percent(seed));
            assert!(took.to_client <= needed(window) * 2, "window {window:?}: {} packets", took.to_client);
            assert!(took.to_server <= needed(window) * 2, "window {window:?}: {} packets", took.to_server);
        }
    }
}

#[test]
fn a_real_client_survives_one_percent_of_loss() {
    for window in ["1", "8"] {
        let mut serving = Serving::start();
        let sent = content(BLOCKS * 1468 + 3);
        serving.add("f", &sent);
        let relay = Relay::start(serving.address, one_percent(7));
        let directory = tempfile::tempdir().expect("the loopback and temporary files work");
        let local = directory.path().join("f");
        let mut atftp = Command::new("atftp");
        atftp
            .args(["--option", "blksize 1468", "--option", &format!("windowsize {window}")])
            .args(["--get", "--remote-file", "f", "--local-file"])
            .arg(&local)
            .args([relay.address().ip().to_string(), relay.address().port().to_string()]);
        run(atftp);
        assert!(fs::read(&local).expect("the loopback and temporary files work") == sent);
        let packets = relay.packets(Direction::ToClient);
        assert!(packets <= BLOCKS as u64 * 2, "window {window}: {packets} packets");
    }
}
