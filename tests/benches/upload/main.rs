//! The agent uploaded to real shells on a slow line, in seconds: `cargo bench -p host-runner-tests --bench upload`.
//!
//! A target has one decoder besides what every target has, and gzip or not. The file is the armv7 agent that `cargo xtask
//! agent` makes; its time is that from the first question to the last answer.

use std::fs;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use host_runner::dialog::{ShellPrompt, Upload, UploadSettings, Uploaded};
use host_runner::limit::{Deadline, Limit};
use host_runner::link::{Target, drive, open};
use host_runner::net::Net;
use regex::bytes::Regex;
use testbench::harness::target_directory;
use testbench::target_shell::{PROMPT, Shell, TargetShell};
use tokio::time::Instant;

/// Longest that the upload of the whole agent may take at 115,200 baud.
const LIMIT: Duration = Duration::from_secs(12);

/// Longest time that anything may take.
const PATIENCE: Duration = Duration::from_secs(300);

const FILE: &str = "bin/lava-agent";

/// A decoder's name, and the programs that it takes.
const DECODERS: [(&str, &[&str]); 7] = [
    ("base64", &["base64"]),
    ("busybox", &["busybox"]),
    ("openssl", &["openssl", "fold"]),
    ("uudecode", &["busybox:uudecode"]),
    ("python3", &["python3"]),
    ("perl", &["perl"]),
    ("printf", &[]),
];

/// Measures uploads.
#[derive(Debug, clap::Parser)]
struct Options {
    /// Speed of the line, in bits per second
    #[arg(long, default_value_t = 115_200)]
    baud: u32,
    /// The shell
    #[arg(long, default_value = "dash", value_parser = shell)]
    shell: Shell,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let options = Options::parse();
    let agent = target_directory().join("agent/armv7/lava-agent");
    let agent =
        fs::read(&agent).map_err(|error| format!("{}: {error}: run `cargo xtask agent`", agent.display()))?;
    let mut out = io::stdout();
    writeln!(out, "{} bytes at {} baud, {:?}\n", agent.len(), options.baud, options.shell)?;
    writeln!(out, "{:<12}{:>8}{:>14}{:>10}{:>10}", "decoder", "gzip", "characters", "seconds", "limit")?;
    let mut late = 0;
    for (name, programs) in DECODERS {
        for has_gzip in [true, false] {
            let more: &[&str] = if has_gzip { &["gzip", "sha256sum"] } else { &["sha256sum"] };
            let uploaded = upload(&options, &[programs, more].concat(), &agent).await?;
            let is_late = options.baud >= 115_200 && uploaded.took > LIMIT;
            late += u32::from(is_late);
            let verdict = if is_late { "missed" } else { "held" };
            let gzip = uploaded.unpacker.map_or("-", |_| "yes");
            let seconds = uploaded.took.as_secs_f64();
            writeln!(out, "{name:<12}{gzip:>8}{:>14}{seconds:>10.2}{verdict:>10}", uploaded.sent)?;
        }
    }
    writeln!(out, "\n{late} of {} above {} s", 2 * DECODERS.len(), LIMIT.as_secs())?;
    Ok(())
}

async fn upload(options: &Options, programs: &[&str], agent: &[u8]) -> Result<Uploaded, Error> {
    let target = TargetShell::start(options.shell, programs, options.baud)?;
    let port = Target::Serial { path: target.port().to_owned(), baud: options.baud };
    let mut console = open(&port, &Net::Host, Arc::new(|_, _| ()), Arc::new(|_| ())).await?;
    let prompt = ShellPrompt::new(vec![Regex::new(PROMPT)?], patience(), Instant::now().into_std());
    drive(&mut console, prompt).await?;
    let settings = UploadSettings {
        directories: vec![target.path().join("lava-1").display().to_string()],
        file: FILE.to_owned(),
        content: agent.to_owned(),
        bytes_per_s: Some(options.baud / 10),
        nonce: 1,
    };
    let dialog = Upload::new(settings, patience(), Box::new(|_, _| ()), Instant::now().into_std());
    let uploaded = drive(&mut console, dialog).await?;
    if fs::read(target.path().join("lava-1").join(FILE))? != agent {
        return Err("what has arrived is another file".into());
    }
    Ok(uploaded)
}

fn patience() -> Deadline {
    Limit::new(PATIENCE, "patience").after(Instant::now().into_std())
}

fn shell(name: &str) -> Result<Shell, String> {
    let all = [("bash", Shell::Bash), ("dash", Shell::Dash), ("busybox", Shell::Busybox)];
    all.into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, shell)| shell)
        .ok_or("bash, dash or busybox".into())
}
