//! Tasmota and Shelly, by fakes that answer as their makers document.

use std::process::Command;

use testbench::fake_relay::{FakeRelay, Fault, Kind};
use testbench::harness::Testbench;

use super::{bench_with, done, refused};

const KINDS: [Kind; 3] = [Kind::Tasmota, Kind::ShellyGen1, Kind::ShellyGen2];

/// A bench whose board hangs on `relay`.
fn bench(kind: Kind, relay: &FakeRelay, more: &str) -> Testbench {
    let driver = if kind == Kind::Tasmota { "tasmota" } else { "shelly" };
    let tokens = "plug = { env = \"PLUG_PASSWORD\" }";
    let power = format!("driver = \"{driver}\"\nhost = \"127.0.0.1\"\nport = {}\n{more}", relay.port());
    bench_with(tokens, &power)
        .environment("PLUG_PASSWORD", "s3cret")
        .environment("http_proxy", "http://127.0.0.1:9")
}

#[test]
fn a_relay_is_switched_and_tells_its_state() {
    for kind in KINDS {
        let relay = FakeRelay::start(kind, None, None);
        let bench = bench(kind, &relay, "off_s = 0.1");
        assert_eq!(done(&bench, "status"), "fake1: off\n", "{kind:?}");
        assert_eq!(done(&bench, "on"), "fake1: on\n", "{kind:?}");
        assert!(relay.is_on(), "{kind:?}");
        assert_eq!(done(&bench, "status"), "fake1: on\n", "{kind:?}");
        assert_eq!(done(&bench, "cycle"), "fake1: switched off and on\n", "{kind:?}");
        assert!(relay.is_on(), "{kind:?}: {:?}", relay.requests());
        done(&bench, "off");
        assert!(!relay.is_on(), "{kind:?}");
    }
}

#[test]
fn a_relay_with_a_password_gets_the_one_of_the_bench() {
    for kind in KINDS {
        let relay = FakeRelay::start(kind, Some("s3cret"), None);
        done(&bench(kind, &relay, "password = \"plug\""), "on");
        assert!(relay.is_on(), "{kind:?}: {:?}", relay.requests());
    }
}

#[test]
fn a_wrong_password_or_none_is_the_benchs_fault_and_is_not_shown() {
    for kind in KINDS {
        let relay = FakeRelay::start(kind, Some("s3cret"), None);
        refused(&bench(kind, &relay, ""), "on", 4, &["wants a password", "add `password`"]);
        let wrong = bench(kind, &relay, "password = \"hunter2\"");
        let told = refused(&wrong, "on", 4, &["wants another user or password"]);
        assert!(!told.stderr.contains("hunter2") && !told.stdout.contains("hunter2"), "{told}");
        assert!(!relay.is_on(), "{kind:?}");
    }
}

#[test]
fn a_token_that_is_not_set_is_told_by_its_name() {
    let relay = FakeRelay::start(Kind::Tasmota, Some("s3cret"), None);
    let power =
        format!("driver = \"tasmota\"\nhost = \"127.0.0.1\"\nport = {}\npassword = \"plug\"", relay.port());
    let bench = bench_with("plug = { env = \"PLUG_PASSWORD\" }", &power);
    refused(&bench, "on", 4, &["token `plug`: the environment has no variable `PLUG_PASSWORD`"]);
}

#[test]
fn a_relay_that_does_not_obey_is_told() {
    for kind in KINDS {
        let relay = FakeRelay::start(kind, None, Some(Fault::Disobeys));
        let words = ["it took the order, but 5 s later it says that it is still off"];
        refused(&bench(kind, &relay, ""), "on", 3, &words);
    }
}

#[test]
fn what_answers_nonsense_is_told_with_its_words_and_without_their_steering() {
    for kind in KINDS {
        let relay = FakeRelay::start(kind, None, Some(Fault::Garbage));
        let told =
            refused(&bench(kind, &relay, ""), "on", 3, &["router", "is `driver` the one for this device"]);
        assert!(!told.stderr.contains('\u{1b}'), "{told}");
    }
}

#[test]
fn an_answer_without_an_end_is_cut_off() {
    let relay = FakeRelay::start(Kind::Tasmota, None, Some(Fault::Endless));
    refused(&bench(Kind::Tasmota, &relay, ""), "on", 3, &["is longer than 65536 bytes"]);
}

#[test]
fn a_relay_that_says_nothing_is_not_waited_for_for_ever() {
    let relay = FakeRelay::start(Kind::ShellyGen2, None, Some(Fault::Silent));
    refused(
        &bench(Kind::ShellyGen2, &relay, ""),
        "on",
        3,
        &["no whole answer from 127.0.0.1:", "within 10 s"],
    );
}

#[test]
fn a_relay_that_is_not_there_is_told_with_its_address() {
    let relay = FakeRelay::start(Kind::Tasmota, None, None);
    let bench = bench(Kind::Tasmota, &relay, "");
    let address = format!("no connection to 127.0.0.1:{}", relay.port());
    drop(relay);
    refused(&bench, "on", 3, &["by Tasmota (127.0.0.1:", &address]);
}

#[test]
fn a_relay_that_the_device_does_not_have_is_told() {
    for (kind, word) in
        [(Kind::Tasmota, "Unknown"), (Kind::ShellyGen1, "404"), (Kind::ShellyGen2, "not found!")]
    {
        let relay = FakeRelay::start(kind, None, None);
        refused(&bench(kind, &relay, "relay = 9"), "on", 3, &[word]);
    }
}

#[test]
fn curl_opens_the_fake_shelly_with_the_right_password_alone() {
    let relay = FakeRelay::start(Kind::ShellyGen2, Some("s3cret"), None);
    let url = format!("http://127.0.0.1:{}/rpc/Switch.Set?id=0&on=true", relay.port());
    let curl = |user: &str| {
        let output = Command::new("curl").args(["--silent", "--digest", "--user", user, &url]).output();
        output.expect("curl is installed").stdout
    };
    curl("admin:wrong");
    assert!(!relay.is_on());
    let said = curl("admin:s3cret");
    assert!(relay.is_on(), "{}", String::from_utf8_lossy(&said));
}
