//! Events as they come: from the begin, from where somebody has come to, to the end.

use std::fs;

use rustix::process::Signal;
use testbench::harness::Testbench;
use testbench::http_client::{ServerEvent, ServerEvents, get};

use crate::served::{Written, serve};

const EVENTS: &str = "/api/runs/out/events";

#[test]
fn a_run_is_followed_while_it_goes_on_and_resumed_without_loss_or_doubling() {
    let bench = Testbench::new();
    let served = serve(&bench);
    let run = bench.start_staying();
    let runs = get(served.address, "/api/runs").json();
    assert_eq!((&runs["total"], &runs["runs"][0]["state"]), (&1.into(), &"running".into()), "{runs}");
    let board = get(served.address, "/api/boards").json()["boards"][0].clone();
    assert_eq!((&board["state"], &board["holder"]["job"]), (&"used".into(), &"one-board".into()), "{board}");
    assert_eq!(board["last_run"]["id"], "out");

    let is_case = |event: &ServerEvent| event.data.contains(r#""case":"there""#);
    let mut all = Vec::new();
    for event in ServerEvents::open(served.address, EVENTS, None).expect("a stream") {
        let enough = is_case(&event);
        all.push(event);
        if enough {
            break;
        }
    }
    // The connection has broken in the middle: what came after that event comes again, and nothing before it.
    let last = all[all.len() / 2].clone();
    all.truncate(all.len() / 2 + 1);
    let rest = ServerEvents::open(served.address, EVENTS, Some(&last.id)).expect("a stream");
    run.signal(Signal::TERM);
    all.extend(rest);
    let finished = run.finish();
    let end = all.pop().expect("an end");
    assert_eq!((end.kind.as_str(), finished.code), ("end", Some(5)));
    let told: Vec<_> = all.into_iter().map(|event| event.data).collect();
    assert_eq!(told, finished.file("run.jsonl").lines().collect::<Vec<_>>());
    let state = get(served.address, "/api/runs").json()["runs"][0].clone();
    assert_eq!((&state["state"], &state["outcome"]), (&"finished".into(), &"cancelled".into()));
    assert_eq!(get(served.address, "/api/boards").json()["boards"][0]["state"], "free");
}

#[test]
fn what_a_board_says_is_seen_before_the_line_has_ended() {
    let bench = Testbench::new();
    let served = serve(&bench);
    let mut run = Written::begin(&bench, "hand");
    let mut events = ServerEvents::open(served.address, "/api/runs/hand/events", None).expect("a stream");
    assert!(events.next().is_some_and(|event| event.data.contains("run-started")));
    run.console("U-Boot 2025.01\n=> ");
    assert!(events.next().is_some_and(|event| event.data.contains("=> ")));
    run.finish();
    assert_eq!(events.last().map(|event| event.kind), Some("end".to_owned()));
}

#[test]
fn a_run_whose_process_was_killed_is_cut_off_and_its_stream_ends() {
    let bench = Testbench::new();
    let served = serve(&bench);
    drop(Written::begin(&bench, "killed"));
    let events: Vec<_> =
        ServerEvents::open(served.address, "/api/runs/killed/events", None).expect("a stream").collect();
    assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["", "end"]);
    assert_eq!(get(served.address, "/api/runs/killed").json()["state"], "cut-off");
    assert!(get(served.address, "/runs/killed/").text().contains("The run was cut off"));
}

#[test]
fn an_offset_at_which_no_event_begins_is_refused() {
    let bench = Testbench::new();
    let served = serve(&bench);
    let run = Written::begin(&bench, "hand");
    for bad in ["1", "999999", "18446744073709551615", "-1", "x"] {
        let refused = ServerEvents::open(served.address, &format!("/api/runs/hand/events?from={bad}"), None);
        assert_eq!(refused.err(), Some(400), "{bad}");
        assert_eq!(
            ServerEvents::open(served.address, "/api/runs/hand/events", Some(bad)).err(),
            Some(400),
            "{bad}"
        );
    }
    let length = fs::metadata(bench.path().join("hand/run.jsonl")).expect("an own file").len();
    let path = format!("/api/runs/hand/events?from={length}");
    let rest = ServerEvents::open(served.address, &path, None).expect("a stream");
    run.finish();
    assert_eq!(rest.count(), 3, "two events and the end");
}

#[test]
fn followers_are_no_more_than_a_number_and_who_leaves_makes_room() {
    let bench = Testbench::new();
    let served = serve(&bench);
    let mut run = Written::begin(&bench, "hand");
    let open = || ServerEvents::open(served.address, "/api/runs/hand/events", None);
    let mut all: Vec<_> = (0..64).map(|_| open().expect("a stream")).collect();
    assert_eq!(open().err(), Some(503));
    assert_eq!(get(served.address, "/api/runs").status, 200, "all else goes on");
    let metrics = get(served.address, "/metrics").text();
    assert!(metrics.contains("\nhost_runner_serve_followers 64\n"), "{metrics}");
    // One that reads nothing holds no one up.
    run.console(&"x".repeat(1000));
    let first = all.remove(0);
    assert!(first.take(2).any(|event| event.data.contains("xxx")));
    let room = (0..600).find_map(|_| {
        run.console("more");
        get(served.address, "/metrics").text().contains("_followers 63\n").then(open)
    });
    assert!(room.is_some_and(|stream| stream.is_ok()));
}
