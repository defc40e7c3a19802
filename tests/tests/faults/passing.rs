//! Runs without faults.

use testbench::harness::{Definition, Job, NODE, Testbench};

#[test]
fn a_job_runs_from_power_on_to_its_results_and_is_replayed_word_for_word() {
    let bench = Testbench::new();
    let run = bench.run(&Job::new());
    assert_eq!(run.code, Some(0), "{run}");
    let results = run.results();
    assert_eq!(results["outcome"], "pass");
    assert!(results["fault"].is_null());
    let node = &results["nodes"][0];
    assert_eq!((node["name"].as_str(), node["outcome"].as_str()), (Some(NODE), Some("pass")));
    let tests = node["tests"].as_array().expect("a list");
    assert_eq!(tests.len(), 2, "{tests:?}");
    assert_eq!(tests[0]["case"], "board-answers");
    assert_eq!(tests[1]["measurement"], 42.5);
    assert_eq!(tests[1]["units"], "MB/s");
    assert_eq!(run.power(), ["reset", "off"]);

    let replay = bench.replay();
    assert_eq!(replay.code, Some(0), "{replay}");
    assert_eq!(replay.stdout, run.stdout);
    assert!(bench.differing_files_of_a_replay().is_empty());
}

#[test]
fn the_shell_is_there_again_for_every_further_test_action() {
    let definition = |name: &str| Definition::new(name, &[&format!("lava-test-case {name} --result pass")]);
    let job = Job::new()
        .definitions(&[definition("first")])
        .then(&[definition("second")])
        .then(&[definition("third"), definition("fourth")]);
    let run = Testbench::new().run(&job);
    assert_eq!(run.code, Some(0), "{run}");
    let results = run.results();
    let tests = results["nodes"][0]["tests"].as_array().expect("a list");
    let cases: Vec<_> = tests.iter().filter_map(|test| test["case"].as_str()).collect();
    assert_eq!(cases, ["first", "second", "third", "fourth"], "{run}");
}
