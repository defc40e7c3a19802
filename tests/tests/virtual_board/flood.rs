//! Results while the kernel floods the console that they come over (`fixtures/virtual_board`).

use std::fs;

use regex::Regex;

use crate::lab::{Artifacts, Home};

const JOB: &str = include_str!("../../fixtures/virtual_board/flood.yaml");

/// Results, and lines of the kernel, of the job.
const COUNT: usize = 5_000;

#[test]
fn every_result_arrives_once_and_every_line_whole_while_the_kernel_floods_the_console() {
    let home = Home::new(Artifacts::Linux);
    let ended = home.run("run", JOB).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}\n{}", ended.output());
    let expected: Vec<String> = (1..=COUNT).map(|n| format!("case-{n} pass")).collect();
    let tests = ended.tests();
    assert!(tests == expected, "{} results; the first that is another: {:?}", tests.len(), {
        tests.iter().zip(&expected).find(|(test, expected)| test != expected)
    });
    let node = ended.results["nodes"][0]["name"].as_str().unwrap();
    let log = fs::read_to_string(home.path().join(format!("run/console/{node}.log"))).unwrap();
    let line = Regex::new(r"\[ *\d+\.\d+\] flood line (\d+), which is one of many and ends here\n").unwrap();
    let lines: Vec<usize> = line.captures_iter(&log).map(|line| line[1].parse().unwrap()).collect();
    let broken = (1..=COUNT).zip(&lines).find(|(expected, line)| expected != *line);
    assert!(
        lines.iter().copied().eq(1..=COUNT),
        "{} lines; the first that is another: {broken:?}",
        lines.len()
    );
    home.assert_nothing_left();
}
