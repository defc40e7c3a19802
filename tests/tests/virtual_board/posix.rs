//! What POSIX promises of files, asked of the board's kernel over NFS, case by case (`fixtures/posix`).

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::jobs;
use crate::lab::{Artifacts, Home};

/// Cases that there are at least.
const CASES: usize = 250;

#[test]
fn every_posix_case_passes_over_nfs() {
    let home = Home::new(Artifacts::Linux);
    let programs = programs();
    let mut steps: Vec<Value> = vec![json!("mkdir /root/cases")];
    steps.extend(programs.iter().map(|(name, text)| {
        assert!(!text.contains("END-OF-PROGRAM"), "{name}");
        json!(format!("cat >/root/cases/{name} <<'END-OF-PROGRAM'\n{text}END-OF-PROGRAM"))
    }));
    steps.push(json!("python3 -B /root/cases/main.py"));
    let job = jobs::on_linux(&Value::from(steps).to_string());
    let job = format!("{job}        parse: {{pattern: '^posix (?P<test_case_id>\\S+) (?P<result>\\S+)'}}\n");
    let ended = home.run("run", &job).wait();
    let lines: Vec<String> = ended.output().lines().map(str::to_owned).collect();
    let failed: Vec<&String> = lines.iter().filter(|line| line.contains(" fail ")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let results = ended.tests();
    let failed: Vec<&String> = results.iter().filter(|result| !result.ends_with(" pass")).collect();
    assert!(failed.is_empty() && ended.code == Some(0), "{failed:#?}\n{ended:?}");
    let cases: usize = programs.iter().map(|(_, text)| text.matches("\n@case\n").count()).sum();
    assert_eq!(results.len(), cases);
    assert!(cases >= CASES, "{cases} cases");
    home.assert_nothing_left();
}

/// The files of the program, with their texts.
fn programs() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/posix");
    let files = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let programs = files.filter(|path| path.extension().is_some_and(|extension| extension == "py"));
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    programs.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}
