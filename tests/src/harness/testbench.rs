//! A bench with one fake board.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::Parser as _;
use tempfile::TempDir;

use super::address::Addresses;
use super::artifacts;
use super::finished::Finished;
use super::job::Job;
use super::programs;
use super::running::Running;
use super::terminal::OnTerminal;
use crate::fake_board::Options;

/// What the URLs of the bench's artifacts begin with; a mirror leads them to the directory `artifacts`.
pub const ARTIFACTS_URL: &str = "https://artifacts.example.org/";

/// The name of the bench's board.
pub const BOARD: &str = "fake1";

/// The name of the one node of a one-board job.
pub const NODE: &str = "board";

/// The type of real boards that the fake one plays, with this PC's agent.
const BOARD_TYPE: &str = include_str!("../../../boards/beaglebone-black.toml");

/// A bench in a directory of its own, with a fake board on its console command.
///
/// Files are written when a run starts, so that a test can change the bench until then.
#[derive(Debug)]
pub struct Testbench {
    directory: Arc<TempDir>,
    addresses: Addresses,
    options: Vec<String>,
    console: Option<String>,
    mirrors: Vec<(String, String)>,
    board_lines: Vec<String>,
    bench_text: Option<String>,
    environment: Vec<(String, String)>,
}

impl Default for Testbench {
    fn default() -> Self {
        Self::new()
    }
}

impl Testbench {
    /// Makes the directory with artifacts: `zImage`, `board.dtb`, `rootfs.tar`.
    ///
    /// # Panics
    /// When the temporary directory is not writable, or programs are missing.
    pub fn new() -> Self {
        // Short, for it begins the path of the agent's socket.
        let directory = tempfile::Builder::new().prefix("bench-").tempdir().expect("a temporary directory");
        let bench = Self {
            directory: Arc::new(directory),
            addresses: Addresses::claim(),
            options: Vec::new(),
            console: None,
            mirrors: vec![(ARTIFACTS_URL.to_owned(), "artifacts/".to_owned())],
            board_lines: Vec::new(),
            bench_text: None,
            environment: Vec::new(),
        };
        for name in ["agent/x86_64", "artifacts", "tmp", "home", "keys"] {
            fs::create_dir_all(bench.path().join(name)).expect("an own directory");
        }
        symlink(programs::agent(), bench.path().join("agent/x86_64/lava-agent")).expect("an own directory");
        let keys = artifacts::host_key(&bench.path().join("keys"));
        bench.artifact("zImage", &artifacts::zimage());
        bench.artifact("board.dtb", &artifacts::device_tree());
        bench.artifact("rootfs.tar", &artifacts::rootfs_tar(&keys));
        bench.write("board-type.toml", BOARD_TYPE.replace("arch = \"armv7\"", "arch = \"x86_64\""));
        bench
    }

    /// The bench's directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The addresses of server and board.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Gives the fake board an option of `fake-board --help`.
    #[must_use]
    pub fn board_option(mut self, words: &[&str]) -> Self {
        self.options.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    /// Gives the fake board a fault of `fake-board --help`.
    #[must_use]
    pub fn fault(self, name: &str) -> Self {
        self.board_option(&["--fault", name])
    }

    /// Replaces the value of `console`, a TOML string or list; the fake board is then no longer started by the runner.
    #[must_use]
    pub fn console(mut self, toml: &str) -> Self {
        self.console = Some(toml.to_owned());
        self
    }

    /// Adds a mirror rule.
    #[must_use]
    pub fn mirror(mut self, from: &str, to: &str) -> Self {
        self.mirrors.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Adds a line to the board's table, before its power commands.
    #[must_use]
    pub fn board_line(mut self, toml: &str) -> Self {
        self.board_lines.push(toml.to_owned());
        self
    }

    /// Replaces the whole bench file.
    #[must_use]
    pub fn bench_text(mut self, toml: &str) -> Self {
        self.bench_text = Some(toml.to_owned());
        self
    }

    /// Sets an environment variable of the runner, and so of console and power commands.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts an artifact where [`ARTIFACTS_URL`] leads.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn artifact(&self, name: &str, content: &[u8]) {
        self.write(&format!("artifacts/{name}"), content);
    }

    /// Writes a file of the bench's directory.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("an own directory");
        path
    }

    /// The bench file.
    pub fn to_toml(&self) -> String {
        if let Some(text) = &self.bench_text {
            return text.clone();
        }
        let mirrors: String = self
            .mirrors
            .iter()
            .map(|(from, to)| format!("[[mirror]]\nfrom = {from:?}\nto = {to:?}\n"))
            .collect();
        let console = self.console.clone().unwrap_or_else(|| self.console_command());
        let log = self.path().join("power.log");
        let power = |what: &str| format!("[\"sh\", \"-c\", \"echo {what} >> {}\"]", log.display());
        format!(
            "\
[network]
address = \"{server}\"
[agent]
directory = \"agent\"
[cache]
directory = \"cache\"
{mirrors}[boards.{BOARD}]
type = \"board-type.toml\"
device_types = [\"fake-board\"]
console = {console}
address = \"{board}\"
{lines}
[boards.{BOARD}.power]
on = {on}
off = {off}
reset = {reset}
",
            server = self.addresses.server,
            board = self.addresses.board,
            lines = self.board_lines.join("\n"),
            on = power("on"),
            off = power("off"),
            reset = power("reset"),
        )
    }

    /// The fake board as a console command, as TOML.
    fn console_command(&self) -> String {
        let program = programs::fake_board().display().to_string();
        let words = [&[program][..], &self.fake_board_options()].concat();
        format!("{words:?}")
    }

    /// The fake board's options, as words of its command line.
    pub fn fake_board_options(&self) -> Vec<String> {
        let address = ["--address".to_owned(), self.addresses.board.to_string()];
        // Whatever ends the board, its files go with the bench.
        let directory = ["--directory".to_owned(), self.path().join("tmp").display().to_string()];
        [&address[..], &directory, &self.options].concat()
    }

    /// The fake board's options, to play it in this process.
    pub fn options(&self) -> Options {
        Options::parse_from(std::iter::once("fake-board".to_owned()).chain(self.fake_board_options()))
    }

    /// The fake board as a program to start beside the runner, with its options and more `arguments`.
    pub fn fake_board(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs::fake_board());
        command.args(self.fake_board_options()).args(arguments);
        command
    }

    /// The runner with `arguments`, in the bench's directory and with nothing of this environment but `PATH`.
    pub fn host_runner(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs::host_runner());
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path().join("home"))
            .env("TMPDIR", self.path().join("tmp"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the runner with any arguments.
    pub fn start_with(&self, arguments: &[&str]) -> Running {
        Running::start(self.host_runner(arguments), Arc::clone(&self.directory))
    }

    /// Starts the runner with any arguments on a terminal of `rows` and `columns`.
    pub fn start_on_terminal(&self, arguments: &[&str], rows: u16, columns: u16) -> OnTerminal {
        OnTerminal::start(&self.host_runner(arguments), rows, columns, Arc::clone(&self.directory))
    }

    /// Starts a shell's script on a terminal of `rows` and `columns`; `$HOST_RUNNER` is the runner.
    pub fn start_script_on_terminal(&self, script: &str, rows: u16, columns: u16) -> OnTerminal {
        let runner = self.host_runner(&[]);
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(self.path()).env_clear();
        command.envs(runner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("HOST_RUNNER", programs::host_runner());
        OnTerminal::start(&command, rows, columns, Arc::clone(&self.directory))
    }

    /// Starts `program`, such as a link to the runner, as [`host_runner`](Self::host_runner) has it, with an open file as
    /// standard input.
    pub fn start_as(&self, program: &Path, arguments: &[&str], input: impl Into<Stdio>) -> Running {
        let runner = self.host_runner(&[]);
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path()).env_clear().stdin(input);
        command.envs(runner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Running::start_with_input(command, Arc::clone(&self.directory))
    }

    /// Starts the runner with any arguments and an open file, such as a terminal, as standard input.
    pub fn start_with_input(&self, arguments: &[&str], input: impl Into<Stdio>) -> Running {
        let mut command = self.host_runner(arguments);
        command.stdin(input);
        Running::start_with_input(command, Arc::clone(&self.directory))
    }

    /// Writes bench and job, and starts the run.
    pub fn start(&self, job: &Job) -> Running {
        self.start_text(&job.to_yaml())
    }

    /// Starts the run of [`Job::staying`], whose case is reported when this returns.
    pub fn start_staying(&self) -> Running {
        let run = self.start(&Job::staying());
        run.wait_for("pass    there");
        run
    }

    /// Writes the bench and a job file of any text, and starts the run.
    pub fn start_text(&self, job: &str) -> Running {
        self.write("bench.toml", self.to_toml());
        self.write("job.yaml", job);
        self.start_with(&["run", "job.yaml", "--out", "out"])
    }

    /// Runs a job to its end.
    pub fn run(&self, job: &Job) -> Finished {
        self.start(job).finish()
    }

    /// How the run whose results go to `out` is called to whoever wants what it has; the job's name follows.
    pub fn run_of(&self, out: &str) -> String {
        format!("run {} of job", self.path().join(out).display())
    }

    /// Prints a stored run.
    pub fn replay(&self) -> Finished {
        self.start_with(&["replay", "out"]).finish()
    }

    /// Prints a stored run and writes its reports again; the files that differ from those of the run, or are in one of the
    /// two directories only.
    ///
    /// # Panics
    /// When the replay fails, or a directory cannot be read.
    pub fn differing_files_of_a_replay(&self) -> Vec<PathBuf> {
        let replay = self.start_with(&["replay", "out", "--out", "again"]).finish();
        assert_eq!(replay.code, Some(0), "{replay}");
        let (run, again) = (contents(&self.path().join("out")), contents(&self.path().join("again")));
        let names: BTreeSet<_> = run.keys().chain(again.keys()).cloned().collect();
        names.into_iter().filter(|name| run.get(name) != again.get(name)).collect()
    }
}

/// All files below a directory, by their names in it.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).expect("a directory of results can be read") {
            let path = entry.expect("a directory of results can be read").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("it is below").to_owned();
                found.insert(name, fs::read(&path).expect("a file of results can be read"));
            }
        }
    }
    found
}
