//! Runs without faults.

use testbench::harness::{Job, NODE, Testbench};

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
}
