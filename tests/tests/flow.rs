//! The four-node job of the fixtures, from file to verdict: a fake board, its U-Boot and NFS root, three SSH guests.

use serde_json::Value;
use testbench::harness::Flow;

/// The cases of the definition that every node runs.
const SMOKE_TESTS: [(&str, &str); 6] = [
    ("linux-posix-pwd", "pass"),
    ("linux-posix-uname", "pass"),
    ("linux-posix-cpu", "pass"),
    ("linux-posix-mounts", "pass"),
    ("linux-posix-absent", "skip"),
    ("memory-total", "pass"),
];

/// A node as the job wants it: its name, role, phases and definitions; the one with cases comes with its number.
struct Expected {
    name: &'static str,
    role: &'static str,
    phases: &'static [&'static str],
    definitions: [&'static str; 2],
    smoke_tests: &'static str,
}

const HOST: Expected = Expected {
    name: "host",
    role: "host",
    phases: &["prepare", "deploy-tftp", "boot-u-boot", "test-0", "power-off"],
    definitions: ["0_ssh-inline", "1_smoke-tests"],
    smoke_tests: "1_smoke-tests",
};

const fn guest(name: &'static str) -> Expected {
    Expected {
        name,
        role: "guest",
        phases: &["prepare", "lava-start", "deploy-ssh", "boot-ssh", "test-0"],
        definitions: ["0_smoke-tests", "1_ssh-client"],
        smoke_tests: "0_smoke-tests",
    }
}

fn words<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().into_iter().flatten().filter_map(|item| item[key].as_str()).collect()
}

fn check(node: &Value, expected: &Expected) {
    let name = expected.name;
    assert_eq!((&node["name"], &node["role"]), (&name.into(), &expected.role.into()));
    assert_eq!(node["outcome"], "pass", "{name}");
    assert_eq!(words(&node["phases"], "name"), expected.phases, "{name}");
    assert_eq!(words(&node["definitions"], "name"), expected.definitions, "{name}");
    assert_eq!(words(&node["definitions"], "outcome"), ["pass"; 2], "{name}");
    let tests = &node["tests"];
    let cases: Vec<_> = words(tests, "case").into_iter().zip(words(tests, "result")).collect();
    assert_eq!(cases, SMOKE_TESTS, "{name}");
    assert_eq!(words(tests, "definition"), [expected.smoke_tests; SMOKE_TESTS.len()], "{name}");
    let memory = &tests[SMOKE_TESTS.len() - 1];
    assert!(memory["measurement"].as_f64().is_some_and(|kib| kib > 0.0), "{memory}");
    assert_eq!(memory["units"], "KiB");
}

#[test]
fn a_board_and_three_guests_pass_with_all_results() {
    let flow = Flow::new();
    let run = flow.run();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(run.power(), ["reset", "off"]);
    assert!(flow.differing_files_of_a_replay().is_empty());
    let results = run.results();
    assert_eq!(results["outcome"], "pass");
    assert!(results["fault"].is_null(), "{run}");
    let nodes = results["nodes"].as_array().expect("a list");
    assert_eq!(nodes.len(), 4);
    for (node, expected) in nodes.iter().zip([HOST, guest("guest-1"), guest("guest-2"), guest("guest-3")]) {
        check(node, &expected);
    }
}
