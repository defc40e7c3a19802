//! What jobs can say, from the file to the verdict, on boards that are no more than a real shell, a real sshd, or a fake board.

mod bench_commands;
mod board_settings;
mod cache;
mod connections;
mod definitions;
mod deployed;
mod fetched;
mod late;
mod primary_ssh;
mod repositories;
mod shell_board;
mod sshd;
mod web;

use testbench::harness::Finished;

/// `definition/case result` of every test case of the only node.
fn tests(run: &Finished) -> Vec<String> {
    let results = run.results();
    let tests = results["nodes"][0]["tests"].as_array().expect("a list");
    let text = |test: &serde_json::Value, key: &str| test[key].as_str().unwrap_or_default().to_owned();
    tests
        .iter()
        .map(|test| format!("{}/{} {}", text(test, "definition"), text(test, "case"), text(test, "result")))
        .collect()
}
