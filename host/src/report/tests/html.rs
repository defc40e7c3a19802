//! `index.html`.

use super::{case, hostile, read, run, written};
use crate::event::{Bytes, Direction, EventKind, TestResult};

/// What stands between the first `from` and the next `to` behind it.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to}")).0
}

#[test]
fn the_verdict_comes_first_with_fault_help_and_last_lines() {
    let mut events = run();
    let banner = Bytes(b"Starting kernel ...\r\nssh: no route\r\n".to_vec());
    let said = EventKind::Console { direction: Direction::Rx, data: banner };
    events.insert(18, (Some("guest"), said));
    let page = read(&written(events), "index.html");
    let main = between(&page, "<main>", "</section>");
    assert!(main.starts_with(r#"<section id="verdict""#), "{main}");
    let first = between(main, "<h3>", "</h3>");
    assert_eq!(first, "guest: infrastructure error", "the fault that decided the run");
    for text in [
        "The run could not be done",
        "guest: infrastructure error",
        "the infrastructure's: the board, what boots on it, network or artifact",
        "guest, boot-ssh (job.yaml:9:3)",
        "cannot connect: Connection refused",
        "is sshd installed?",
        "ssh: no route\n",
        "host: 0_smoke/disk.write",
        "job.yaml:12:3",
    ] {
        assert!(main.contains(text), "no {text:?} in {main}");
    }
}

#[test]
fn every_section_of_a_run_is_there() {
    let mut events = run();
    events.insert(9, (Some("host"), EventKind::Group { text: "lava-sync ready".to_owned() }));
    events.insert(10, (Some("host"), EventKind::Group { text: "lava-sync ready: done".to_owned() }));
    let page = read(&written(events), "index.html");
    for id in ["verdict", "timeline", "results", "measurements", "group", "warnings", "console"] {
        assert_eq!(page.matches(&format!("<section id=\"{id}\"")).count(), 1, "{id}");
    }
    let phases = between(&page, "<svg class=\"timeline\"", "</svg>");
    assert!(phases.contains("boot-u-boot: pass, 16.0 s, from 2.0 s"), "{phases}");
    let group = between(&page, "<svg class=\"sequence\"", "</svg>");
    assert!(group.contains("class=\"asked\"") && group.contains("class=\"released\""), "{group}");
    assert!(page.contains("12.5 MB/s"));
    assert!(page.contains("href=\"console/host.log\""));
    assert!(page.contains("Hit any key\n"), "escape sequences are removed");
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
}

#[test]
fn nothing_from_outside_is_markup() {
    let page = read(&written(hostile::run()), "index.html");
    assert_eq!(page.matches("<script").count(), 1, "only the page's own");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("&lt;script&gt;alert(2)&lt;/script&gt;"));
    assert!(!page.contains("href=\"javascript:"), "a reference is a link only if it leads to the web");
    assert!(page.contains("javascript:alert(4)"));
}

#[test]
fn the_page_loads_nothing_and_runs_only_its_own_script() {
    let page = read(&written(run()), "index.html");
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    for loads in [" src=", "@import", "url(", "<link", " style=\"", " onclick="] {
        assert!(!page.contains(loads), "{loads}");
    }
}

#[test]
fn long_runs_make_a_page_of_bounded_size() {
    let mut events = run();
    let line = "x".repeat(100);
    for number in 0..20_000 {
        let data = Bytes(format!("{number} {line}\n").into_bytes());
        events.insert(5, (Some("host"), EventKind::Console { direction: Direction::Rx, data }));
    }
    for _ in 0..3_000 {
        let count = events.len();
        events.insert(count - 6, (Some("host"), EventKind::Group { text: "lava-sync x".to_owned() }));
        events.insert(count - 6, (Some("host"), EventKind::Warning { text: "slow".to_owned() }));
        events.insert(count - 6, (Some("host"), case("read", TestResult::Pass, None)));
    }
    let page = read(&written(events), "index.html");
    assert!(page.len() < 2 << 20, "{}", page.len());
    assert!(page.contains(" lines before these are left out here. "), "lines");
    assert!(page.contains("2500 more are left out here; run.jsonl has all."), "messages");
    assert!(page.contains("results.json has all."), "cases");
}
