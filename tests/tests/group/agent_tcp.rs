//! The link to the agent over TCP, beside the console.

use testbench::harness::{Definition, Finished, Job, NODE, Testbench};

use crate::outcome::Results;

fn bench() -> Testbench {
    Testbench::new().board_line("agent_link = \"tcp\"")
}

fn run(bench: &Testbench, definitions: &[Definition]) -> Finished {
    bench.run(&Job::new().definitions(definitions))
}

#[test]
fn tests_run_beside_the_console_which_is_still_listened_to() {
    let bench = bench();
    // The console and the link are two streams: the script goes on when the signal was taken.
    let taken = bench.path().join("taken");
    let wait = format!("until [ -e {} ]; do sleep 0.1; done", taken.display());
    let steps = [
        "[ $LAVA_AGENT_LINK = tcp ] && [ ! \"$LAVA_AGENT_TOKEN\" ]",
        // The agent's standard error is the board's console: the shell is its grandchild.
        "read -r pid name state agent rest < /proc/$PPID/stat; tty=/proc/$agent/fd/2",
        "printf '[   30.000000] <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=by-kernel RESULT=pass>\\n' > $tty",
        "printf '[   31.000000] WARNING: CPU: 0 PID: 7 at kernel/x.c:1\\n' > $tty",
        &wait,
        "lava-test-case by-helper --result pass",
        "seq 1 20000",
    ];
    let definitions = [Definition::new("both", &steps), Definition::new("next", &["true"])];
    let run = bench.start(&Job::new().definitions(&definitions));
    run.wait_for("pass    by-kernel");
    bench.write("taken", "");
    let run = run.finish();
    assert_eq!(run.code, Some(0), "{run}");
    let results = Results::of(&run);
    assert_eq!(results.tests(NODE), ["0_both/by-kernel pass", "0_both/by-helper pass"]);
    let events = run.file("run.jsonl");
    assert!(events.contains("kernel/x.c:1") && events.contains("20000"), "{run}");
}

#[test]
fn results_arrive_once_and_in_order_over_a_connection_that_breaks_all_the_time() {
    let steps = [
        "for n in $(seq 1 100); do lava-test-case case-$n --result pass; echo line-$n; done",
        "lava-test-case last --shell sleep 4",
    ];
    let bench = bench().board_option(&["--agent-cuts", "300"]);
    let run = run(&bench, &[Definition::new("broken", &steps)]);
    assert_eq!(run.code, Some(0), "{run}");
    let results = Results::of(&run);
    let expected: Vec<String> = (1..=100)
        .map(|n| format!("0_broken/case-{n} pass"))
        .chain(["0_broken/last pass".to_owned()])
        .collect();
    assert_eq!(results.tests(NODE), expected);
    let again = run.file("run.jsonl").matches("the agent has connected again").count();
    assert!(again >= 5, "broken {again} times\n{run}");
}

#[test]
fn an_agent_that_cannot_connect_says_why_on_the_console() {
    let bench = bench().fault("agent-unreachable");
    let job = Job::new().definitions(&[Definition::new("never", &["lava-test-case x --result pass"])]);
    let yaml = job.to_yaml().replacen(
        "timeouts:\n",
        "timeouts:\n  connections: {lava-test-shell: {seconds: 5}}\n",
        1,
    );
    let run = bench.start_text(&yaml).finish();
    assert_eq!(run.code, Some(3), "{run}");
    let results = Results::of(&run);
    let (class, message) = results.fault();
    assert_eq!(class, "infrastructure");
    assert!(message.contains("no connection to the runner: nobody listens there"), "{message}");
}
