//! What whoever knows the token may change, and nobody else.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use testbench::harness::{BOARD, Job, PATIENCE, Testbench, on_outlet};
use testbench::http_client::{Answer, get, post, post_as};

use crate::served::{Served, serve, serve_with};

/// How often an answer is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server with a token.
struct Controlled {
    served: Served,
    token: String,
}

impl Controlled {
    fn new(bench: &Testbench) -> Self {
        let served = serve_with(bench, &["--control"]);
        let token = served.fragment.strip_prefix("#token=").expect("a link with a token").to_owned();
        Self { served, token }
    }

    fn address(&self) -> SocketAddr {
        self.served.address
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        post(self.address(), path, Some(&self.token), body)
    }

    /// Waits until the answer at `path` is as it should be.
    fn wait(&self, path: &str, is_right: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let answer = get(self.address(), path).json();
            if is_right(&answer) {
                return answer;
            }
            assert!(start.elapsed() < PATIENCE, "{path} stays {answer:#}");
            thread::sleep(LOOK_EVERY);
        }
    }
}

#[test]
fn nothing_is_changed_without_the_token() {
    let (bench, outlet) = on_outlet(Testbench::new(), |power| power);
    let power = format!("/api/boards/{BOARD}/power");
    let order = r#"{"switch":"on"}"#;
    let readable = serve(&bench);
    let refused = post(readable.address, &power, Some("0123456789abcdef"), order);
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{refused:?}");
    let controlled = Controlled::new(&bench);
    let wrong = controlled.token.replace(|letter: char| letter.is_ascii_digit(), "x");
    for token in [None, Some(""), Some(wrong.as_str()), Some(&controlled.token[1..])] {
        for path in [&power, "/api/runs", "/api/runs/out/cancel", "/api/token"] {
            let refused = post(controlled.address(), path, token, order);
            assert_eq!(
                (refused.status, refused.header("www-authenticate")),
                (401, Some("Bearer")),
                "{path}: {refused:?}"
            );
        }
    }
    assert!(!outlet.is_on().expect("a file"), "no power was switched");
    assert_eq!(controlled.post("/api/token", "").status, 200);
    let page = get(controlled.address(), "/").text();
    assert!(page.contains("id=\"sign-in\"") && !page.contains(&controlled.token), "{page}");
}

#[test]
fn a_board_is_switched_and_tells_that_it_is_on() {
    let (bench, outlet) = on_outlet(Testbench::new(), |power| power);
    let controlled = Controlled::new(&bench);
    let power = format!("/api/boards/{BOARD}/power");
    let is = |state: bool| move |answer: &Value| answer["boards"][0]["is_on"] == state;
    controlled.wait("/api/boards", is(false));
    let done = controlled.post(&power, r#"{"switch":"on"}"#);
    assert_eq!((done.status, done.json()), (200, json!({ "done": "on", "is_on": true })), "{done:?}");
    assert!(outlet.is_on().expect("a file"));
    controlled.wait("/api/boards", is(true));
    assert_eq!(controlled.post(&power, r#"{"switch":"off"}"#).status, 200);
    assert!(!outlet.is_on().expect("a file"));
    for (path, order, status) in [
        (power.as_str(), r#"{"switch":"up"}"#, 400),
        (power.as_str(), "", 400),
        ("/api/boards/none/power", r#"{"switch":"on"}"#, 404),
        ("/api/boards", r#"{"switch":"on"}"#, 404),
    ] {
        assert_eq!(controlled.post(path, order).status, status, "{path} {order}");
    }
    let run = bench.start_staying();
    let refused = controlled.post(&power, r#"{"switch":"off"}"#);
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains(&format!("is in use by {}", bench.run_of("out"))), "{refused:?}");
    run.signal(Signal::TERM);
    assert_eq!(run.finish().code, Some(5));
}

#[test]
fn what_was_done_to_the_power_is_told_and_whether_it_is_on_where_that_is_known() {
    let cycled = |bench: &Testbench| {
        bench.write("bench.toml", bench.to_toml());
        let controlled = Controlled::new(bench);
        let done = controlled.post(&format!("/api/boards/{BOARD}/power"), r#"{"switch":"cycle"}"#);
        assert_eq!(done.status, 200, "{done:?}");
        done.json()
    };
    // By a command `reset`, and without one.
    let bench = Testbench::new();
    assert_eq!(cycled(&bench), json!({ "done": "reset", "is_on": null }));
    assert_eq!(std::fs::read_to_string(bench.path().join("power.log")).unwrap(), "reset\n");
    let (bench, outlet) = on_outlet(Testbench::new(), |power| power);
    assert_eq!(cycled(&bench), json!({ "done": "cycle", "is_on": true }));
    assert!(outlet.is_on().expect("a file"));
}

#[test]
fn a_run_is_started_waits_for_its_board_and_is_cancelled() {
    let bench = Testbench::new();
    let controlled = Controlled::new(&bench);
    let job = Job::staying().to_yaml();
    let start = || {
        let started = controlled.post("/api/runs", &job);
        assert_eq!(started.status, 202, "{started:?}");
        started.json()["id"].as_str().expect("an id").to_owned()
    };
    let (first, second) = (start(), start());
    assert_ne!(first, second, "each has a directory of its own");
    let state = |id: &str, state: &str| {
        let (id, state) = (id.to_owned(), state.to_owned());
        move |answer: &Value| {
            let runs = answer["runs"].as_array().expect("a list");
            runs.iter().any(|run| run["id"] == id && run["state"] == state)
        }
    };
    // Which of them has the board is not said.
    let told = controlled
        .wait("/api/started", |told| state(&first, "running")(told) || state(&second, "running")(told));
    let (on, behind) = if state(&first, "running")(&told) { (first, second) } else { (second, first) };
    let boards = controlled.wait("/api/boards", |told| told["boards"][0]["waiting"][0]["job"] == "one-board");
    assert_eq!(boards["boards"][0]["holder"]["job"], "one-board");
    controlled.wait(&format!("/api/runs/{on}"), |run| run["results"]["nodes"][0]["tests"].is_array());
    // The one that waits gives up its place.
    for id in [&behind, &on] {
        assert_eq!(controlled.post(&format!("/api/runs/{id}/cancel"), "").status, 202);
        let told = controlled.wait("/api/started", state(id, "ended"));
        let run = told["runs"].as_array().expect("a list").iter().find(|run| run["id"] == **id);
        assert_eq!(run.expect("it is in the list")["exit_code"], 5, "{told:#}");
        assert_eq!(controlled.post(&format!("/api/runs/{id}/cancel"), "").status, 409, "it has ended");
    }
    assert_eq!(
        get(controlled.address(), &format!("/api/runs/{on}")).json()["results"]["outcome"],
        "cancelled"
    );
    assert_eq!(controlled.post("/api/runs/none/cancel", "").status, 404);
}

#[test]
fn a_job_with_problems_is_told_all_of_them() {
    let bench = Testbench::new();
    let controlled = Controlled::new(&bench);
    let good = Job::new().to_yaml();
    let job = good.replace("timeouts:", "timeuots:").replace("job_name:", "job_nmae:");
    let refused = controlled.post("/api/runs", &job);
    assert_eq!(refused.status, 422);
    let problems = refused.json()["problems"].as_array().expect("a list").clone();
    for (key, meant) in [("timeuots", "timeouts"), ("job_nmae", "job_name")] {
        let line = 1 + job.lines().position(|line| line.starts_with(key)).expect("it is there");
        let place = format!("job file:{line}:1");
        let problem = problems.iter().find(|problem| problem["place"] == place);
        let problem = problem.unwrap_or_else(|| panic!("nothing at {place}: {problems:#?}"));
        assert!(problem["message"].as_str().is_some_and(|message| message.contains(key)), "{problem}");
        assert!(problem["help"].as_str().is_some_and(|help| help.contains(meant)), "{problem}");
    }
    let other = Job::new().device_type("other-board").to_yaml();
    let refused = controlled.post("/api/runs", &other);
    let problems = &refused.json()["problems"];
    assert!(problems[0]["message"].as_str().is_some_and(|text| text.contains("other-board")), "{problems}");
    let refused = controlled.post("/api/runs", &job);
    let words = refused.json()["error"].as_str().expect("words").to_owned();
    assert!(words.contains("timeuots") && words.contains("timeouts") && !words.contains('\u{1b}'), "{words}");
    assert_eq!(get(controlled.address(), "/api/started").json(), json!({ "runs": [] }));
    let large = controlled.post("/api/runs", &"#".repeat(1024 * 1024 + 1));
    assert_eq!(large.status, 413);
}

#[test]
fn what_is_typed_reaches_the_console_that_a_run_has_open() {
    let bench = Testbench::new();
    let controlled = Controlled::new(&bench);
    let keys = format!("/api/boards/{BOARD}/keys");
    let refused = controlled.post(&keys, "x");
    assert_eq!(refused.status, 409, "{refused:?}");
    let run = bench.start_staying();
    // One request is one piece: the agent's frames may go between two.
    let (address, token) = (controlled.address(), Some(controlled.token.as_str()));
    let json = post_as(address, &keys, token, "Application/JSON; charset=utf-8", r#"{"keys":"x"}"#);
    assert_eq!(json.status, 415, "{json:?}");
    let typed = controlled.post(&keys, "hello");
    let warning = "the agent has the console while test definitions run: it throws keys away";
    assert_eq!((typed.status, typed.json()), (202, json!({ "warning": warning })));
    run.wait_for("somebody who is attached to the console types on it");
    assert_eq!(controlled.post(&keys, &"x".repeat(5000)).status, 413);
    let events = bench.path().join("out/run.jsonl");
    let typed = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let is_typed = event["event"] == "console" && event["direction"] == "tx";
        is_typed && event["text"].as_str().is_some_and(|text| text.contains("hello"))
    };
    let start = Instant::now();
    while !std::fs::read_to_string(&events).expect("a run writes it").lines().any(typed) {
        assert!(start.elapsed() < PATIENCE, "nothing was typed");
        thread::sleep(LOOK_EVERY);
    }
    run.signal(Signal::TERM);
    assert_eq!(run.finish().code, Some(5));
}

#[test]
fn a_token_that_others_may_read_is_refused() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    let token = bench.write("token", "0123456789abcdef0123456789abcdef\n");
    let mode =
        |mode| std::fs::set_permissions(&token, std::fs::Permissions::from_mode(mode)).expect("an own file");
    mode(0o644);
    let path = token.display().to_string();
    let refused = bench.start_with(&["serve", "--listen", "127.0.0.1:0", "--token-file", &path]).finish();
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("`chmod 600` it"), "{refused}");
    mode(0o600);
    let served = serve_with(&bench, &["--control", "--token-file", &path]);
    assert_eq!(served.fragment, "", "it is not printed");
    let answer = post(served.address, "/api/token", Some("0123456789abcdef0123456789abcdef"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
}
