//! `host-runner doctor`: each planted fault is found, and a healthy bench has none.

mod bench;
mod board;
mod consoles;
mod firewall;
mod ordinary_user;
mod power;

use std::process::Command;

use serde_json::Value;
use testbench::harness::{BOARD, Finished, Testbench, on_outlet};

/// What `doctor` has found.
struct Found {
    findings: Vec<Value>,
    code: Option<i32>,
    all: String,
}

impl Found {
    fn of(finished: &Finished) -> Self {
        Self::new(&finished.stdout, finished.code, finished.to_string())
    }

    fn new(stdout: &str, code: Option<i32>, all: String) -> Self {
        let json =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{all}"));
        Self { findings: stdout.lines().map(json).collect(), code, all }
    }

    /// What is found by a `command` that ends with the program, in the bench's directory and with nothing else of this PC's.
    fn of_command(command: &mut Command, bench: &Testbench) -> Self {
        let output = command
            .args(["doctor", "--json"])
            .current_dir(bench.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", bench.path().join("home"))
            // Not that of an installed package.
            .env("HOST_RUNNER_PORTS_SOCKET", bench.path().join("ports.socket"))
            .output()
            .expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Self::new(&stdout, output.status.code(), format!("{stdout}\n{stderr}"))
    }

    /// Those that are no `ok` and not unknown, each as check, status and class.
    fn bad(&self) -> Vec<(&str, &str, &str)> {
        self.findings
            .iter()
            .filter(|finding| !matches!(finding["status"].as_str(), Some("ok" | "unknown")))
            .map(|finding| {
                let get = |key: &str| finding[key].as_str().unwrap_or_default();
                (get("check"), get("status"), get("class"))
            })
            .collect()
    }

    /// The one finding of `check` that is not ok: message and help say all of `texts`, and the exit code is that of its class.
    fn assert_fault(&self, check: &str, class: &str, texts: &[&str]) {
        assert_eq!(self.bad(), [(check, "fault", class)], "{}", self.all);
        let expected = if class == "bench" { 4 } else { 3 };
        assert_eq!(self.code, Some(expected), "{}", self.all);
        self.assert_says(check, texts);
    }

    fn assert_warning(&self, check: &str, texts: &[&str]) {
        assert_eq!(self.bad(), [(check, "warning", "")], "{}", self.all);
        assert_eq!(self.code, Some(0), "{}", self.all);
        self.assert_says(check, texts);
    }

    fn assert_says(&self, check: &str, texts: &[&str]) {
        let finding = self
            .findings
            .iter()
            .rev()
            .find(|finding| finding["check"] == check && !matches!(finding["status"].as_str(), Some("ok")))
            .unwrap_or_else(|| panic!("no {check}: {}", self.all));
        let said = format!("{}\n{}", finding["message"], finding["help"]);
        for text in texts {
            assert!(said.contains(text), "no {text:?} in {said}");
        }
    }

    /// What is said of `check` where it is as it should be.
    fn ok(&self, check: &str) -> &str {
        let is_ok = |finding: &&Value| finding["check"] == check && finding["status"] == "ok";
        let found = self.findings.iter().find(is_ok);
        found
            .and_then(|finding| finding["message"].as_str())
            .unwrap_or_else(|| panic!("{check}: {}", self.all))
    }
}

/// Runs `doctor --json` with more `arguments`.
fn doctor(bench: &Testbench, arguments: &[&str]) -> Found {
    bench.write("bench.toml", bench.to_toml());
    Found::of(&bench.start_with(&[&["doctor", "--json"], arguments].concat()).finish())
}

/// What is found of a board with this fault.
fn of_board(fault: &str, arguments: &[&str]) -> Found {
    let (bench, outlet) = on_outlet(Testbench::new().fault(fault), |power| power);
    let found = doctor(&bench, &[&[BOARD], arguments].concat());
    assert!(!outlet.is_on().expect("a file"), "the board is left off");
    found
}
