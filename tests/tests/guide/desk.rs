//! Where the commands of the pages are run.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testbench::harness::{BOARD, Definition, Job, Testbench, host_runner};

use crate::pages::repository;

/// Longer than any command takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The pages' board.
const GUIDES_BOARD: &str = "bbb1";

/// A bench with the pages' board and files, and the program in `PATH`.
pub(crate) struct Desk {
    pub(crate) bench: Testbench,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let bench = Testbench::new();
        let text = bench.to_toml().replace(BOARD, GUIDES_BOARD);
        let bench = bench.bench_text(&text);
        bench.write("bench.toml", bench.to_toml());
        bench.write("job.yaml", job());
        fs::create_dir(bench.path().join("bin")).expect("an own directory");
        symlink(host_runner(), bench.path().join("bin/host-runner")).expect("an own directory");
        Self { bench }
    }

    /// Writes what a page shows as a file: a YAML block that begins with its name.
    pub(crate) fn write_files_of(&self, page: &str) {
        let text = fs::read_to_string(repository().join(page)).expect("a page of the repository");
        for block in text.split("```yaml\n# ").skip(1) {
            let block = block.split("\n```").next().unwrap_or(block);
            if let Some((name, _)) = block.split_once('\n').filter(|(name, _)| !name.contains('/')) {
                self.bench.write(name, format!("# {block}\n"));
            }
        }
    }

    /// A stored run where the pages have one.
    pub(crate) fn store_run(&self) {
        let name = "runs/20260102T030405Z-my-job";
        fs::create_dir(self.bench.path().join("runs")).expect("an own directory");
        let (code, output) = self.run(&format!("host-runner run job.yaml --out {name} --keep-rootfs"));
        assert_eq!(code, Some(0), "{output}");
    }

    fn command(&self, command: &str) -> Command {
        let runner = self.bench.host_runner(&[]);
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.bench.path()).env_clear();
        shell.envs(runner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let path = std::env::var("PATH").expect("a text");
        shell.env("PATH", format!("{}:{path}", self.bench.path().join("bin").display()));
        shell.stdin(Stdio::null());
        shell
    }

    /// Runs a command to its end; its exit code and all that it prints.
    pub(crate) fn run(&self, command: &str) -> (Option<i32>, String) {
        let log = self.bench.path().join("tmp/printed");
        let file = fs::File::create(&log).expect("an own directory");
        let same = file.try_clone().expect("a descriptor");
        let mut child = self.command(command).stdout(file).stderr(same).spawn().expect("sh runs");
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            if started.elapsed() > PATIENCE {
                // Killed, so that the failing test leaves nothing behind.
                let _ = child.kill();
                panic!("`{command}` did not end:\n{}", fs::read_to_string(&log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        (status.code(), fs::read_to_string(&log).expect("it was written"))
    }
}

/// A job that passes on the board.
fn job() -> String {
    Job::new().definitions(&[Definition::new("smoke", &["lava-test-case answers --result pass"])]).to_yaml()
}
