//! LAVA's files, read as LAVA's tools read them.

use std::process::Command;

use serde_json::Value;

use super::{hostile, read, run, written};

/// A file of YAML, by the parser that reads job files.
fn parsed(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The texts of a log that have a level.
fn texts<'a>(log: &'a Value, level: &str) -> Vec<&'a str> {
    let records = log.as_array().unwrap().iter();
    records.filter(|record| record["lvl"] == level).filter_map(|record| record["msg"].as_str()).collect()
}

#[test]
fn a_node_has_the_log_the_result_and_the_results_of_a_job_of_lava() {
    let directory = written(run());
    insta::assert_snapshot!("lava_logs", read(&directory, "lava/host/logs.yaml"));
    insta::assert_snapshot!("lava_results", read(&directory, "lava/host/results.yaml"));
    insta::assert_snapshot!(read(&directory, "lava/guest/result.yaml"), @r#"{"definition": "lava", "case": "job", "result": "fail", "error_msg": "guest, boot-ssh (job.yaml:9:3): cannot connect: Connection refused", "error_type": "Infrastructure"}"#);
}

#[test]
fn every_result_points_at_its_line_of_the_log() {
    let directory = written(run());
    let log = parsed(&read(&directory, "lava/host/logs.yaml"));
    let results = parsed(&read(&directory, "lava/host/results.yaml"));
    let cases = results.as_array().unwrap().iter().filter(|record| record["suite"] == "0_smoke");
    let mut count = 0;
    for case in cases {
        let line: usize = case["log_start_line"].as_str().unwrap().parse().unwrap();
        assert_eq!(log[line]["msg"]["case"], case["name"]);
        assert_eq!(case["metadata"], log[line]["msg"]);
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn any_text_comes_out_of_the_yaml_as_it_went_in() {
    let directory = written(hostile::run());
    let log = parsed(&read(&directory, "lava/host/logs.yaml"));
    assert_eq!(texts(&log, "warning"), [hostile::TEXT]);
    let target = texts(&log, "target").join("\n");
    assert_eq!(
        target,
        "</pre><script>alert(2)</script>\n::error::no error\n]]>& \u{2028} red é😀\nnot UTF-8: \u{fffd}"
    );
    let results = parsed(&read(&directory, "lava/host/results.yaml"));
    let names: Vec<_> =
        results.as_array().unwrap().iter().map(|record| record["name"].as_str().unwrap()).collect();
    assert_eq!(names, [hostile::NAME, "plain", "no verdict", hostile::NAME, "job"]);
    assert_eq!(results[0]["metadata"]["comment"], hostile::TEXT);
    assert_eq!(results[0]["metadata"]["measurement"], 1e300);
}

/// What kernelci's and LAVA's tools do with the files: PyYAML, of which the C parser is the stricter one.
const PYTHON: &str = r#"
import sys
try:
    import yaml
except ImportError:
    sys.exit(77)
directory = sys.argv[1]
for loader in {yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)}:
    load = lambda name: yaml.load(open(f"{directory}/{name}", encoding="utf-8"), Loader=loader)
    for record in load("logs.yaml"):
        when, level, message = (record.get(key) for key in ("dt", "lvl", "msg"))
        assert isinstance(when, str) and isinstance(level, str), record
        assert isinstance(message, dict) == (level == "results"), record
    results = load("results.yaml")
    lava = {record["name"]: record for record in results if record["suite"] == "lava"}
    assert lava["job"]["metadata"]["error_type"] == "Infrastructure", lava
    assert lava["job"]["metadata"]["error_msg"], lava
    measured = [record["metadata"]["measurement"] for record in results if "measurement" in record["metadata"]]
    assert measured == [1e300], measured
    assert load("result.yaml")["result"] == "fail"
"#;

#[test]
fn pyyaml_reads_the_files_where_it_is_installed() {
    let directory = written(hostile::run());
    let path = directory.path().join("lava/host");
    let Ok(output) = Command::new("python3").args(["-c", PYTHON]).arg(path).output() else { return };
    let is_there = output.status.code() != Some(77);
    assert!(!is_there || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
