//! What is handed out, and what is not: files of runs by their names, to whoever asks by the right name.

use std::fs;
use std::os::unix::fs::symlink;

use testbench::harness::{Finished, Job, Testbench};
use testbench::http_client::{get, send};

use crate::served::serve;

fn run(bench: &Testbench) -> Finished {
    let run = bench.run(&Job::new());
    assert_eq!(run.code, Some(0), "{run}");
    run
}

#[test]
fn a_stored_run_is_a_page_without_scripts_with_all_of_its_files() {
    let bench = Testbench::new();
    let finished = run(&bench);
    let served = serve(&bench);
    let first = get(served.address, "/").text();
    assert!(first.contains(r#"<a href="/runs/out/" title="out">one-board</a>"#), "{first}");
    let page = get(served.address, "/runs/out/").text();
    for text in ["board-answers", "42.5 MB/s", "boot-u-boot", "Starting kernel", "href=\"console/board.log\""]
    {
        assert!(page.contains(text), "no {text} in {page}");
    }
    assert_eq!(get(served.address, "/runs/out").header("location"), Some("/runs/out/"));
    let files = get(served.address, "/api/runs/out").json()["files"].clone();
    let names: Vec<_> =
        files.as_array().into_iter().flatten().filter_map(|file| file["name"].as_str()).collect();
    assert!(names.contains(&"results.json") && names.contains(&"console/board.raw"), "{names:?}");
    for name in names {
        let answer = get(served.address, &format!("/runs/out/{name}"));
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.body, fs::read(finished.out.join(name)).expect("a file of the run"), "{name}");
    }
    let page = get(served.address, "/runs/out/index.html");
    assert_eq!(page.header("content-disposition"), Some("attachment"), "no page of others under this name");
    let history = get(served.address, "/boards/fake1").text();
    assert!(history.contains("boot-u-boot") && history.contains("one-board"), "{history}");
}

#[test]
fn paths_that_leave_the_runs_lead_nowhere() {
    let bench = Testbench::new();
    run(&bench);
    let served = serve(&bench);
    symlink("/etc", bench.path().join("out/etc")).expect("an own directory");
    symlink("/etc/passwd", bench.path().join("out/passwd.txt")).expect("an own directory");
    symlink(bench.path().join("out"), bench.path().join("link")).expect("an own directory");
    for path in [
        "/runs/../bench.toml",
        "/runs/out/../bench.toml",
        "/runs/out/%2e%2e/bench.toml",
        "/runs/out/..%2fbench.toml",
        "/runs/..%2f",
        "/runs/%2e%2e/",
        "/runs/./",
        "/runs/out/etc/passwd",
        "/runs/out/passwd.txt",
        "/runs/link/",
        "/runs/out//etc/passwd",
        "/runs/out/%2fetc%2fpasswd",
        "/runs/out/console",
        "/runs/out/console/",
        "/runs/agent/",
        "/runs/out/results.json%00",
        "/assets/../bench.toml",
        "/assets/..%2fsite.css",
        "/api/runs/..",
        "/api/runs/..%2fout/events",
        "/boards/nobody",
        "/absent",
        "//etc/passwd",
        "/a/b/c/d/e",
    ] {
        assert_eq!(get(served.address, path).status, 404, "{path}");
    }
    for path in ["/%ff", &"/a".repeat(100)] {
        assert_eq!(get(served.address, path).status, 400, "{path}");
    }
    let long = send(served.address, &format!("GET /{}", "a".repeat(40_000)), &["Host: localhost"]);
    // The server may close the connection before all of that is written.
    assert!(long.is_err() || long.is_ok_and(|answer| [400, 414, 431].contains(&answer.status)));
    assert_eq!(get(served.address, "/").status, 200, "it goes on for others");
}

#[test]
fn nobody_is_answered_under_a_name_that_others_can_give() {
    let bench = Testbench::new();
    let served = serve(&bench);
    for host in ["localhost", "127.0.0.1:9", "[::1]:8080", &served.address.to_string()] {
        let answer = send(served.address, "GET /api/runs", &[&format!("Host: {host}")]).expect("an answer");
        assert_eq!(answer.status, 200, "{host}");
    }
    for headers in [
        &["Host: attacker.example"][..],
        &["Host: localhost.attacker.example"],
        &[],
        &["Host: localhost", "Host: x"],
    ] {
        let answer = send(served.address, "GET /api/runs", headers).expect("an answer");
        assert!([400, 421].contains(&answer.status), "{headers:?}: {}", answer.head);
    }
}

#[test]
fn nothing_can_be_changed_and_browsers_are_told_what_pages_may_do() {
    let bench = Testbench::new();
    let served = serve(&bench);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer =
            send(served.address, &format!("{method} /api/runs"), &["Host: localhost"]).expect("an answer");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    for path in ["/", "/api/runs", "/assets/xterm.mjs", "/metrics", "/absent", "/boards/fake1"] {
        let answer = get(served.address, path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("set-cookie"), None, "{path}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        let scripts = policy.split("; ").find(|part| part.starts_with("script-src"));
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(scripts.is_none_or(|scripts| scripts == "script-src 'self'"), "{path}: {policy}");
        let head = send(served.address, &format!("HEAD {path}"), &["Host: localhost"]).expect("an answer");
        assert_eq!((head.status, head.body.len()), (answer.status, 0), "{path}");
    }
    let tag = get(served.address, "/assets/site.css");
    let known = format!("If-None-Match: {}", tag.header("etag").expect("a tag"));
    let again =
        send(served.address, "GET /assets/site.css", &["Host: localhost", &known]).expect("an answer");
    assert_eq!((again.status, again.body.len()), (304, 0));
}
