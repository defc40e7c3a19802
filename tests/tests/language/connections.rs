//! Consoles on which there is a shell already, further ones, and output that is only listened to.

use testbench::harness::Testbench;

use crate::shell_board::{BOOT, bench, job, shell, test};
use crate::tests;

#[test]
fn a_shell_on_the_console_runs_tests_in_the_directory_that_the_job_names() {
    let bench = bench();
    let here = format!(
        "lava-test-case here --shell 'case $PWD in {}/tmp/lava-*) ;; *) false; esac'",
        bench.path().display()
    );
    let run = bench.start_text(&job(&bench, &[BOOT, &test("", "smoke", &[&here])].concat())).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_smoke/here pass"]);
    assert_eq!(run.power(), ["reset", "off"]);
}

#[test]
fn a_test_that_fails_is_tried_again_and_only_the_last_attempt_counts() {
    let bench = bench();
    let marker = bench.path().join("again");
    // A case that fails is a result; a definition that does not run to its end is tried again.
    let (flaky, ends) = (
        format!("lava-test-case flaky --shell test -e {}", marker.display()),
        format!("test -e {0} || {{ touch {0}; exit 1; }}", marker.display()),
    );
    let steps = [flaky.as_str(), ends.as_str()];
    let again = test("failure_retry: 3", "smoke", &steps);
    let twice = test("repeat: 2", "twice", &["lava-test-case each --result pass"]);
    let run = bench.start_text(&job(&bench, &[BOOT, &again, &twice].concat())).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_smoke/flaky pass", "1_twice/each pass", "1_twice/each pass"]);
    let attempts = &run.results()["nodes"][0]["attempts"];
    assert_eq!(attempts.as_array().map(Vec::len), Some(1), "{attempts}");
    assert_eq!(attempts[0]["tests"][0]["result"], "fail");
    let exported = run.file("lava/board/results.yaml");
    assert_eq!(exported.matches("\"flaky\"").count(), 2, "name and case of one record: {exported}");
    let junit = run.file("junit.xml");
    assert_eq!(junit.matches("name=\"each\"").count(), 2, "{junit}");
}

#[test]
fn a_second_console_is_a_connection_of_its_own() {
    let bench = bench().board_line(&format!("consoles = {{ second = {} }}", shell("second", "true")));
    let case = |name: &str| format!("lava-test-case who --shell 'test \"$WHO\" = {name}'");
    let actions = [
        "- boot: {method: minimal, namespace: one, prompts: ['root@first:']}\n",
        "- boot: {method: new_connection, namespace: two, connection: second, prompts: ['root@second:']}\n",
        &test("namespace: two", "two", &[&case("second")]),
        &test("namespace: one", "one", &[&case("first")]),
        &test(
            "{namespace: one, connection-namespace: two}".trim_matches(['{', '}']),
            "lent",
            &[&case("second")],
        )
        .replace(
            "namespace: one, connection-namespace: two",
            "namespace: one\n    connection-namespace: two",
        ),
    ];
    let run = bench.start_text(&job(&bench, &actions.concat())).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_two/who pass", "1_one/who pass", "2_lent/who pass"]);
}

#[test]
fn a_connection_takes_the_place_of_the_one_that_its_namespace_had() {
    let bench = bench().board_line(&format!("consoles = {{ second = {} }}", shell("second", "true")));
    let second = "- boot: {method: new_connection, connection: second, prompts: ['root@second:']}\n";
    let case = |name: &str| format!("lava-test-case who --shell 'test \"$WHO\" = {name}'");
    let actions =
        [BOOT, second, &test("", "two", &[&case("second")]), BOOT, &test("", "one", &[&case("first")])];
    let run = bench.start_text(&job(&bench, &actions.concat())).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_two/who pass", "1_one/who pass"]);
}

/// A board that speaks by itself, once it is switched on.
fn talking() -> Testbench {
    let bench = Testbench::new();
    let log = bench.path().join("power.log").display().to_string();
    let speaks = format!(
        "until test -s {log}; do sleep 0.1; done; echo noise; echo BEGIN; echo 'alpha: OK'; echo 'beta: BAD'; echo END"
    );
    bench.console(&shell("first", &speaks))
}

#[test]
fn results_that_a_board_prints_by_itself_are_listened_for() {
    let bench = talking();
    let actions = "\
- boot: {method: minimal}
- test:
    monitors:
    - name: selftest
      start: BEGIN
      end: END
      pattern: '(?P<test_case_id>\\w+): (?P<result>OK|BAD)'
      fixupdict: {OK: pass, BAD: fail}
      expected: [alpha, gamma]
";
    let run = bench.start_text(&job(&bench, actions)).finish();
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(
        tests(&run),
        ["0_selftest/alpha pass", "0_selftest/beta fail", "0_selftest/gamma fail"],
        "what is expected and not there has failed"
    );
}

#[test]
fn a_monitor_whose_end_never_comes_says_what_it_waited_for_and_what_came_last() {
    let bench = talking();
    let actions = "\
- boot: {method: minimal}
- test:
    timeout: {seconds: 3}
    monitors:
    - {name: selftest, start: BEGIN, end: NEVER, pattern: '(?P<test_case_id>\\w+): (?P<result>OK|BAD)', fixupdict: {OK: pass, BAD: fail}}
";
    let run = bench.start_text(&job(&bench, actions)).finish();
    let fault = run.results()["fault"].to_string();
    assert!(fault.contains("NEVER") && fault.contains("3 s"), "{fault}\n{run}");
    assert_eq!(tests(&run), ["0_selftest/alpha pass", "0_selftest/beta fail"], "results so far are kept");
}
