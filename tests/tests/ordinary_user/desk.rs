//! A bench in a directory of an ordinary user's own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testbench::harness::{OrdinaryUser, PATIENCE, host_runner};

/// How often conditions of other processes are looked at: they tell nobody when they change.
const INTERVAL: Duration = Duration::from_millis(10);

/// A job that never gets past U-Boot.
const JOB: &str = "job_name: stays in U-Boot
device_type: beaglebone-black
timeouts: {job: {minutes: 5}, action: {minutes: 3}}
actions:
- deploy:
    to: tftp
    kernel: {url: 'https://artifacts.example.org/zImage', type: zimage}
- boot:
    method: u-boot
    commands: ['echo no boot']
    prompts: ['root@debian:']
";

/// A directory with a job and a bench of one board, and who runs the program there.
pub(crate) struct Desk {
    directory: TempDir,
    /// `None` for the user of the tests.
    user: Option<OrdinaryUser>,
    address: Ipv4Addr,
    console: String,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// What it printed, on both ways.
    pub(crate) text: String,
}

impl Desk {
    /// The desk of `user`, whose board's console is a program that says nothing.
    pub(crate) fn new(user: Option<OrdinaryUser>) -> Self {
        let directory = TempDir::with_prefix("desk-").unwrap();
        for name in ["home", "tmp", "artifacts", "target"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::write(directory.path().join("artifacts/zImage"), "not a kernel").unwrap();
        let user = user.map(|user| user.with_directory(&target(), &directory.path().join("target")));
        Self { directory, user, address: Ipv4Addr::LOCALHOST, console: "[\"cat\"]".to_owned() }
    }

    /// Serves at `address`.
    pub(crate) fn at(self, address: Ipv4Addr) -> Self {
        Self { address, ..self }
    }

    /// The board's console is the serial port at `path`.
    pub(crate) fn serial(self, path: &Path) -> Self {
        Self { console: format!("{:?}", path.display().to_string()), ..self }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs the job with more `arguments` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.prepare();
        self.run_as_it_is(arguments)
    }

    /// Writes job and bench, and makes everything the user's.
    pub(crate) fn prepare(&self) {
        let bench = format!(
            "[network]\naddress = '{address}'\n[agent]\ndirectory = 'target/agent'\n\
             [cache]\ndirectory = 'cache'\n\
             [[mirror]]\nfrom = 'https://artifacts.example.org/'\nto = 'artifacts/'\n\
             [boards.bbb1]\ntype = 'beaglebone-black'\nconsole = {console}\naddress = '127.0.0.2'\n\
             [boards.bbb1.power]\non = ['true']\noff = ['true']\n",
            address = self.address,
            console = self.console,
        );
        fs::write(self.path().join("bench.toml"), bench).unwrap();
        fs::write(self.path().join("job.yaml"), JOB).unwrap();
        if let Some(user) = &self.user {
            user.own(self.path());
        }
    }

    /// Runs the job in the directory as the test has left it.
    pub(crate) fn run_as_it_is(&self, arguments: &[&str]) -> Ended {
        let Output { status, stdout, stderr } =
            self.command(Some(PATIENCE), arguments).output().expect("the program starts");
        let text = [stdout, stderr].concat();
        Ended { code: status.code(), text: String::from_utf8_lossy(&text).into_owned() }
    }

    /// Starts the job and waits until its run has begun.
    pub(crate) fn start(&self) -> Going {
        self.prepare();
        let log = fs::File::create(self.path().join("log")).unwrap();
        let mut command = self.command(None, &[]);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut going = Going(child);
        let started = Instant::now();
        let log = || fs::read_to_string(self.path().join("log")).unwrap();
        while !fs::read_to_string(self.path().join("out/run.jsonl"))
            .is_ok_and(|events| events.contains("\"phase\":\"boot-u-boot\""))
        {
            assert_eq!(going.0.try_wait().unwrap(), None, "the run ended:\n{}", log());
            assert!(started.elapsed() < PATIENCE, "the run does not begin:\n{}", log());
            std::thread::sleep(INTERVAL);
        }
        going
    }

    /// The program with nothing of this environment but `PATH`, as cron has it.
    fn command(&self, limit: Option<Duration>, arguments: &[&str]) -> Command {
        let program = match self.user {
            Some(_) => self.path().join("target").join(host_runner().strip_prefix(target()).unwrap()),
            None => host_runner().to_owned(),
        };
        let start = |first: &Path| match &self.user {
            Some(user) => user.command(first),
            None => Command::new(first),
        };
        let mut command = match limit {
            Some(limit) => {
                let mut command = start(Path::new("timeout"));
                command.arg("--kill-after=5").arg(limit.as_secs().to_string()).arg(program);
                command
            }
            None => start(&program),
        };
        command
            .args(["run", "job.yaml", "--bench", "bench.toml"])
            .args(if arguments.is_empty() { &["--out", "out"] } else { arguments })
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path().join("home"))
            .env("TMPDIR", self.path().join("tmp"))
            // Not that of an installed package.
            .env("HOST_RUNNER_PORTS_SOCKET", self.path().join("ports.socket"))
            .stdin(Stdio::null());
        command
    }
}

/// A run that goes on; killed when dropped.
pub(crate) struct Going(Child);

impl Going {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    /// Asserts the exit code and that each of `said` was printed.
    #[track_caller]
    pub(crate) fn assert(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.text);
        for text in said {
            assert!(self.text.contains(text), "no {text:?} in:\n{}", self.text);
        }
    }
}

/// Cargo's target directory.
fn target() -> std::path::PathBuf {
    host_runner().ancestors().nth(2).unwrap().to_owned()
}
