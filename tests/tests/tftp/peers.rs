//! Real clients: each fetches files of every kind of length, with each option that it has.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use host_runner::tftp::TftpEventKind;

use super::serving::{PATIENCE, Serving, content};

/// Sizes that end in every way: with nothing, with a short block, with an empty one.
const SIZES: [usize; 6] = [0, 1, 511, 512, 1468 * 20, 300_001];
/// More than 65 535 blocks of 512 bytes.
const LONG: usize = 65_540 * 512 + 7;

/// Fetches `sizes` with the program that `command` makes, and compares.
fn fetch(sizes: &[usize], options: &[&str], command: fn(&Serving, &[&str], &str, &Path) -> Command) {
    let directory = tempfile::tempdir().expect("the loopback and temporary files work");
    let mut serving = Serving::start();
    for size in sizes {
        let name = format!("file-{size}");
        let content = content(*size);
        serving.add(&name, &content);
        let local = directory.path().join(&name);
        run(command(&serving, options, &name, &local));
        assert!(
            fs::read(&local).expect("the loopback and temporary files work") == content,
            "{options:?}: {size} bytes came differently"
        );
        let event = serving.outcome();
        assert!(
            matches!(event.kind, TftpEventKind::Done { bytes, .. } if bytes == *size as u64),
            "{options:?}: {event:?}"
        );
    }
}

/// Runs a client, which must succeed, and within [`PATIENCE`].
pub(crate) fn run(mut command: Command) {
    let mut log = tempfile::tempfile().expect("the loopback and temporary files work");
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the loopback and temporary files work"))
        .stderr(log.try_clone().expect("the loopback and temporary files work"));
    let program = command.get_program().to_owned();
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask test` installs the clients", program.display())
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the loopback and temporary files work") {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().expect("the loopback and temporary files work");
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    let mut text = String::new();
    std::io::Seek::rewind(&mut log).expect("the loopback and temporary files work");
    std::io::Read::read_to_string(&mut log, &mut text).expect("the loopback and temporary files work");
    assert!(status.success(), "{command:?}: {status} after {:?}: {text}", started.elapsed());
}

fn hpa(serving: &Serving, options: &[&str], name: &str, local: &Path) -> Command {
    let mut command = Command::new("tftp");
    command.args(options).arg(serving.address.ip().to_string()).arg(serving.address.port().to_string());
    command.args(["-c", "get", name]).arg(local);
    command
}

fn atftp(serving: &Serving, options: &[&str], name: &str, local: &Path) -> Command {
    let mut command = Command::new("atftp");
    for option in options {
        command.args(["--option", option]);
    }
    command.args(["--get", "--remote-file", name, "--local-file"]).arg(local);
    command.arg(serving.address.ip().to_string()).arg(serving.address.port().to_string());
    command
}

fn curl(serving: &Serving, options: &[&str], name: &str, local: &Path) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error"]).args(options).arg("--output").arg(local);
    command.arg(format!("tftp://{}/{name}", serving.address));
    command
}

fn busybox(serving: &Serving, options: &[&str], name: &str, local: &Path) -> Command {
    let mut command = Command::new("busybox");
    command.args(["tftp", "-g"]).args(options).args(["-r", name, "-l"]).arg(local);
    command.arg(serving.address.ip().to_string()).arg(serving.address.port().to_string());
    command
}

#[test]
fn tftp_hpa_fetches_files() {
    fetch(&SIZES, &["-m", "binary"], hpa);
}

#[test]
fn tftp_hpa_fetches_more_than_65535_blocks() {
    fetch(&[LONG], &["-m", "binary"], hpa);
}

#[test]
fn tftp_hpa_fetches_text() {
    let directory = tempfile::tempdir().expect("the loopback and temporary files work");
    let mut serving = Serving::start();
    let text = "first\nsecond\r\nthird\rfourth\n".repeat(200);
    serving.add("text", text.as_bytes());
    let local = directory.path().join("text");
    run(hpa(&serving, &["-m", "netascii"], "text", &local));
    assert_eq!(fs::read_to_string(local).expect("the loopback and temporary files work"), text);
}

#[test]
fn atftp_fetches_files() {
    fetch(&SIZES, &[], atftp);
    fetch(&SIZES, &["blksize 1468", "tsize 0", "timeout 2"], atftp);
}

#[test]
fn atftp_fetches_files_by_windows() {
    fetch(&SIZES, &["blksize 1468", "windowsize 8"], atftp);
    fetch(&SIZES, &["windowsize 16"], atftp);
}

#[test]
fn atftp_fetches_more_than_65535_blocks() {
    fetch(&[LONG], &[], atftp);
    fetch(&[LONG], &["windowsize 16"], atftp);
}

#[test]
fn curl_fetches_files() {
    // Without the empty file: curl fails with it whatever the server (its error 71, from getpeername).
    for options in [&[][..], &["--tftp-blksize", "1468"], &["--tftp-no-options"]] {
        fetch(&SIZES[1..], options, curl);
    }
}

#[test]
fn curl_fetches_more_than_65535_blocks() {
    fetch(&[LONG], &["--tftp-no-options"], curl);
}

#[test]
fn busybox_fetches_files() {
    fetch(&SIZES, &[], busybox);
    fetch(&SIZES, &["-b", "1468"], busybox);
}

#[test]
fn busybox_fetches_more_than_65535_blocks() {
    fetch(&[LONG], &[], busybox);
}
