//! Definitions that fail, report nonsense, do not end or are not there.

use testbench::harness::{Definition, Finished, Job, NODE, Testbench};

use crate::bench::{bench, job};
use crate::outcome::Results;

/// A step that puts the board's console into `tty`: the standard output of the agent, which is the shell's grandparent.
const FIND_TTY: &str = "read -r pid name state agent rest < /proc/$PPID/stat; tty=/proc/$agent/fd/1";

fn run(bench: &Testbench, definitions: &[Definition]) -> Finished {
    bench.run(&Job::new().definitions(definitions))
}

#[test]
fn a_step_that_fails_ends_its_definition_and_the_next_one_runs() {
    let bench = Testbench::new();
    let run = run(
        &bench,
        &[
            Definition::new(
                "breaks",
                &["lava-test-case before --result pass", "false", "lava-test-case after --result pass"],
            ),
            Definition::new("works", &["lava-test-case next --result pass"]),
        ],
    );
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    assert_eq!(results.tests(NODE), ["0_breaks/before pass", "1_works/next pass"]);
    assert_eq!(
        results.definitions(NODE),
        ["0_breaks fail the run steps ended with exit code 1 in `false`", "1_works pass"]
    );
    assert_eq!(
        results.fault(),
        ("test", "definition 0_breaks: the run steps ended with exit code 1 in `false`")
    );
    assert_eq!(results.place(), NODE);
}

#[test]
fn an_install_step_that_fails_keeps_the_definition_from_running() {
    let bench = Testbench::new();
    let installs =
        Job::new().definitions(&[Definition::new("installs", &["lava-test-case ran --result pass"])]);
    let yaml = installs.to_yaml().replace("run:\n", "install:\n          steps: ['exit 7']\n        run:\n");
    assert!(yaml.contains("exit 7"), "{yaml}");
    let run = bench.start_text(&yaml).finish();
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    assert_eq!(results.fault(), ("test", "definition 0_installs: the install steps ended with exit code 7"));
    assert!(results.tests(NODE).is_empty());
}

#[test]
fn a_definition_can_ask_what_the_bench_file_knows_of_its_board() {
    let info = r#"info = { mac = "6c:ec:eb:00:00:01", storage = { UMS = "/dev/x" }, probe_channel = "3" }"#;
    let bench = Testbench::new().board_line(info);
    let address = format!("[ $(lava-target-ip) = {} ]", bench.addresses().board);
    let steps = [
        address.as_str(),
        "[ $(lava-target-mac) = 6c:ec:eb:00:00:01 ]",
        "[ $(lava-target-storage UMS) = /dev/x ]",
        "[ $(lava-probe-channel) = 3 ]",
        "grep -x tests/0_asks ../../lava-test-runner.conf",
        "lava-test-feedback --namespace probes",
        "lava-test-case asked --shell true",
    ];
    let run = run(&bench, &[Definition::new("asks", &steps)]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(Results::of(&run).tests(NODE), ["0_asks/asked pass"]);
    assert!(run.file("run.jsonl").contains("lava-test-feedback: namespace probes"), "{run}");
}

/// The first definition leaves a process running, which reports while the second runs, and is told that it is too late.
#[test]
fn a_report_of_what_an_earlier_definition_has_left_running_is_not_credited_to_the_next() {
    let bench = Testbench::new();
    let straggler =
        "until [ -e ../go ]; do sleep 0.1; done; lava-test-case late --result fail; echo $? > ../code";
    let leaves = format!("setsid sh -c '{straggler}' > /dev/null 2>&1 &");
    let run = run(
        &bench,
        &[
            Definition::new("leaves", &[&leaves, "lava-test-case first --result pass"]),
            Definition::new(
                "next",
                &[
                    "touch ../go; until [ -s ../code ]; do sleep 0.1; done",
                    "lava-test-case code-$(cat ../code) --result pass",
                ],
            ),
        ],
    );
    assert_eq!(run.code, Some(0), "{run}");
    let results = Results::of(&run);
    assert_eq!(results.tests(NODE), ["0_leaves/first pass", "1_next/code-1 pass"]);
    let warning = "test case `late` (fail) was reported by what an earlier definition has left running";
    assert!(run.file("run.jsonl").contains(warning), "{run}");
}

#[test]
fn nonsense_becomes_failed_cases_and_is_not_lost() {
    let bench = Testbench::new();
    let steps = [
        "lava-test-case \"two words\" --result pass",
        "lava-test-case speed --result pass --measurement fast",
        "lava-test-case odd --result maybe || true",
        "lava-test-case || true",
        "lava-send || true",
        "lava-test-case last --result pass",
    ];
    let run = run(&bench, &[Definition::new("nonsense", &steps)]);
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    assert_eq!(
        results.tests(NODE),
        [
            "0_nonsense/two words fail",
            "0_nonsense/speed fail",
            "0_nonsense/odd fail",
            "0_nonsense/lava-test-case fail",
            "0_nonsense/lava-send fail",
            "0_nonsense/last pass"
        ]
    );
    let (class, message) = results.fault();
    assert_eq!(class, "test");
    assert!(message.contains("5 of 6 test cases failed"), "{message}");
}

#[test]
fn a_helper_with_wrong_arguments_ends_the_definition_and_shows_as_a_case() {
    let bench = Testbench::new();
    let run = run(&bench, &[Definition::new("wrong", &["lava-sync", "lava-test-case after --result pass"])]);
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    assert_eq!(results.tests(NODE), ["0_wrong/lava-sync fail"]);
    assert!(results.fault().1.contains("the run steps ended with exit code"), "{run}");
}

#[test]
fn lava_test_raise_ends_the_definition_with_its_message() {
    let bench = Testbench::new();
    let steps = ["lava-test-raise no-network", "lava-test-case after --result pass"];
    let run = run(&bench, &[Definition::new("raises", &steps)]);
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    assert_eq!(results.tests(NODE), ["0_raises/lava-test-raise fail"]);
    assert!(run.file("junit.xml").contains("no-network"), "{}", run.file("junit.xml"));
}

#[test]
fn a_step_that_never_ends_is_killed_with_all_its_processes_when_the_time_is_over() {
    let bench = Testbench::new();
    let pid_file = bench.path().join("pid");
    let definitions = [
        Definition::new(
            "endless",
            &[
                "lava-test-case before --result pass",
                &format!("sleep 1000 & echo $! > {}; wait", pid_file.display()),
            ],
        ),
        Definition::new("next", &["lava-test-case never --result pass"]),
    ];
    let run = bench.run(&Job::new().definitions(&definitions).timeout("lava-test-shell", 15));
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    let over = "the run steps were not done when the time of `test-0` was over (15 s: \
                `timeouts.actions.lava-test-shell`, job.yaml:10:5) in `sleep 1000 & echo";
    let (class, told) = results.fault();
    assert!(class == "test" && told.starts_with(over) && told.ends_with("`, and were stopped"), "{told}");
    assert!(results.place().starts_with("board, test-0 (job.yaml:"), "{}", results.place());
    assert_eq!(results.tests(NODE), ["0_endless/before pass"], "results so far are kept");
    assert_eq!(
        results.definitions(NODE),
        [format!("0_endless fail {told}"), format!("1_next fail not run: {told}")]
    );
    let pid = std::fs::read_to_string(pid_file).expect("the step wrote it");
    let command = std::fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default();
    assert!(!command.contains("sleep"), "the step's child is still there");
}

#[test]
fn what_the_kernel_prints_between_results_costs_none_of_them() {
    let bench = Testbench::new();
    let steps = [
        FIND_TTY,
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do printf '[   9.1] usb 1-1: noise ~ }\\r\\n' > $tty; \
         lava-test-case case-$i --result pass; printf '[   9.2] more noise without an end' > $tty; done",
    ];
    let run = run(&bench, &[Definition::new("noisy", &steps)]);
    assert_eq!(run.code, Some(0), "{run}");
    let expected: Vec<String> = (1..=12).map(|number| format!("0_noisy/case-{number} pass")).collect();
    assert_eq!(Results::of(&run).tests(NODE), expected);
    assert!(
        run.file(&format!("console/{NODE}.log")).contains("Z [   9.1] usb 1-1: noise"),
        "it is in the console log"
    );
}

#[test]
fn a_board_that_resets_in_a_test_is_seen_at_once() {
    let bench = Testbench::new();
    let steps = [
        FIND_TTY,
        "lava-test-case before --result pass",
        "lava-test-case dies --shell \"printf '\\r\\nU-Boot SPL 2023.01 (Jan 09 2023)\\r\\n' > $tty; sleep 50\"",
    ];
    let definitions = [Definition::new("resets", &steps), Definition::new("next", &["true"])];
    let run = run(&bench, &definitions);
    assert_eq!(run.code, Some(3), "{run}");
    let results = Results::of(&run);
    let reset = "while test case `dies` ran, the board has reset: U-Boot SPL 2023.01 (Jan 09 2023)";
    assert_eq!(results.fault(), ("infrastructure", reset));
    assert!(results.place().starts_with("board, test-0 (job.yaml:"), "{}", results.place());
    assert_eq!(results.tests(NODE), ["0_resets/before pass"], "results so far are kept");
    assert_eq!(
        results.definitions(NODE),
        [format!("0_resets error {reset}"), format!("1_next error not run: {reset}")]
    );
}

#[test]
fn an_agent_that_is_killed_is_missed_as_soon_as_the_shell_is_back() {
    let bench = Testbench::new();
    let steps = [FIND_TTY, "lava-test-case before --result pass", "kill -9 $agent; sleep 50"];
    let run = run(&bench, &[Definition::new("kills", &steps)]);
    assert_eq!(run.code, Some(3), "{run}");
    let results = Results::of(&run);
    let (class, message) = results.fault();
    assert_eq!(class, "infrastructure");
    let gone = "the agent has gone: the shell's prompt `root@debian:` was seen, \
                and the agent gave no sign of life within 5 s";
    assert!(message.starts_with(gone), "{message}");
    assert_eq!(results.tests(NODE), ["0_kills/before pass"], "results so far are kept");
    assert_eq!(results.definitions(NODE), [format!("0_kills error {message}")]);
}

#[test]
fn text_that_looks_like_a_prompt_disturbs_nothing() {
    let bench = Testbench::new();
    let steps = [
        FIND_TTY,
        "for i in 1 2 3 4 5 6; do printf '\\r\\nroot@debian:~# ' > $tty; lava-test-case case-$i --result pass; done",
    ];
    let run = run(&bench, &[Definition::new("poses", &steps)]);
    assert_eq!(run.code, Some(0), "{run}");
    let expected: Vec<String> = (1..=6).map(|number| format!("0_poses/case-{number} pass")).collect();
    assert_eq!(Results::of(&run).tests(NODE), expected);
}

#[test]
fn what_is_not_there_is_found_missing_before_any_board_is_switched_on() {
    let bench = bench();
    let repository = bench.path().join("tests.git");
    let git = |arguments: &[&str]| {
        let status = std::process::Command::new("git")
            .arg("-C")
            .arg(bench.path())
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.org"])
            .args(arguments)
            .status();
        assert!(status.expect("git runs").success(), "git {arguments:?}");
    };
    git(&["init", "-q", "-b", "main", "tests.git"]);
    git(&["-C", "tests.git", "commit", "-q", "--allow-empty", "-m", "empty"]);
    let url = format!("file://{}", repository.display());
    for (url, branch, path, said) in [
        (url.as_str(), "main", "no/such.yaml", "no/such.yaml"),
        (url.as_str(), "gone", "smoke.yaml", "gone"),
        ("file:///no/such/repository.git", "main", "smoke.yaml", "/no/such/repository.git"),
    ] {
        let run = bench.start_text(&job(&bench).guest_from_git(url, branch, path).to_yaml()).finish();
        assert!(matches!(run.code, Some(2 | 3)), "{run}");
        let results = run.results();
        let message = results["fault"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(said), "{said}: {message}");
        assert!(results["fault"]["where"].as_str().unwrap_or_default().starts_with("job.yaml:"), "{results}");
        assert!(run.power().is_empty(), "no board was touched: {run}");
        std::fs::remove_dir_all(&run.out).expect("results");
    }
}
