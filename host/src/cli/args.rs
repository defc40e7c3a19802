//! The arguments, and which subcommand they mean.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, value_parser};

use crate::board::virtual_network;
use crate::cli::help_text;
use crate::cli::reports::View;
use crate::cli::{
    agent, bisect_step, boards, cache, color, completions, console, doctor, explain, import, init, man,
    message, ports, power, replay, rootfs, run, schema, serve, ssh, u_boot_test, validate,
};
use crate::fault::{Class, exit_code};
use crate::ports::take_over;
use crate::report::terminal;

const EXIT_CODES: &str = "\
Exit codes:
  0   pass
  1   test failure
  2   usage or job file
  3   infrastructure: board, network, artifact, boot
  4   bench configuration
  5   cancelled
  70  a bug of host-runner";

const EXAMPLES: &str = "\
Examples:
  host-runner run job.yaml                        bench.toml of this directory, or of ~/.config/host-runner
  host-runner run job.yaml --bench lab/bench.toml --out results
  host-runner boards
  host-runner power bbb1 cycle
  host-runner console bbb1
  host-runner doctor                              is this bench in order?
  host-runner validate job.yaml --bench lab/bench.toml
  host-runner replay runs/20260102T030405Z-my-job
  host-runner replay runs/20260102T030405Z-my-job --out again    all reports of it anew";

const RUN_EXAMPLES: &str = "\
Examples:
  host-runner run job.yaml
  host-runner run job.yaml --show output          also what the tests print
  host-runner run job.yaml --web                  a live page of the run in the browser
  host-runner run job.yaml --quiet                only what failed, and the last word
  host-runner run job.yaml --json | jq -c 'select(.event == \"test-case\") | [.case, .result]'";

const AGENT_EXAMPLES: &str = "\
TARGET is a root filesystem, told by what is in it:
  a directory                a mounted SD card, an unpacked root filesystem
  a tar                      plain, or packed with gzip, bzip2, xz or zstd
  an ext4 file system        an image or a partition; of a whole disk with --partition N
  a RAM disk                 cpio (newc), packed or not, also with U-Boot's header
  ssh:[USER@]HOST            a running board, also ssh://USER@HOST:PORT

Examples:
  sudo host-runner agent install /media/$USER/rootfs
  host-runner agent install rootfs.tar.xz
  host-runner agent install bone-debian-12.img --partition 2
  sudo host-runner agent install /dev/sdb1
  host-runner agent install initrd.uboot
  host-runner agent install ssh:root@beaglebone
  host-runner agent status ssh:root@beaglebone --json
  host-runner agent remove rootfs.tar.xz";

/// Runs LAVA job files on real boards.
///
/// Serves the kernel by TFTP and the root filesystem by NFS itself, drives U-Boot over the serial console, boots, runs the test definitions, coordinates MultiNode roles, opens SSH secondary connections and writes the results.
#[derive(Debug, Parser)]
#[command(
    name = "host-runner",
    version,
    after_help = help_text::set(EXAMPLES),
    after_long_help = help_text::set(&format!("{EXAMPLES}\n\n{EXIT_CODES}"))
)]
struct Cli {
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    color: color::When,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a job on the boards of a bench
    #[command(after_help = help_text::set(&format!("{RUN_EXAMPLES}\n\n{EXIT_CODES}")))]
    Run(RunArgs),
    /// Runs a job, with the exit codes that `git bisect run` wants
    #[command(
        after_help = help_text::set(bisect_step::EXAMPLES),
        mut_arg("out", |out| out.help(bisect_step::help_of_out()))
    )]
    BisectStep(bisect_step::BisectArgs),
    /// Lists the boards of a bench: which are free, who has the others, and what is wrong with a console
    #[command(after_help = help_text::set(boards::EXAMPLES))]
    Boards(boards::BoardsArgs),
    /// Switches the power of a board, or tells whether it is on
    #[command(after_help = help_text::set(power::EXAMPLES))]
    Power(power::PowerArgs),
    /// Shows a board's console and types on it, also while a run has the board
    #[command(after_help = help_text::set(console::EXAMPLES))]
    Console(console::ConsoleArgs),
    /// Logs in to a board over SSH, with what the bench file knows of it
    #[command(after_help = help_text::set(ssh::EXAMPLES))]
    Ssh(ssh::SshArgs),
    /// Checks a bench: ports, addresses, consoles, disks, agents; with names of boards, power, U-Boot and TFTP too
    #[command(after_help = help_text::set(doctor::EXAMPLES))]
    Doctor(doctor::DoctorArgs),
    /// Writes a first bench file: finds the serial adapters, listens to the boards, asks for the rest
    #[command(after_help = help_text::set(init::EXAMPLES))]
    Init(init::InitArgs),
    /// Checks job files, and against a bench if there is one, without touching a board
    #[command(after_help = help_text::set(validate::EXAMPLES))]
    Validate(validate::ValidateArgs),
    /// Tells what a problem of a file means, and how it is mended
    Explain(ExplainArgs),
    /// Prints the JSON Schema of a kind of file, for completion and help in an editor
    #[command(after_help = help_text::set(schema::EXAMPLES))]
    Schema(schema::SchemaArgs),
    /// Prints what the terminal printed during a stored run, writes its reports again, or plays its board
    #[command(after_help = help_text::set(replay::EXAMPLES))]
    Replay(replay::ReplayArgs),
    /// Shows the bench and its runs as web pages that follow what happens, and to programs as JSON
    #[command(after_help = help_text::set(serve::EXAMPLES))]
    Serve(serve::ServeArgs),
    /// Hands ports below 1024 to the runs of users who may not bind them; systemd starts it
    #[command(after_help = help_text::set(ports::EXAMPLES))]
    Ports(ports::PortsArgs),
    /// Looks into, saves, serves again or removes root filesystems that outlive their runs
    #[command(subcommand)]
    Rootfs(rootfs::RootfsCommand),
    /// Lists what was downloaded and unpacked, removes what nobody uses any more, or finds what is damaged
    #[command(subcommand, after_help = help_text::set(cache::EXAMPLES))]
    Cache(cache::CacheCommand),
    /// Puts the agent into a board's own root filesystem for good, looks at it there, removes it
    #[command(subcommand, after_help = help_text::set(AGENT_EXAMPLES))]
    Agent(AgentCommand),
    /// Serves U-Boot's own test suite, test/py, as its hooks: console, flash, reset, release
    #[command(subcommand, after_help = help_text::set(u_boot_test::EXAMPLES))]
    UBootTest(u_boot_test::UBootTestCommand),
    /// Makes a bench file of the configuration that a lab has already: LAVA's or labgrid's
    #[command(subcommand, after_help = help_text::set(import::EXAMPLES))]
    Import(import::ImportCommand),
    /// Prints what a shell offers at the tab key, as a script for that shell
    #[command(after_help = help_text::set(completions::EXAMPLES))]
    Completions(completions::CompletionsArgs),
    /// Writes the manual pages into a directory
    #[command(after_help = help_text::set(man::EXAMPLES))]
    Man(man::ManArgs),
}

/// The command line, with all that help, completions and manual pages tell of it.
pub(super) fn command() -> clap::Command {
    Cli::command()
}

/// `host-runner run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The LAVA job file; `-` is standard input
    pub(super) job: PathBuf,
    #[command(flatten)]
    pub(super) bench: BenchArgs,
    /// Directory for the results; it must not exist yet [default: runs/TIME-JOBNAME, the time in UTC]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Keeps the boards' root filesystems as the job leaves them, for `host-runner rootfs`
    #[arg(long)]
    pub(super) keep_rootfs: bool,
    /// Waits while others have a board, behind those who wait already, for at most MINUTES
    #[arg(
        long,
        value_name = "MINUTES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1440",
        value_parser = minutes()
    )]
    pub(super) wait: Option<Duration>,
    /// Leaves the board of a node that fails on, with all that is served to it, for MINUTES or until Ctrl-C; `host-runner console` attaches to it
    #[arg(
        long,
        value_name = "MINUTES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "60",
        value_parser = minutes()
    )]
    pub(super) keep_on: Option<Duration>,
    /// Shows the run as a web page, at any free port of this PC or at ADDRESS:PORT, and says where
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "127.0.0.1:0",
        value_parser = address_and_port
    )]
    pub(super) web: Option<SocketAddr>,
    /// Prints the events as they come, one JSON object a line as in run.jsonl, and nothing else
    #[arg(long, conflicts_with_all = ["quiet", "show", "verbose"])]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) display: DisplayArgs,
}

/// `host-runner agent`.
#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// Installs the agent, or puts another release in its place
    #[command(after_help = help_text::set(AGENT_EXAMPLES))]
    Install {
        #[command(flatten)]
        target: TargetArgs,
        /// The board's architecture [default: that of the target's own programs]
        #[arg(long, value_name = "ARCH")]
        arch: Option<String>,
        /// Directory with the agents, each as ARCH/lava-agent [default: where `run` finds them]
        #[arg(long, value_name = "DIR")]
        agents: Option<PathBuf>,
    },
    /// Removes the agent, without a trace
    Remove {
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Tells which agent is installed and whether it is whole; exit code 1 if it is not
    Status {
        #[command(flatten)]
        target: TargetArgs,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// In what the agent is installed.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// The root filesystem: a directory, tar, image, partition or RAM disk, or ssh:HOST
    #[arg(value_name = "TARGET")]
    pub(super) target: String,
    /// The partition of a whole disk that has the root filesystem
    #[arg(long, value_name = "N")]
    pub(super) partition: Option<u32>,
    /// Another root filesystem on a board that is reached over SSH: where it is mounted there
    #[arg(long, value_name = "DIR")]
    pub(super) root: Option<String>,
    /// How long one run of a tool may take: of ssh, partx, debugfs or e2undo
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds())]
    pub(super) timeout: Duration,
}

/// Reads minutes, up to a week of them.
fn minutes() -> impl TypedValueParser<Value = Duration> {
    value_parser!(u64).range(1..=10_080).map(|minutes| Duration::from_secs(60 * minutes))
}

/// Reads seconds, up to a day of them.
pub(super) fn seconds() -> impl TypedValueParser<Value = Duration> {
    value_parser!(u64).range(1..=86_400).map(Duration::from_secs)
}

/// Reads where to listen.
pub(super) fn address_and_port(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "it is ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080, with a port up to 65535".to_owned()
    })
}

/// `host-runner explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The code of the problem, such as `unknown-key`; without it, all codes are listed
    pub(super) code: Option<String>,
}

/// Names a bench file where the command line does not.
pub(super) const BENCH_VARIABLE: &str = "HOST_RUNNER_BENCH";

/// Which bench.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// The bench file [default: ./bench.toml, then host-runner/bench.toml in the configuration directory, then in /etc]
    #[arg(long, value_name = "FILE", env = BENCH_VARIABLE)]
    pub(super) bench: Option<PathBuf>,
}

impl BenchArgs {
    /// Whether the bench file is named there, and not by the environment alone.
    pub(super) fn is_on_command_line(&self) -> bool {
        let of_environment = std::env::var_os(BENCH_VARIABLE).map(PathBuf::from);
        self.bench.is_some() && self.bench != of_environment
    }
}

/// What the terminal shows.
#[derive(Debug, Args)]
pub(super) struct DisplayArgs {
    /// Shows streams of the nodes as well, each line with the node's name: `output` is what test definitions print,
    /// `console` what boards say beside it (boot loader, kernel)
    #[arg(long, value_name = "STREAMS", value_delimiter = ',', conflicts_with = "quiet")]
    show: Vec<Shown>,
    /// Shows all streams: as `--show output,console`
    #[arg(short, long, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    /// Prints nothing but what failed, and the last line
    #[arg(short, long)]
    pub(super) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shown {
    Output,
    Console,
}

impl DisplayArgs {
    /// The terminal report's options; there is a live view only where standard output is a terminal.
    pub(super) fn terminal(&self, view: &View<'_>) -> terminal::Options {
        terminal::Options {
            colours: color::on_stdout(),
            output: self.verbose || self.show.contains(&Shown::Output),
            console: self.verbose || self.show.contains(&Shown::Console),
            live: view
                .speed
                .filter(|_| !self.quiet && color::can_draw())
                .map(|speed| terminal::Live { speed, out: view.out.clone() }),
            quiet: self.quiet,
            from: view.from,
            files: Some(view.files.to_owned()),
        }
    }
}

/// The program: reads the arguments and runs the subcommand.
pub fn main() -> ExitCode {
    take_over();
    // Nobody types it: it stands in no help.
    if std::env::args_os().nth(1).is_some_and(|word| word == virtual_network::HELPER_COMMAND) {
        return virtual_network::helper_main();
    }
    if let Some(code) = completions::answer_shell() {
        return code;
    }
    let cli = match Cli::try_parse_from(u_boot_test::arguments(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are not errors; wrong usage has the code of a wrong job.
            color::set_by_words(std::env::args_os().skip(1));
            let code = if error.use_stderr() { exit_code(Some(Class::Usage)) } else { exit_code(None) };
            return match message::print_usage(&error) {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::from(exit_code(Some(Class::Infrastructure))),
            };
        }
    };
    color::set(cli.color);
    let result = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::BisectStep(args) => return bisect_step::bisect_step(args),
        Command::Boards(args) => boards::boards(&args),
        Command::Power(args) => power::power(&args),
        Command::Console(args) => console::console(&args),
        Command::Ssh(args) => ssh::ssh(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Init(args) => init::init(&args),
        Command::Validate(args) => validate::validate(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Schema(args) => schema::schema(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Serve(args) => serve::serve(&args),
        Command::Ports(args) => ports::ports(&args),
        Command::Rootfs(command) => rootfs::rootfs(&command),
        Command::Cache(command) => cache::cache(&command),
        Command::Agent(command) => agent::agent(&command),
        Command::UBootTest(command) => u_boot_test::u_boot_test(&command),
        Command::Import(command) => import::import(&command),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
    };
    let class = match result {
        Ok(class) => class,
        Err(failure) => {
            message::print_failure(&failure);
            Some(failure.class())
        }
    };
    ExitCode::from(exit_code(class))
}
