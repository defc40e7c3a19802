//! The agent uploaded to real shells on a line of 115,200 baud, by each program that can decode it.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

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
        bench.prompt().await;
        bench
    }

    fn place(&self) -> String {
        self.target.path().join("lava-7").display().to_string()
    }

    async fn upload(&mut self, content: &[u8]) -> Result<Uploaded, DriveError<UploadError>> {
        let directories = vec!["/proc/lava-7".to_owned(), self.place()];
        let settings = UploadSettings {
            directories,
            file: FILE.to_owned(),
            content: content.to_owned(),
            bytes_per_s: Some(BAUD / 10),
            nonce: 0x00c0_ffee,
        };
        let dialog = Upload::new(settings, patience(), Box::new(|_, _| ()), Instant::now().into_std());
        drive(&mut self.console, dialog).await
    }

    async fn prompt(&mut self) {
        let prompt = Regex::new(PROMPT).unwrap();
        drive(&mut self.console, ShellPrompt::new(vec![prompt], patience(), Instant::now().into_std()))
            .await
            .unwrap();
    }

    /// The terminal's settings as commands of the shell find them.
    async fn settings(&mut self, name: &str) -> String {
        self.console.write_all(format!("stty -g >{name}\n").as_bytes()).await.unwrap();
        self.prompt().await;
        fs::read_to_string(self.target.path().join(name)).unwrap()
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
    let uploaded = bench.upload(&agent).await.unwrap();
    bench.prompt().await;
    assert_eq!(bench.settings("after").await, before);
    assert!(before.contains(':'), "{before}");
    let place = bench.place();
    assert_eq!(uploaded.directory, place);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "the pieces are removed");
    let file = format!("{place}/{FILE}");
    assert!(fs::read(&file).unwrap() == agent, "the file is another");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o755);
    uploaded
}

async fn decoded_by(decoder: Decoder, programs: &[&str]) {
    for shell in Shell::ALL {
        let uploaded = uploaded(shell, &[programs, &["gzip", "sha256sum"]].concat()).await;
        assert_eq!(
            (uploaded.decoder, uploaded.unpacker, uploaded.checksum),
            (decoder, Some("gzip -dc"), Checksum::Sha256),
            "{shell:?}"
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
    for (program, checksum) in
        [("md5sum", Checksum::Md5), ("cksum", Checksum::Cksum), ("wc", Checksum::ReadBack)]
    {
        let uploaded = uploaded(Shell::Dash, &["base64", "gzip", program]).await;
        assert_eq!(uploaded.checksum, checksum);
    }
}

#[tokio::test]
async fn a_shell_with_nothing_but_the_basics_is_enough() {
    for shell in Shell::ALL {
        let uploaded = uploaded(shell, &["wc"]).await;
        assert_eq!(
            (uploaded.decoder, uploaded.unpacker, uploaded.checksum),
            (Decoder::Printf, None, Checksum::ReadBack),
            "{shell:?}"
        );
    }
}
