//! Definitions by steps: what each printed, how long each may take, and what the kernel says meanwhile.

use serde_json::Value;
use testbench::harness::{Definition, Finished, Job, NODE, Testbench};

use crate::outcome::Results;

/// A step that puts the board's console into `tty`: the standard output of the agent, which is the shell's grandparent.
const FIND_TTY: &str = "read -r pid name state agent rest < /proc/$PPID/stat; tty=/proc/$agent/fd/1";

fn run(steps: &[&str]) -> Finished {
    Testbench::new().run(&Job::new().definitions(&[Definition::new("steps", steps)]))
}

/// The events of a kind.
fn events(run: &Finished, kind: &str) -> Vec<Value> {
    let all = run.file("run.jsonl");
    let events = all.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events.filter(|event| event["event"] == kind).collect()
}

#[test]
fn steps_are_told_with_their_commands_and_what_the_script_used() {
    let run = run(&["echo one", "for i in 1 2; do", "echo $i", "done", "test \"$?\" = 0"]);
    assert_eq!(run.code, Some(0), "{run}");
    let steps = events(&run, "step-started");
    let told: Vec<_> =
        steps.iter().map(|step| (step["step"]["number"].as_u64(), step["command"].as_str())).collect();
    let expected = [
        (Some(1), Some("echo one")),
        (Some(2), Some("for i in 1 2; do\necho $i\ndone")),
        (Some(3), Some("test \"$?\" = 0")),
    ];
    assert_eq!(told, expected);
    let definition = &run.results()["nodes"][0]["definitions"][0];
    assert_eq!(definition["steps"].as_array().map(Vec::len), Some(3), "{definition}");
    let script = &definition["scripts"][0];
    assert_eq!((script["script"].as_str(), script["status"].as_str()), (Some("run"), Some("exit code 0")));
    assert!(script["usage"]["max_rss_kib"].as_u64().is_some_and(|size| size > 0), "{script}");
    assert!(
        !run.file(&format!("console/{NODE}.log")).contains("lava-step"),
        "the steps' own calls are not shown"
    );
}

#[test]
fn a_step_with_a_time_of_its_own_is_ended_and_the_next_definition_runs() {
    let definitions = [
        Definition::new("slow", &["echo before", "sleep 1000", "lava-test-case never --result pass"]),
        Definition::new("next", &["lava-test-case next --result pass"]),
    ];
    let yaml = Job::new().definitions(&definitions).to_yaml();
    let yaml = yaml.replace("- \"sleep 1000\"", "- {command: sleep 1000, timeout: {seconds: 1}}");
    let run = Testbench::new().start_text(&yaml).finish();
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    assert_eq!(results.tests(NODE), ["1_next/next pass"]);
    let (slow, next) = (results.definitions(NODE).remove(0), results.definitions(NODE).remove(1));
    let told = "0_slow fail a step of the run was not done in its time (1 s: `timeout` of `steps`, job.yaml:";
    assert!(slow.starts_with(told) && slow.ends_with(") in `sleep 1000`, and was stopped"), "{slow}");
    assert_eq!(next, "1_next pass");
}

#[test]
fn a_definition_with_a_time_of_its_own_is_ended_and_the_next_one_runs() {
    let definitions = [
        Definition::new("slow", &["sleep 1000"]),
        Definition::new("next", &["lava-test-case next --result pass"]),
    ];
    let yaml = Job::new().definitions(&definitions).to_yaml();
    let yaml = yaml.replacen("from: inline\n", "from: inline\n      timeout: {seconds: 1}\n", 1);
    let run = Testbench::new().start_text(&yaml).finish();
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    let slow = results.definitions(NODE).remove(0);
    let told = "0_slow fail the run steps were not done when their time was over (1 s: `timeout` of `definitions`, job.yaml:";
    assert!(slow.starts_with(told), "{slow}");
    assert_eq!(results.tests(NODE), ["1_next/next pass"]);
}

#[test]
fn a_definition_that_will_not_end_is_killed_and_the_next_one_runs() {
    let definitions = [
        Definition::new("stubborn", &["trap '' TERM", "sleep 1000"]),
        Definition::new("next", &["lava-test-case next --result pass"]),
    ];
    let yaml = Job::new().definitions(&definitions).to_yaml();
    let yaml = yaml.replacen("from: inline\n", "from: inline\n      timeout: {seconds: 1}\n", 1);
    let run = Testbench::new().start_text(&yaml).finish();
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(Results::of(&run).tests(NODE), ["1_next/next pass"]);
}

#[test]
fn steps_are_attributed_whatever_a_step_does_to_the_search_path() {
    let run = run(&["export PATH=/usr/bin:/bin", "(exit 0)", "test $? = 0"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(events(&run, "step-started").len(), 3);
}

#[test]
fn text_signals_are_results_from_the_output_and_from_the_console() {
    let run = run(&[
        FIND_TTY,
        "echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=printed RESULT=pass MEASUREMENT=1.5 UNITS=s>'",
        // A console and a link are two streams: only a call that was answered is before what is printed then.
        "lava-test-event now; printf '[    9.100000] <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=logged RESULT=pass>\\r\\n' > $tty; lava-test-case x --result pass",
        "printf '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=cut RES\\n'",
        "lava-test-case last --result pass",
        "printf '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=open RES'",
    ]);
    assert_eq!(run.code, Some(1), "{run}");
    let expected = [
        "0_steps/printed pass",
        "0_steps/logged pass",
        "0_steps/x pass",
        "0_steps/lava-signal fail",
        "0_steps/last pass",
        "0_steps/lava-signal fail",
    ];
    assert_eq!(Results::of(&run).tests(NODE), expected);
}

#[test]
fn what_the_kernel_complains_of_is_told_with_the_step_that_ran() {
    let run = run(&[
        FIND_TTY,
        "lava-test-event now; printf '[    9.200000] WARNING: CPU: 0 PID: 7 at kernel/x.c:1 f+0x1/0x2\\r\\n' > $tty; lava-test-case x --result pass",
    ]);
    assert_eq!(run.code, Some(0), "{run}");
    let kernel = &run.results()["nodes"][0]["kernel"];
    let expected = serde_json::json!([{
        "complaint": "warning",
        "text": "[    9.200000] WARNING: CPU: 0 PID: 7 at kernel/x.c:1 f+0x1/0x2",
        "definition": "0_steps",
        "step": {"script": "run", "number": 2},
        "case": null,
    }]);
    assert_eq!(*kernel, expected);
}

#[test]
fn no_part_of_a_secret_is_stored_where_a_text_is_cut_or_the_kernel_writes_into_a_frame() {
    let steps = [
        FIND_TTY,
        ". ../../../secrets",
        "lava-test-case \"$(printf %0505d 0)$TOKEN\" --result pass",
        "{ set +x; } 2>/dev/null; begin=${TOKEN%????????} end=${TOKEN#????}",
        "printf \"\\036d1234$begin[    9.100000] usb 1-1: new\\r\\n$end\\037\" > $tty",
        "printf \"\\036d1234$begin WARNING: CPU: 0 PID: 7 at kernel/x.c:1\\r\\n$end\\037\" > $tty",
        "lava-test-case x --result pass",
    ];
    let yaml = Job::new().definitions(&[Definition::new("steps", &steps)]).to_yaml();
    let run = Testbench::new().start_text(&format!("{yaml}secrets: {{TOKEN: s3cret-token}}\n")).finish();
    assert_eq!(run.code, Some(1), "{run}");
    let zeros = "0".repeat(505);
    assert_eq!(
        Results::of(&run).tests(NODE),
        [format!("0_steps/{zeros}[secret]… fail"), "0_steps/x pass".to_owned()]
    );
    let (log, raw) = (format!("console/{NODE}.log"), format!("console/{NODE}.raw"));
    let kernel = "[10 bytes of a damaged frame][    9.100000] usb 1-1: new";
    assert!(run.file(&log).contains(kernel), "{}", run.file(&log));
    assert_eq!(run.results()["nodes"][0]["kernel"][0]["text"], "WARNING: CPU: 0 PID: 7 at kernel/x.c:1");
    let lava = ["logs", "results", "result"].map(|name| format!("lava/{NODE}/{name}.yaml"));
    let others = ["run.jsonl", "results.json", "junit.xml", "results.tap", "index.html"];
    for file in
        others.into_iter().chain([&log, &raw].map(String::as_str)).chain(lava.iter().map(String::as_str))
    {
        let text = run.file(file);
        assert!(!text.contains("s3cr") && !text.contains("et-token"), "{file}:\n{text}");
    }
}

#[test]
fn a_set_may_be_named_where_it_ends_as_in_lavas_documents() {
    let steps = [
        "lava-test-set start syscalls",
        "lava-test-case one --result pass",
        "lava-test-set stop syscalls",
        "lava-test-case two --result pass",
    ];
    let passed = Testbench::new().run(&Job::new().definitions(&[Definition::new("sets", &steps)]));
    assert_eq!(passed.code, Some(0), "{passed}");
    let events = passed.events();
    let cases = events.iter().filter(|event| event["event"] == "test-case");
    let told: Vec<_> = cases.map(|event| (event["case"].as_str(), event["set"].as_str())).collect();
    assert_eq!(told, [(Some("one"), Some("syscalls")), (Some("two"), None)]);
}
