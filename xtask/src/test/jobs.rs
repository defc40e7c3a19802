//! Real jobs on the virtual board, judged by their exit code and by what they wrote into `results.json`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// The jobs that must pass on four nodes, with the names of their steps.
pub(super) const ALL: [(&str, &str); 2] = [
    ("job: U-Boot host with three SSH guests", "examples/bbb-ssh-guest.yaml"),
    ("job: the same as first written for LAVA", "tests/fixtures/jobs/seed.yaml"),
];

/// Nodes of each of the jobs: one host and three guests.
const NODES: usize = 4;

/// Runs `job` on the lab's bench.
///
/// # Errors
/// When the runner fails, or its results do not say that all nodes passed.
pub(super) fn run(workspace: &Workspace, job: &str) -> Result<(), Error> {
    let name = Path::new(job).file_stem().unwrap_or_default();
    let out = workspace.target.join("test-runs").join(name);
    if out.exists() {
        fs::remove_dir_all(&out).map_err(Error::file("cannot remove", &out))?;
    }
    let mut runner = Command::new(workspace.target.join("debug/host-runner"));
    runner
        .arg("run")
        .arg(workspace.root.join(job))
        .arg("--bench")
        .arg(workspace.bench())
        .arg("--out")
        .arg(&out);
    process::show(&mut runner)?;
    let file = out.join("results.json");
    let text = fs::read_to_string(&file).map_err(Error::file("cannot read", &file))?;
    judge(&text).map_err(|problem| Error::Job { job: job.to_owned(), problem })
}

/// Whether results say that the job and every one of its nodes passed, and that nodes ran tests at all.
fn judge(results: &str) -> Result<(), String> {
    let results: Value = serde_json::from_str(results).map_err(|error| format!("results.json: {error}"))?;
    let outcome =
        |value: &Value| value.get("outcome").and_then(Value::as_str).unwrap_or("missing").to_owned();
    let list =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    if outcome(&results) != "pass" {
        return Err(format!("outcome is {}", outcome(&results)));
    }
    let nodes = list(&results, "nodes");
    if nodes.len() != NODES {
        return Err(format!("{} nodes have results; {NODES} took part", nodes.len()));
    }
    for node in &nodes {
        let name = node.get("name").and_then(Value::as_str).unwrap_or("a node without a name");
        if outcome(node) != "pass" {
            return Err(format!("outcome of {name} is {}", outcome(node)));
        }
        if list(node, "tests").is_empty() {
            return Err(format!("{name} has no test results"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(outcome: &str, last_node: &str, tests: &str) -> String {
        let node = |outcome: &str| format!(r#"{{"name":"n","outcome":"{outcome}","tests":[{tests}]}}"#);
        let nodes = [node("pass"), node("pass"), node("pass"), node(last_node)].join(",");
        format!(r#"{{"job":"j","outcome":"{outcome}","nodes":[{nodes}]}}"#)
    }

    #[test]
    fn a_job_passes_only_if_it_and_all_four_nodes_with_their_tests_did() {
        assert_eq!(judge(&results("pass", "pass", "{}")), Ok(()));
        assert_eq!(judge(&results("fail", "pass", "{}")), Err("outcome is fail".to_owned()));
        assert_eq!(judge(&results("pass", "fail", "{}")), Err("outcome of n is fail".to_owned()));
        assert_eq!(judge(&results("pass", "pass", "")), Err("n has no test results".to_owned()));
        let short = r#"{"outcome":"pass","nodes":[]}"#;
        assert_eq!(judge(short), Err("0 nodes have results; 4 took part".to_owned()));
    }

    #[test]
    fn results_that_are_no_results_are_a_failure() {
        assert!(judge("").unwrap_err().starts_with("results.json: "));
        assert_eq!(judge("{}"), Err("outcome is missing".to_owned()));
    }
}
