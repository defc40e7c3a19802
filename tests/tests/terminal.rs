//! What a person sees: the live view on a terminal, what stands there at the end, and what is printed elsewhere.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use testbench::harness::{Definition, Finished, Job, OnTerminal, PATIENCE, Testbench};

/// A run on a terminal whose test stays until it is stopped.
fn staying(bench: &Testbench, rows: u16, columns: u16) -> OnTerminal {
    let steps = ["lava-test-case there --result pass", "echo what the test says", "sleep 100"];
    let job = Job::new().definitions(&[Definition::new("stays", &steps)]);
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", job.to_yaml());
    bench.start_on_terminal(&["run", "job.yaml", "--out", "out"], rows, columns)
}

/// The row in which the live view begins; there is but one.
fn view(rows: &[String]) -> Option<usize> {
    let mut found = rows.iter().enumerate().filter(|(_, row)| row.starts_with("board 4/5 test-0 "));
    let first = found.next().map(|(index, _)| index);
    first.filter(|_| found.next().is_none())
}

/// Whether the live view is there, says what the test has said, and nothing stands below it.
fn is_whole(rows: &[String]) -> bool {
    let below = view(rows).and_then(|at| rows.get(at + 1..)).and_then(<[String]>::split_first);
    below.is_some_and(|(detail, rest)| detail.contains("sleep 100") && rest.iter().all(String::is_empty))
}

/// The last row with something on it.
fn last(rows: &[String]) -> &str {
    rows.iter().rfind(|row| !row.is_empty()).map_or("", String::as_str)
}

fn smoke(steps: &[&str]) -> Job {
    Job::new().definitions(&[Definition::new("smoke", steps)])
}

fn run(bench: &Testbench, job: &Job, options: &[&str]) -> Finished {
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", job.to_yaml());
    bench.start_with(&[&["run", "job.yaml", "--out", "out"], options].concat()).finish()
}

#[test]
fn a_live_view_stands_below_the_lines_that_stay_and_ctrl_c_leaves_the_terminal_clean() {
    for columns in [40, 80, 200] {
        let bench = Testbench::new();
        let mut run = staying(&bench, 24, columns);
        let rows = run.wait_for("live view", is_whole);
        let at = view(&rows).expect("it was there");
        assert!(rows[..at].iter().any(|row| row.contains("pass    there")), "{columns}: {rows:#?}");
        assert!(rows[at].contains(" left"), "{columns}: {rows:#?}");
        assert_eq!(rows[at].ends_with('…'), columns == 40, "{columns}: {rows:#?}");
        assert_eq!(rows[at].contains("job.yaml:"), columns > 40, "{columns}: {rows:#?}");
        assert!(run.is_cursor_visible());

        run.press_ctrl_c();
        let (code, rows) = run.finish();
        assert_eq!((code, view(&rows)), (Some(5), None), "{columns}: {rows:#?}");
        assert!(run.is_cursor_visible());
        let text = rows.concat();
        assert!(
            text.contains("cancelled board") && text.contains("the run was stopped"),
            "{columns}: {rows:#?}"
        );
        assert!(text.contains("cancelled one-board in "), "{columns}: {rows:#?}");
        assert!(last(&rows).ends_with("out/index.html"), "{columns}: {rows:#?}");
    }
}

#[test]
fn the_live_view_follows_the_size_of_the_terminal() {
    let bench = Testbench::new();
    let mut run = staying(&bench, 24, 80);
    run.wait_for("live view", is_whole);
    for (rows, columns) in [(24, 40), (10, 40), (40, 200)] {
        run.resize(rows, columns);
        let is_cut =
            |rows: &[String]| view(rows).is_some_and(|at| rows[at].ends_with('…') == (columns == 40));
        run.wait_for("live view of that size", |rows| is_whole(rows) && is_cut(rows));
    }
    run.resize(2, 40);
    run.wait_for("live view of one row", |rows| view(rows).is_some());
    run.press_ctrl_c();
    assert_eq!(run.finish().0, Some(5));
}

#[test]
fn a_second_ctrl_c_takes_the_live_view_away_too() {
    let bench = Testbench::new();
    // The power stays on for as long as the test lasts.
    let text = bench.to_toml();
    let off = text.lines().find(|line| line.starts_with("off = ")).expect("a command").to_owned();
    let bench = bench.bench_text(&text.replace(&off, "off = [\"sleep\", \"100\"]"));
    let mut run = staying(&bench, 24, 80);
    run.wait_for("live view", is_whole);
    run.press_ctrl_c();
    run.wait_for("last phase", |rows| rows.iter().any(|row| row.starts_with("board 5/5 power-off ")));
    run.press_ctrl_c();
    let (code, rows) = run.finish();
    assert_eq!(code, Some(5), "{rows:#?}");
    assert!(!rows.iter().any(|row| row.starts_with("board 5/5")) && run.is_cursor_visible(), "{rows:#?}");
}

#[test]
fn a_terminal_that_knows_nothing_but_text_gets_lines() {
    let bench = Testbench::new().environment("CLICOLOR_FORCE", "");
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", Job::new().to_yaml());
    let dumb = bench.environment("TERM", "dumb").start_with(&["run", "job.yaml", "--out", "out"]).finish();
    assert_eq!((dumb.code, dumb.stdout.contains('\u{1b}')), (Some(0), false), "{dumb}");
    assert!(dumb.stdout.contains("test-0 … (at most"), "{dumb}");
}

#[test]
fn colours_are_asked_for_by_the_option_or_the_environment() {
    let has_colours = |run: &Finished| run.stdout.contains("\u{1b}[");
    let plain = run(&Testbench::new(), &Job::new(), &[]);
    assert!(plain.code == Some(0) && !has_colours(&plain), "{plain}");
    let forced = Testbench::new().environment("CLICOLOR_FORCE", "1");
    let coloured = run(&forced, &Job::new(), &[]);
    assert!(coloured.code == Some(0) && has_colours(&coloured), "{coloured}");
    let replayed = forced.start_with(&["--color", "never", "replay", "out"]).finish();
    assert!(replayed.code == Some(0) && !has_colours(&replayed), "{replayed}");
    forced.write("bad.yaml", "job_name: bad\n");
    for (color, is_coloured) in [("always", true), ("never", false)] {
        let told = forced.start_with(&["validate", "bad.yaml", "--color", color]).finish();
        assert_eq!((told.code, told.stderr.contains("\u{1b}[")), (Some(2), is_coloured), "{told}");
        let usage = forced.start_with(&["validate", "--color", color]).finish();
        assert_eq!((usage.code, usage.stderr.contains("\u{1b}[")), (Some(2), is_coloured), "{usage}");
    }
}

#[test]
fn a_quiet_run_prints_failures_and_the_last_line_alone() {
    let passed = run(&Testbench::new(), &Job::new(), &["--quiet"]);
    assert_eq!(
        (passed.code, passed.stdout.lines().count(), passed.stderr.as_str()),
        (Some(0), 1, ""),
        "{passed}"
    );
    assert!(passed.stdout.starts_with("pass one-board in "), "{passed}");
    let failed = run(&Testbench::new(), &smoke(&["lava-test-case bad --result fail"]), &["-q"]);
    assert_eq!(failed.code, Some(1), "{failed}");
    assert!(failed.stdout.starts_with("test error board, 0_smoke, case bad (job.yaml:"), "{failed}");
}

#[test]
fn a_run_in_json_prints_its_events_and_nothing_else() {
    let bench = Testbench::new();
    let run = run(&bench, &Job::new(), &["--json"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), run.file("run.jsonl").as_str()), "{run}");
    for options in [["--json", "--quiet"], ["--json", "--verbose"], ["--quiet", "--verbose"]] {
        let words = [&["run", "job.yaml"][..], &options].concat();
        let refused = bench.start_with(&words).finish();
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused}");
        assert!(refused.stderr.contains("cannot be used with"), "{refused}");
    }
}

#[test]
fn who_reads_the_events_of_a_run_may_go_and_the_run_is_what_it_is() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", Job::new().to_yaml());
    let mut command = bench.host_runner(&["run", "job.yaml", "--json", "--out", "out"]);
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut first = String::new();
    let mut events = BufReader::new(run.stdout.take().expect("piped"));
    events.read_line(&mut first).expect("an event");
    assert!(first.contains("\"event\":\"run-started\""), "{first}");
    drop(events);
    let ended = run.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(told.starts_with("standard output: broken pipe; all is in out"), "{told}");
    let stored = std::fs::read_to_string(bench.path().join("out/run.jsonl")).expect("it is written");
    assert!(stored.trim_end().lines().last().is_some_and(|last| last.contains("run-finished")), "{stored}");
}

#[test]
fn results_that_could_not_be_written_are_no_pass() {
    let bench = Testbench::new();
    let go = bench.path().join("go");
    let wait = format!("until [ -e {} ]; do sleep 0.1; done", go.display());
    let run = bench.start(&smoke(&["lava-test-case there --result pass", &wait]));
    run.wait_for("pass    there");
    std::fs::remove_dir_all(bench.path().join("out")).expect("an own directory");
    std::fs::write(&go, "").expect("an own directory");
    let run = run.finish();
    assert_eq!(run.code, Some(3), "{run}");
    let last = run.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("error one-board in "), "{run}");
    assert!(
        last.contains(": pass, but its results are not whole: results.json cannot be written: "),
        "{run}"
    );
    assert!(run.stderr.contains("infrastructure error: out\n  results.json cannot be written: "), "{run}");
    let boards = bench.start_with(&["boards", "--json"]).finish();
    let board: Value = serde_json::from_str(&boards.stdout).expect("one board");
    assert_eq!(board["last_run"]["outcome"], "error", "{boards}");
}

#[test]
fn a_failed_case_shows_what_was_printed_before_it_be_it_a_line_or_not() {
    let steps = [
        "echo of another case; lava-test-case other --result pass",
        "echo checking the sum; printf 'expected 3, got 4'; lava-test-case sum --result fail",
    ];
    let run = run(&Testbench::new(), &smoke(&steps), &["--quiet"]);
    assert_eq!(run.code, Some(1), "{run}");
    // Behind a line without its end comes what the shell says that it runs next.
    for said in ["checking the sum\n", "expected 3, got 4+ lava-test-case sum"] {
        assert!(run.stdout.contains(said), "no {said:?}: {run}");
    }
    assert!(!run.stdout.contains("of another case"), "{run}");
    let page = run.file("index.html");
    let failed = page.split_once("Tests that failed").map(|(_, rest)| rest.split("</section>").next());
    let failed = failed.flatten().unwrap_or_default();
    assert!(failed.contains("checking the sum\n") && failed.contains("expected 3, got 4+ lava-"), "{failed}");
}

/// The agent sends no faster than a line of 115200 baud carries, and results before what is printed.
#[test]
fn a_failed_case_comes_behind_what_was_printed_before_it_on_a_slow_line() {
    let run = run(&Testbench::new(), &smoke(&["seq 1 6000; lava-test-case sum --result fail"]), &["--quiet"]);
    assert_eq!(run.code, Some(1), "{run}");
    let events = run.events();
    let case = events.iter().position(|event| event["event"] == "test-case").expect("a case");
    let output = events[..case].iter().filter(|event| event["event"] == "output");
    let text: String = output.map(|event| event["text"].as_str().unwrap_or_default()).collect();
    assert!(text.contains("\n6000\n") && run.stdout.contains("\n    6000\n"), "{run}");
}

/// What a helper was told to be done is a result, though its place in the output had not come.
#[test]
fn a_result_that_is_held_back_behind_output_is_kept_when_the_run_is_stopped() {
    let bench = Testbench::new();
    let answered = bench.path().join("answered");
    let step =
        format!("seq 1 12000; lava-test-case sum --result fail; touch {}; sleep 60", answered.display());
    let run = bench.start(&smoke(&[&step]));
    let deadline = Instant::now() + PATIENCE;
    while !answered.exists() {
        assert!(Instant::now() < deadline, "no answer: {}", run.printed());
        thread::sleep(Duration::from_millis(10));
    }
    run.signal(Signal::INT);
    let run = run.finish();
    assert_eq!(run.code, Some(5), "{run}");
    let tests = run.results()["nodes"][0]["tests"].clone();
    assert_eq!(
        (tests[0]["case"].as_str(), tests[0]["result"].as_str()),
        (Some("sum"), Some("fail")),
        "{run}"
    );
}

#[test]
fn an_end_in_one_line_announces_no_lines_behind_it() {
    let job = Job::new()
        .boot("auto_login: {login_prompt: 'login:', username: root}")
        .timeout("auto-login-action", 5);
    let run = run(&Testbench::new().fault("no-login"), &job, &[]);
    let ended = run.stdout.lines().find(|line| line.contains("ended: error: no ")).unwrap_or_default();
    assert!(!ended.is_empty() && !ended.contains("the board last said"), "{run}");
}

#[test]
fn failures_of_one_kind_say_once_whose_fault_they_are_and_what_to_do() {
    let steps = ["lava-test-case one --result fail", "lava-test-case two --result fail"];
    let run = run(&Testbench::new(), &smoke(&steps), &["--quiet"]);
    assert_eq!(run.code, Some(1), "{run}");
    for once in [
        "whose fault: what was tested, or its test",
        "help: what it printed before is in out/console/board.log",
    ] {
        assert_eq!(run.stdout.matches(once).count(), 1, "{once}: {run}");
    }
    assert!(run.stdout.find("case two") < run.stdout.find("whose fault"), "{run}");
    assert!(run.out.join("console/board.log").exists(), "{run}");
}

#[test]
fn the_help_names_no_log_of_a_board_that_said_nothing() {
    let bench = Testbench::new().console("[\"false\"]");
    let run = run(&bench, &Job::new(), &[]);
    assert_eq!(run.code, Some(3), "{run}");
    assert!(!run.out.join("console/board.log").exists(), "{run}");
    assert!(!run.stdout.contains("console/board.log"), "{run}");
}

#[test]
fn a_quiet_run_on_github_has_annotations() {
    let bench = Testbench::new().environment("GITHUB_ACTIONS", "true");
    let run = run(&bench, &smoke(&["lava-test-case bad --result fail"]), &["--quiet"]);
    assert_eq!(run.code, Some(1), "{run}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    let word = lines[0].strip_prefix("::stop-commands::").unwrap_or_else(|| panic!("{run}"));
    let open =
        lines.iter().position(|line| *line == format!("::{word}::")).unwrap_or_else(|| panic!("{run}"));
    assert!(lines[1].starts_with("test error board, 0_smoke, case bad"), "{run}");
    assert!(lines[open + 1].starts_with("::error file=job.yaml,line="), "{run}");
}

#[test]
fn the_job_is_kept_as_it_was_read_without_its_secrets() {
    let bench = Testbench::new();
    let job = Job::new().to_yaml().replacen(
        "job_name",
        "# as it came\nsecrets: {TOKEN: s3cret-token}\njob_name",
        1,
    );
    bench.write("bench.toml", bench.to_toml());
    let input = std::fs::File::open(bench.write("input", &job)).expect("it was written");
    let run = bench.start_with_input(&["run", "-", "--out", "out"], input).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let kept = job.replace("secrets: {TOKEN: s3cret-token}", "\"secrets\": {\"TOKEN\": \"[secret]\"}");
    assert_eq!(run.file("job.yaml"), kept, "{run}");
    assert!(run.file("index.html").contains("href=\"job.yaml\""), "{run}");
    assert!(!run.file("run.jsonl").contains("s3cret-token"), "{run}");
    assert_eq!(bench.differing_files_of_a_replay(), Vec::<std::path::PathBuf>::new());
}
