//! `host-runner agent`: the agent in a board's own root filesystem.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde::Serialize;

use crate::agent_install::{self, Build, Done, InstallError, Options, Outcome, Status, Target};
use crate::cli::args::{AgentCommand, TargetArgs};
use crate::cli::message::Failure;
use crate::fault::{Class, Fault};
use crate::run::usual_agent_directories;

/// Carries out a subcommand.
pub(super) fn agent(command: &AgentCommand) -> Result<Option<Class>, Failure> {
    match command {
        AgentCommand::Install { target, arch, agents } => {
            let directories = agents.clone().map_or_else(usual_agent_directories, |agents| vec![agents]);
            let done = open(target)
                .and_then(|mut opened| agent_install::install(&mut opened, &directories, arch.as_deref()));
            print(&describe_done(target, &done.map_err(|error| fault(target, &error))?)).map(|()| None)
        }
        AgentCommand::Remove { target } => {
            let done = open(target).and_then(|mut opened| agent_install::remove(&mut opened));
            print(&describe_done(target, &done.map_err(|error| fault(target, &error))?)).map(|()| None)
        }
        AgentCommand::Status { target, json } => {
            let status = open(target).and_then(|mut opened| agent_install::status(&mut opened));
            let status = status.map_err(|error| fault(target, &error))?;
            print(&if *json { json_line(target, &status) } else { describe_status(target, &status) })?;
            Ok((!is_whole(&status)).then_some(Class::Test))
        }
    }
}

fn open(target: &TargetArgs) -> Result<Target, InstallError> {
    let options = Options { partition: target.partition, root: target.root.clone(), limit: target.timeout };
    Target::open(&target.target, &options)
}

fn fault(target: &TargetArgs, error: &InstallError) -> Fault {
    Fault::from_error(error.class(), target.target.clone(), error).with_optional_help(error.help())
}

fn is_whole(status: &Status) -> bool {
    status.installed.as_ref().is_some_and(|installed| installed.problems.is_empty())
}

fn describe_done(target: &TargetArgs, done: &Done) -> String {
    let name = done.build.as_ref().map_or_else(|| "lava-agent".to_owned(), Build::to_string);
    let target = &target.target;
    match &done.outcome {
        Outcome::Installed => format!("{target}: {name} is installed in {}\n", agent_install::DIRECTORY),
        Outcome::Replaced(Some(before)) if Some(before) != done.build.as_ref() => {
            format!("{target}: {name} has replaced {before}\n")
        }
        Outcome::Replaced(_) => format!("{target}: {name} is put right\n"),
        Outcome::Removed => format!("{target}: {name} is removed\n"),
        Outcome::Unchanged if done.build.is_some() => {
            format!("{target}: {name} is installed already, nothing to do\n")
        }
        Outcome::Unchanged => format!("{target}: no agent is installed, nothing to do\n"),
    }
}

fn describe_status(target: &TargetArgs, status: &Status) -> String {
    let target = &target.target;
    let Some(installed) = &status.installed else {
        let arch = status.arch.as_ref().map_or(String::new(), |arch| format!(" (it is for {arch})"));
        return format!("{target}: no agent is installed{arch}\n");
    };
    let mut text = format!("{target}: ");
    let _ = match &installed.build {
        None if installed.interrupted => write!(text, "an incomplete lava-agent in {}", installed.directory),
        None => write!(text, "an unknown lava-agent in {}", installed.directory),
        Some(build) => {
            let [min, max] = build.protocol;
            let range = if min == max { max.to_string() } else { format!("{min} to {max}") };
            let fits = if build.is_compatible() { "" } else { ", too old or too new for this host-runner" };
            write!(text, "{build} in {}, protocol {range}{fits}", installed.directory)
        }
    };
    if installed.problems.is_empty() {
        text.push_str(", whole\n");
        return text;
    }
    text.push_str(if installed.interrupted {
        ", its installation was interrupted:\n"
    } else {
        ", damaged:\n"
    });
    for problem in &installed.problems {
        let _ = writeln!(text, "  {problem}");
    }
    let is_foreign = installed.build.is_none() && !installed.interrupted;
    text.push_str(if is_foreign {
        "  help: look at it, and remove it if nobody needs it\n"
    } else {
        "  help: install it again\n"
    });
    text
}

/// The status for programs.
#[derive(Debug, Serialize)]
struct Json<'s> {
    target: &'s str,
    installed: bool,
    whole: bool,
    arch: Option<&'s str>,
    version: Option<&'s str>,
    agent_arch: Option<&'s str>,
    protocol: Option<[u8; 2]>,
    compatible: Option<bool>,
    directory: Option<&'s str>,
    interrupted: bool,
    problems: &'s [String],
}

fn json_line(target: &TargetArgs, status: &Status) -> String {
    let installed = status.installed.as_ref();
    let build = installed.and_then(|installed| installed.build.as_ref());
    let json = Json {
        target: &target.target,
        installed: installed.is_some(),
        whole: is_whole(status),
        arch: status.arch.as_deref(),
        version: build.map(|build| build.version.as_str()),
        agent_arch: build.map(|build| build.arch.as_str()),
        protocol: build.map(|build| build.protocol),
        compatible: build.map(Build::is_compatible),
        directory: installed.map(|installed| installed.directory.as_str()),
        interrupted: installed.is_some_and(|installed| installed.interrupted),
        problems: installed.map_or(&[], |installed| &installed.problems),
    };
    // Text, numbers and lists of them: nothing that JSON could not hold.
    serde_json::to_string(&json).unwrap_or_default() + "\n"
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Fault::from_error(Class::Infrastructure, "standard output", &error).into())
        }
        _ => Ok(()),
    }
}
