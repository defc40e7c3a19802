//! The steps of the whole test and their summary. The root file system, whose making takes minutes of one processor,
//! is made while the other compiles.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::{jobs, licences};
use crate::error::{Error, chain};
use crate::process;
use crate::workspace::Workspace;
use crate::{agent, apt, demo, fuzz, lab};

/// How one step ended.
enum Ending {
    Passed,
    Failed(Error),
    /// Not done, and why; not a failure.
    Skipped(&'static str),
}

struct Step {
    name: &'static str,
    ending: Ending,
    duration: Duration,
}

/// Runs all steps, failed ones or not, and sums them up.
///
/// # Errors
/// When the packages that everything needs cannot be installed.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode, Error> {
    apt::ensure_installed(
        &[agent::packages(&agent::all()), lab::packages(), fuzz::packages(), PEERS.to_vec()].concat(),
    )?;
    let mut steps = std::thread::scope(|scope| {
        // The licence checker is built beside the rest as well; nothing but its own steps needs it.
        let lab = scope.spawn(|| {
            [
                step(LAB, || lab::prepare(workspace)),
                step("build of the licence checker", || licences::prepare(workspace)),
            ]
        });
        let mut steps = check_agent(workspace);
        steps.extend(check_sources(workspace));
        steps.extend(lab.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        steps
    });
    steps.extend(check_licences(workspace));
    steps.extend(run_tests(workspace));
    let blocked = steps
        .iter()
        .any(|step| NEEDED_BY_JOBS.contains(&step.name) && matches!(step.ending, Ending::Failed(_)));
    for (name, job) in jobs::ALL {
        steps.push(if blocked {
            Step {
                name,
                ending: Ending::Skipped("the board or the runner could not be made"),
                duration: Duration::ZERO,
            }
        } else {
            step(name, || jobs::run(workspace, job))
        });
    }
    Ok(sum_up(&steps))
}

/// Real programs that tests talk to, or make files with.
const PEERS: [&str; 36] = [
    "atftp",
    "binutils",
    "busybox",
    "bzip2",
    "chromium",
    "cpio",
    "curl",
    "dpkg-dev",
    "e2fsprogs",
    "fdisk",
    "fish",
    "iptables",
    "lz4",
    "mandoc",
    "nfs-common",
    "nftables",
    "openssh-client",
    "openssh-server",
    "openssl",
    "prometheus",
    "python3",
    "python3-filelock",
    "python3-pkg-resources",
    "python3-pytest",
    "python3-pytest-xdist",
    "rpcbind",
    "snmpd",
    "squashfs-tools",
    "systemd",
    "tftp-hpa",
    "u-boot-tools",
    "uhubctl",
    "util-linux",
    "xz-utils",
    "zsh",
    "zstd",
];

/// How long each fuzz target runs.
const FUZZ: Duration = Duration::from_secs(10);

const AGENT: &str = "build of the agent";
const LAB: &str = "lab";
const RUNNER: &str = "build of the runner";
/// Steps without which no job can run.
const NEEDED_BY_JOBS: [&str; 3] = [AGENT, LAB, RUNNER];

/// Builds the agents, which tests run as well as boards, and measures them.
fn check_agent(workspace: &Workspace) -> Vec<Step> {
    let mut agents = Vec::new();
    let build = step(AGENT, || {
        agents = agent::build(workspace, &agent::all())?;
        Ok(())
    });
    if agents.is_empty() {
        return vec![build];
    }
    vec![
        build,
        step("size of the agent", || agents.iter().try_for_each(agent::Agent::check_size)),
        step("memory of the agent", || agents.iter().try_for_each(agent::Agent::check_memory)),
    ]
}

/// What cargo and its friends check, one after the other because they share the target directory.
fn check_sources(workspace: &Workspace) -> Vec<Step> {
    let cargo = |arguments: &[&str]| process::show(workspace.cargo().args(arguments));
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny=warnings"];
    let agent = ["clippy", "--package=agent", "--profile=agent", "--quiet", "--", "--deny=warnings"];
    let doc = ["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"];
    vec![
        step("format", || cargo(&["fmt", "--all", "--check"])),
        step("lints", || cargo(&clippy)),
        step("lints of the agent as it is built", || cargo(&agent)),
        step("documentation", || {
            process::show(workspace.cargo().args(doc).env("RUSTDOCFLAGS", "--deny=warnings"))
        }),
        step(RUNNER, || demo::build_runner(workspace).map(drop)),
        step("build of the tests", || cargo(&["test", "--workspace", "--no-run", "--quiet"])),
    ]
}

/// The tests themselves: they boot virtual boards, so the lab is finished and nothing else runs beside them.
fn run_tests(workspace: &Workspace) -> Vec<Step> {
    let cargo = |arguments: &[&str]| process::show(workspace.cargo().args(arguments));
    vec![
        step("tests", || {
            let nextest = process::answer(workspace.cargo().args(["nextest", "--version"])).is_ok();
            cargo(if nextest {
                &["nextest", "run", "--workspace", "--no-fail-fast"]
            } else {
                &["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]
            })
        }),
        step("examples in the documentation", || cargo(&["test", "--workspace", "--doc", "--quiet"])),
        step("fuzz", || fuzz::run(workspace, &fuzz::Options::all_for(FUZZ))),
    ]
}

/// Checks licences and sources of all dependencies, and advisories where their database can be reached.
fn check_licences(workspace: &Workspace) -> Vec<Step> {
    let mut reached = true;
    let mut advisories = step("advisories", || {
        reached = licences::check_advisories(workspace)?;
        Ok(())
    });
    if !reached {
        advisories.ending = Ending::Skipped("their database cannot be reached from here");
    }
    vec![step("licences", || licences::check(workspace)), advisories]
}

fn step(name: &'static str, work: impl FnOnce() -> Result<(), Error>) -> Step {
    println!("\n==> {name}");
    let start = Instant::now();
    let ending = match work() {
        Ok(()) => Ending::Passed,
        Err(error) => {
            eprintln!("{name}: {}", chain(&error));
            Ending::Failed(error)
        }
    };
    Step { name, ending, duration: start.elapsed() }
}

fn sum_up(steps: &[Step]) -> ExitCode {
    println!();
    for step in steps {
        let seconds = step.duration.as_secs_f64();
        match &step.ending {
            Ending::Passed => println!("passed   {seconds:7.1} s  {}", step.name),
            Ending::Failed(error) => {
                println!("FAILED   {seconds:7.1} s  {}: {}", step.name, first_line(error))
            }
            Ending::Skipped(reason) => println!("SKIPPED            {}: {reason}", step.name),
        }
    }
    let passed = steps.iter().filter(|step| matches!(step.ending, Ending::Passed)).count();
    let failed = steps.iter().filter(|step| matches!(step.ending, Ending::Failed(_))).count();
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn first_line(error: &Error) -> String {
    chain(error).lines().next().unwrap_or_default().to_owned()
}
