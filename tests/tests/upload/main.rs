//! The agent uploaded to real shells on a line of 115,200 baud, by each program that can decode it.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

mod job;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use host_runner::dialog::{Checksum, Decoder, ShellPrompt, Upload, UploadError, UploadSettings, Uploaded};
use host_runner::limit::{Deadline, Limit};
use host_runner::link::{Console, DriveError, Target, drive, open};
use host_runner::net::Net;
use regex::bytes::Regex;
use testbench::harness;
use testbench::target_shell::{PROMPT, Shell, TargetShell};
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

const BAUD: u32 = 115_200;
/// Long enough for a loaded machine; no test waits it out.
const PATIENCE: Duration = Duration::from_secs(60);
const FILE: &str = "bin/lava-agent";

/// A target and the console to it.
struct Bench {
    target: TargetShell,
    console: Console,
}

impl Bench {
    async fn new(shell: Shell, programs: &[&str]) -> Self {
        let target = TargetShell::start(shell, programs, BAUD).unwrap();
        let port = Target::Serial { path: target.port().to_owned(), baud: BAUD };
        let console = open(&port, &Net::Host, Arc::new(|_, _| ()), Arc::new(|_| ())).await.unwrap();
        let mut bench = Self { target, console };
        bench.wait_for(PROMPT).await;
        bench
    }

    fn place(&self) -> String {
        self.target.path().join("lava-7").display().to_string()
    }

    async fn upload(
        &mut self,
        content: &[u8],
        deadline: Deadline,
    ) -> Result<Uploaded, DriveError<UploadError>> {
        let directories = vec!["/proc/lava-7".to_owned(), self.place()];
        let settings = UploadSettings {
            directories,
            file: FILE.to_owned(),
            content: content.to_owned(),
            bytes_per_s: Some(BAUD / 10),
            nonce: 0x00c0_ffee,
        };
        let dialog = Upload::new(settings, deadline, Box::new(|_, _| ()), Instant::now().into_std());
        drive(&mut self.console, dialog).await
    }

    async fn wait_for(&mut self, pattern: &str) {
        let pattern = Regex::new(pattern).unwrap();
        let wait = ShellPrompt::new(vec![pattern], patience(), Instant::now().into_std());
        drive(&mut self.console, wait).await.unwrap();
    }

    /// The terminal's settings as commands of the shell find them.
    async fn settings(&mut self, name: &str) -> String {
        let command = format!("stty -g >{name};echo there-is-\"{name}\"\n");
        self.console.write_all(command.as_bytes()).await.unwrap();
        self.wait_for(&format!("there-is-{name}")).await;
        let settings = fs::read_to_string(self.target.path().join(name)).unwrap();
        assert!(settings.contains(':'), "{settings}");
        settings
    }
}

fn patience() -> Deadline {
    Limit::new(PATIENCE, "patience").after(Instant::now().into_std())
}

/// Uploads this PC's agent, which is as large as a board's, and looks at what has become of it.
async fn uploaded(shell: Shell, programs: &[&str]) -> Uploaded {
    let agent = fs::read(harness::agent()).unwrap();
    let mut bench = Bench::new(shell, programs).await;
    let before = bench.settings("before").await;
    let uploaded = bench.upload(&agent, patience()).await.unwrap();
    assert_eq!(bench.settings("after").await, before);
    let place = bench.place();
    assert_eq!(uploaded.directory, place);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "the pieces are removed");
    let file = format!("{place}/{FILE}");
    assert!(fs::read(&file).unwrap() == agent, "the file is another");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o755);
    uploaded
}

/// Uploads to each of the shells at the same time: most of it is waiting for the line.
async fn uploaded_to_all(programs: &[&str]) -> [Uploaded; 3] {
    tokio::join!(
        uploaded(Shell::Bash, programs),
        uploaded(Shell::Dash, programs),
        uploaded(Shell::Busybox, programs)
    )
    .into()
}

async fn decoded_by(decoder: Decoder, programs: &[&str]) {
    for uploaded in uploaded_to_all(&[programs, &["gzip", "sha256sum"]].concat()).await {
        assert_eq!(
            (uploaded.decoder, uploaded.unpacker, uploaded.checksum),
            (decoder, Some("gzip -dc"), Checksum::Sha256)
        );
    }
}

#[tokio::test]
async fn base64_decodes() {
    decoded_by(Decoder::Base64, &["base64", "openssl", "perl"]).await;
}

#[tokio::test]
async fn busybox_without_links_decodes() {
    decoded_by(Decoder::BusyboxBase64, &["busybox"]).await;
}

#[tokio::test]
async fn openssl_decodes() {
    decoded_by(Decoder::Openssl, &["openssl", "fold"]).await;
}

#[tokio::test]
async fn uudecode_decodes() {
    decoded_by(Decoder::Uudecode, &["busybox:uudecode"]).await;
}

#[tokio::test]
async fn python_decodes() {
    decoded_by(Decoder::Python, &["python3"]).await;
}

#[tokio::test]
async fn perl_decodes() {
    decoded_by(Decoder::Perl, &["perl"]).await;
}

#[tokio::test]
async fn the_shell_itself_decodes() {
    decoded_by(Decoder::Printf, &[]).await;
}

#[tokio::test]
async fn whatever_checks_is_enough() {
    let with = |program| async move { uploaded(Shell::Dash, &["base64", "gzip", program]).await.checksum };
    let checksums = tokio::join!(with("md5sum"), with("cksum"), with("wc"));
    assert_eq!(checksums, (Checksum::Md5, Checksum::Cksum, Checksum::ReadBack));
}

#[tokio::test]
async fn a_shell_with_nothing_but_the_basics_is_enough() {
    for uploaded in uploaded_to_all(&["wc"]).await {
        assert_eq!(
            (uploaded.decoder, uploaded.unpacker, uploaded.checksum),
            (Decoder::Printf, None, Checksum::ReadBack)
        );
    }
}

#[tokio::test]
async fn an_upload_that_fails_leaves_shell_and_terminal_as_they_were() {
    // The pieces alone take longer, and what comes before them less, also on a loaded machine.
    let agent = fs::read(harness::agent()).unwrap().repeat(4);
    let mut bench = Bench::new(Shell::Bash, &["base64", "gzip", "md5sum"]).await;
    let before = bench.settings("before").await;
    let deadline = Limit::new(Duration::from_secs(10), "a test").after(Instant::now().into_std());
    let error = bench.upload(&agent, deadline).await.unwrap_err().to_string();
    assert!(error.starts_with("no answer to piece "), "{error}");
    assert_eq!(bench.settings("after").await, before);
    let left: Vec<_> = fs::read_dir(bench.place()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["bin"], "the pieces are removed");
}
