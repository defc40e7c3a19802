//! One run of the built program on a virtual board, in a home of its own: bench, cache, state and temporary files.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testbench::harness::{OrdinaryUser, Tun, host_runner};

use crate::traces::Traces;

/// Long enough for a loaded machine to boot a virtual board and make thousands of files there; no test waits it out.
const PATIENCE: Duration = Duration::from_secs(700);

/// How often conditions of other processes are looked at: they tell nobody when they change.
const INTERVAL: Duration = Duration::from_millis(10);

/// Environment variable that marks every process of a home.
const MARK: &str = "HOST_RUNNER_TEST_HOME";

/// Where everything of one test lies.
pub(crate) struct Home {
    directory: TempDir,
    before: Traces,
    /// Who runs the program, if not the user of the tests.
    user: Option<OrdinaryUser>,
}

/// What the home's bench takes from the lab.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Artifacts {
    /// A file that no U-Boot takes for a kernel: for jobs that end before Linux.
    NoKernel,
    /// Kernel and root filesystem of the lab, from its cache.
    Linux,
}

/// A program that runs a job.
pub(crate) struct Run<'a> {
    home: &'a Home,
    child: Child,
    name: &'static str,
    started: Instant,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// What it wrote to standard error.
    pub(crate) stderr: String,
    /// Its `results.json`, `Null` if there is none.
    pub(crate) results: Value,
    /// Its `run.jsonl`.
    events: PathBuf,
    /// Time from the last signal, or the start, to the end.
    pub(crate) took: Duration,
}

impl Home {
    /// A home with a bench of one virtual board, `vb1`.
    pub(crate) fn new(artifacts: Artifacts) -> Self {
        let lab = lab();
        assert_tun_is_usable();
        let directory = TempDir::with_prefix_in("home-", env!("CARGO_TARGET_TMPDIR")).unwrap();
        let cache = match artifacts {
            Artifacts::NoKernel => directory.path().join("cache"),
            Artifacts::Linux => lab.join("cache"),
        };
        Self::furnish(directory, artifacts, &lab, &target(), &cache, None)
    }

    /// The same for an ordinary user, with a cache of their own and `tun` at `/dev/net/tun`.
    ///
    /// `change` adds what the test changes of the system.
    pub(crate) fn of_ordinary_user(
        artifacts: Artifacts,
        tun: Tun,
        change: impl FnOnce(OrdinaryUser) -> OrdinaryUser,
    ) -> Self {
        let lab = lab();
        if tun == Tun::Usable && !OrdinaryUser::is_another() {
            assert_tun_is_usable();
        }
        // Cargo's directory may be where others cannot go.
        let directory = TempDir::with_prefix("home-").unwrap();
        let path = directory.path();
        let (lab_there, target_there) = (path.join("lab"), path.join("target"));
        for mount_point in [&lab_there, &target_there] {
            fs::create_dir(mount_point).unwrap();
        }
        let user = OrdinaryUser::new()
            .with_directory(&lab.canonicalize().unwrap(), &lab_there)
            .with_directory(&target(), &target_there)
            .with_tun(tun);
        let user = change(user);
        let cache = path.join("cache");
        let home = Self::furnish(directory, artifacts, &lab_there, &target_there, &cache, Some(user.clone()));
        user.own(home.path());
        home
    }

    /// Writes the bench: `lab` and `target` are the paths at which the program finds the lab and Cargo's directory.
    fn furnish(
        directory: TempDir,
        artifacts: Artifacts,
        lab: &Path,
        target: &Path,
        cache: &Path,
        user: Option<OrdinaryUser>,
    ) -> Self {
        let path = directory.path();
        for name in ["state", "tmp", "artifacts"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        fs::write(path.join("artifacts/zImage"), "not a kernel").unwrap();
        let artifacts = match artifacts {
            Artifacts::NoKernel => path.join("artifacts"),
            Artifacts::Linux => lab.join("artifacts"),
        };
        let bench = format!(
            "[agent]\ndirectory = '{agents}'\n[cache]\ndirectory = '{cache}'\n\
             [[mirror]]\nfrom = 'https://lab.example.org/'\nto = '{artifacts}/'\n{board}",
            agents = target.join("agent").display(),
            cache = cache.display(),
            artifacts = artifacts.display(),
            board = virtual_board("vb1", 2, lab),
        );
        fs::write(path.join("bench.toml"), bench).unwrap();
        let before = Traces::of(&marker(path), cache, &[path.join("state"), path.join("tmp")]);
        Self { directory, before, user }
    }

    /// Adds a board `vb2`, to whose agent the link is over TCP, and lets each board write `budget_mb` MiB into its root filesystem.
    pub(crate) fn with_two_boards(self, budget_mb: u32) -> Self {
        let board = virtual_board("vb2", 3, &lab());
        let board = board.replace("console = 'qemu'\n", "console = 'qemu'\nagent_link = 'tcp'\n");
        self.with_lines(&format!("{board}[rootfs]\nbudget_mb = {budget_mb}\n"))
    }

    /// Adds lines to the bench file.
    pub(crate) fn with_lines(self, toml: &str) -> Self {
        let mut bench = OpenOptions::new().append(true).open(self.path().join("bench.toml")).unwrap();
        bench.write_all(toml.as_bytes()).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Starts the program on `job`; its results go into the directory `name`.
    pub(crate) fn run(&self, name: &'static str, job: &str) -> Run<'_> {
        self.run_with(name, job, &[])
    }

    /// The same with further arguments.
    pub(crate) fn run_with(&self, name: &'static str, job: &str, arguments: &[&str]) -> Run<'_> {
        let path = self.path();
        let job_file = path.join(format!("{name}.yaml"));
        fs::write(&job_file, job).unwrap();
        let log = |kind: &str| fs::File::create(path.join(format!("{name}.{kind}"))).unwrap();
        let mut command = match &self.user {
            None => {
                let mut command = Command::new(host_runner());
                command.env("XDG_RUNTIME_DIR", path.join("state"));
                command
            }
            Some(user) => {
                let program = path.join("target").join(host_runner().strip_prefix(target()).unwrap());
                let mut command = user.command(&program);
                // As in a shell of `su` or a job of cron, which have no session.
                for variable in ["XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
                    command.env_remove(variable);
                }
                command
            }
        };
        let child = command
            .arg("run")
            .arg(job_file)
            .arg("--bench")
            .arg(path.join("bench.toml"))
            .arg("--out")
            .arg(path.join(name))
            .args(arguments)
            .env(MARK, path)
            .env("HOME", path)
            .env("TMPDIR", path.join("tmp"))
            .stdin(Stdio::null())
            .stdout(log("out"))
            .stderr(log("err"))
            .spawn()
            .unwrap();
        Run { home: self, child, name, started: Instant::now() }
    }

    /// A program in this home, as the user of the tests.
    pub(crate) fn command(&self, program: &str) -> Command {
        let path = self.path();
        let mut command = Command::new(program);
        command.env(MARK, path).env("HOME", path).env("TMPDIR", path.join("tmp"));
        command.env("XDG_RUNTIME_DIR", path.join("state")).stdin(Stdio::null());
        command
    }

    /// What there is now.
    pub(crate) fn traces(&self) -> Traces {
        self.before.again()
    }

    /// Asserts that nothing of any run is left, except results and what belongs into the cache.
    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(self.traces(), self.before);
    }

    /// Asserts that all processes of a run that was killed end, and with them its network.
    pub(crate) fn assert_no_process_left(&self) {
        let started = Instant::now();
        // They notice by themselves, in their own time.
        while self.traces().processes != self.before.processes {
            assert!(started.elapsed() < PATIENCE, "{:#?}", self.traces());
            std::thread::sleep(INTERVAL);
        }
        assert_eq!(self.traces().namespaces, self.before.namespaces);
    }
}

impl Run<'_> {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the run has not ended; waits a moment, and fails after too long a time.
    pub(crate) fn is_going_on(&mut self) -> bool {
        assert!(self.started.elapsed() < PATIENCE, "the run does not end:\n{}", self.log());
        std::thread::sleep(INTERVAL);
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until the virtual board's emulator runs.
    pub(crate) fn wait_for_board(&mut self) {
        self.wait_until("the emulator to run", |home| {
            home.traces().processes.iter().any(|process| process.contains("qemu-system-arm -no-user-config"))
        });
    }

    /// Waits until an event holds `text` in its JSON.
    pub(crate) fn wait_for_event(&mut self, text: &str) {
        let path = self.home.path().join(self.name).join("run.jsonl");
        self.wait_until(text, |_| fs::read_to_string(&path).is_ok_and(|events| events.contains(text)));
    }

    /// Waits until `text` was on the board's console.
    pub(crate) fn wait_for_console(&mut self, text: &str) {
        let path = self.home.path().join(self.name).join("run.jsonl");
        self.wait_until(text, |_| {
            let events = fs::read_to_string(&path).unwrap_or_default();
            // The last line may not be whole yet.
            let events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let received = events.filter(|event| event["event"] == "console" && event["direction"] == "rx");
            let console: String =
                received.filter_map(|event| Some(event["text"].as_str()?.to_owned())).collect();
            console.contains(text)
        });
    }

    fn wait_until(&mut self, what: &str, condition: impl Fn(&Home) -> bool) {
        let started = Instant::now();
        while !condition(self.home) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the run ended ({status}) before {what}:\n{}", self.log());
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain for {what}:\n{}", self.log());
            std::thread::sleep(INTERVAL);
        }
    }

    /// Sends the program, and it alone, a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end_by(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.wait()
    }

    /// Waits until the program ends.
    pub(crate) fn wait(mut self) -> Ended {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "the run does not end:\n{}", self.log());
            std::thread::sleep(INTERVAL);
        };
        let out = self.home.path().join(self.name);
        let results = fs::read_to_string(out.join("results.json"))
            .map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
        let stderr = fs::read_to_string(out.with_extension("err")).unwrap();
        let events = out.join("run.jsonl");
        Ended { code: status.code(), stderr, results, events, took: started.elapsed() }
    }

    fn log(&self) -> String {
        let out = self.home.path().join(self.name);
        ["out", "err"].map(|kind| fs::read_to_string(out.with_extension(kind)).unwrap_or_default()).join("\n")
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // A test that failed half-way must not leave a board on; one that has ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The fault that decided the run.
    pub(crate) fn fault(&self, field: &str) -> &str {
        self.results["fault"][field].as_str().unwrap_or_default()
    }

    /// What the steps of definitions wrote.
    pub(crate) fn output(&self) -> String {
        let events = fs::read_to_string(&self.events).unwrap();
        let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let output = events.filter(|event| event["event"] == "output");
        output.map(|event| event["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// `name outcome` of each phase of the first node.
    pub(crate) fn phases(&self) -> Vec<String> {
        let phases = self.results["nodes"][0]["phases"].as_array().cloned().unwrap_or_default();
        let text = |phase: &Value, key: &str| phase[key].as_str().unwrap_or_default().to_owned();
        phases.iter().map(|phase| format!("{} {}", text(phase, "name"), text(phase, "outcome"))).collect()
    }

    /// `case result` of each test of the first node.
    pub(crate) fn tests(&self) -> Vec<String> {
        let tests = self.results["nodes"][0]["tests"].as_array().cloned().unwrap_or_default();
        let text = |test: &Value, key: &str| test[key].as_str().unwrap_or_default().to_owned();
        tests.iter().map(|test| format!("{} {}", text(test, "case"), text(test, "result"))).collect()
    }
}

/// The table of a board in the bench file; its address ends with `host`.
fn virtual_board(name: &str, host: u8, lab: &Path) -> String {
    format!(
        "[boards.{name}]\ntype = 'qemu-virt-arm'\nconsole = 'qemu'\naddress = '10.77.0.{host}'\n\
         [boards.{name}.qemu]\ninitrd = '{}/initrd.img'\nfirmware = '{FIRMWARE}'\nmemory_mb = 512\n",
        lab.display()
    )
}

pub(crate) const FIRMWARE: &str = "/usr/lib/u-boot/qemu_arm/u-boot.bin";

fn marker(home: &Path) -> String {
    format!("{MARK}={}", home.display())
}

/// Cargo's target directory: the test lies in its `debug/deps`.
fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// The lab's directory, after a look at everything that virtual boards need.
pub(crate) fn lab() -> PathBuf {
    let lab = target().join("lab");
    assert!(lab.join("bench.toml").exists(), "{} is not prepared: run `cargo xtask lab`", lab.display());
    assert!(Path::new(FIRMWARE).exists(), "{FIRMWARE} is missing: run `cargo xtask lab`");
    lab
}

pub(crate) fn assert_tun_is_usable() {
    let tun = OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    if let Err(error) = tun {
        panic!("/dev/net/tun: {error}: run `modprobe tun`, and as root or after `chmod 0666 /dev/net/tun`");
    }
}
