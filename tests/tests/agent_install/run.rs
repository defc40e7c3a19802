//! Runs on a board whose root filesystem the runner cannot write into: the agent that is installed there is used.

use testbench::harness::{Definition, Finished, Job, Testbench};

use crate::fixture::Fixture;

fn bench(fixture: &Fixture) -> Testbench {
    let bench = Testbench::new().board_option(&["--own-rootfs", &fixture.root().display().to_string()]);
    bench.artifact("initrd", b"a RAM disk");
    bench
}

fn job() -> Job {
    let definition = |name: &str| Definition::new(name, &[&format!("lava-test-case {name} --result pass")]);
    Job::new()
        .ramdisk(&["url: https://artifacts.example.org/initrd"])
        .definitions(&[definition("first"), definition("second")])
        .then(&[definition("third")])
}

fn notes(run: &Finished) -> Vec<String> {
    run.events().iter().filter_map(|event| event["text"].as_str().map(str::to_owned)).collect()
}

#[test]
fn the_installed_agent_runs_the_tests() {
    let fixture = Fixture::new();
    fixture.install(&["root"]).assert(0, &[]);
    let run = bench(&fixture).run(&job());
    assert_eq!(run.code, Some(0), "{run}");
    let results = run.results();
    let tests = results["nodes"][0]["tests"].as_array().expect("a list");
    let cases: Vec<_> = tests.iter().filter_map(|test| test["case"].as_str()).collect();
    assert_eq!(cases, ["first", "second", "third"], "{run}");
    // Typed behind the last test action, and done: the fake board would say if there were no such directory.
    let console = run.file("console/board.log");
    let cleared = console.lines().filter(|line| line.contains("# rm -rf /lava-")).count();
    assert_eq!(cleared, 1, "{console}");
    let used = "is up, installed on the board";
    assert_eq!(notes(&run).iter().filter(|note| note.ends_with(used)).count(), 2, "{run}");
}

#[test]
fn where_the_root_filesystem_is_served_the_runs_own_agent_is_used() {
    let run = Testbench::new().run(&Job::new());
    assert_eq!(run.code, Some(0), "{run}");
    assert!(
        notes(&run).iter().any(|note| note.ends_with("is up, put into the root filesystem by this run")),
        "{run}"
    );
}
