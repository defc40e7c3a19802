//! What programs are told.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testbench::harness::{Job, Testbench};
use testbench::http_client::{ServerEvents, get};

use crate::served::serve;

/// The schema that the document gives for an answer.
fn schema(document: &Value, path: &str, kind: &str) -> Value {
    let content = &document["paths"][path]["get"]["responses"]["200"]["content"][kind];
    let schema = content.get("schema").or(content.get("itemSchema")).expect("an answer with a schema");
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    schema
}

fn check(document: &Value, path: &str, kind: &str, answer: &Value) {
    let validator = jsonschema::validator_for(&schema(document, path, kind)).expect("a schema");
    validator.validate(answer).unwrap_or_else(|error| panic!("{path}: {error}\n{answer:#}"));
    assert!(!validator.is_valid(&json!({ "other": 1 })), "{path}: the schema says something");
}

#[test]
fn every_answer_is_as_the_openapi_document_says() {
    let bench = Testbench::new();
    let served = serve(&bench);
    let document = get(served.address, "/api/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let run = bench.start_staying();
    for path in ["/api/boards", "/api/runs", "/api/started"] {
        check(&document, path, "application/json", &get(served.address, path).json());
    }
    check(&document, "/api/runs/{id}", "application/json", &get(served.address, "/api/runs/out").json());
    let event = ServerEvents::open(served.address, "/api/runs/out/events", None).expect("a stream").next();
    let event = serde_json::from_str(&event.expect("an event").data).expect("JSON");
    check(&document, "/api/runs/{id}/events", "text/event-stream", &event);
    drop(run);
    let missing = get(served.address, "/api/runs/none");
    assert_eq!((missing.status, missing.json()["error"].is_string()), (404, true));
    let told = document["paths"].as_object().expect("paths");
    let read = told.values().filter(|path| path["get"].is_object()).count();
    assert_eq!(read, 5, "all of them were looked at");
    for (path, methods) in told.iter().filter(|(_, methods)| methods["post"].is_object()) {
        assert_eq!(methods["post"]["security"], json!([{ "token": [] }]), "{path}");
    }
}

#[test]
fn metrics_are_as_prometheus_wants_them() {
    let bench = Testbench::new();
    assert_eq!(bench.run(&Job::new()).code, Some(0));
    let served = serve(&bench);
    let metrics = get(served.address, "/metrics").text();
    for line in [
        "host_runner_board_used{board=\"fake1\"} 0\n",
        "host_runner_board_last_run_passed{board=\"fake1\"} 1\n",
        "host_runner_runs{ending=\"pass\"} 1\n",
    ] {
        assert!(metrics.contains(line), "no {line} in {metrics}");
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs (Debian package prometheus)");
    promtool.stdin.take().expect("piped").write_all(metrics.as_bytes()).expect("promtool reads");
    let said = promtool.wait_with_output().expect("promtool ends");
    assert!(said.status.success() && said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn a_thousand_runs_are_listed_page_by_page_without_their_events() {
    let bench = Testbench::new();
    for number in 0..1000 {
        let directory = bench.path().join(format!("run-{number:04}"));
        fs::create_dir(&directory).expect("an own directory");
        // Events that nobody could read.
        fs::write(directory.join("run.jsonl"), "{").expect("an own directory");
        let started = format!("2026-01-01T{:02}:{:02}:00Z", number / 60, number % 60);
        let results = json!({
            "job": format!("job {number}"), "version": "0", "started": started, "outcome": "pass", "fault": null,
            "duration_s": 1.0, "nodes": [],
        });
        fs::write(directory.join("results.json"), results.to_string()).expect("an own directory");
    }
    let served = serve(&bench);
    let first = get(served.address, "/api/runs").json();
    assert_eq!((&first["total"], &first["pages"]), (&1000.into(), &20.into()));
    assert_eq!((&first["runs"][0]["job"], &first["runs"][49]["job"]), (&"job 999".into(), &"job 950".into()));
    let last = get(served.address, "/api/runs?page=20").json();
    assert_eq!(last["runs"][49]["job"], "job 0");
    let behind = get(served.address, "/api/runs?page=1000").json();
    assert_eq!((&behind["runs"], &behind["page"]), (&json!([]), &json!(1000)), "{behind}");
    for wrong in ["0", "-1", "x", "99999999999999999999"] {
        assert_eq!(get(served.address, &format!("/api/runs?page={wrong}")).status, 400, "{wrong}");
    }
    let page = get(served.address, "/?page=2").text();
    assert!(
        page.contains("job 949") && !page.contains("job 950") && page.contains("href=\"/?page=3\""),
        "{page}"
    );
}

#[test]
fn the_first_answer_knows_already_whether_boards_are_on() {
    let bench = Testbench::new();
    let toml = format!("{}status = [\"echo\", \"on\"]\n", bench.to_toml());
    let served = serve(&bench.bench_text(&toml));
    let told = get(served.address, "/api/boards").json();
    assert_eq!(told["boards"][0]["is_on"], true, "{told}");
}

#[test]
fn what_cannot_be_served_is_a_mistake_of_the_command_line() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    for (arguments, said) in [
        (["--runs", "bench.toml"], "bench.toml\n  it is no directory"),
        (["--host-name", "a/b"], "it is a name such as bench.example.org"),
        (["--listen", "127.0.0.1:99999"], "it is ADDRESS:PORT, such as 127.0.0.1:8080"),
    ] {
        let refused = bench.start_with(&[&["serve"][..], &arguments].concat()).finish();
        assert!(refused.code == Some(2) && refused.stderr.contains(said), "{said}: {refused}");
    }
}
