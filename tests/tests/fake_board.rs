//! The fake board against the runner's own links and dialogs: each way to connect, each fault.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use host_runner::dialog::{
    AutoLogin, Dialog, Goal, KernelFailure, Login, LoginError, LoginLimits, LoginSettings, ShellPrompt,
    Shutdown, Start, Uboot, UbootError, UbootLimits, UbootSettings,
};
use host_runner::limit::{Deadline, Limit};
use host_runner::link::{Console, DriveError, Notice, OpenError, Tap, Target, drive, open};
use host_runner::net::Net;
use regex::bytes::Regex;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fake-board");
/// A board that is killed leaves its files here.
const TEMPORARY: &str = concat!("TMPDIR=", env!("CARGO_TARGET_TMPDIR"));
/// Long enough for a loaded machine; no test waits it out.
const PATIENCE: Duration = Duration::from_secs(60);

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

fn uboot_settings() -> UbootSettings {
    let errors = ["TFTP error", "Retry count exceeded", "Bad Linux ARM zImage magic!"];
    UbootSettings {
        autoboot_prompt: regex("Hit any key to stop autoboot"),
        interrupt: b" ".to_vec(),
        prompt: regex("=> ?"),
        errors: errors.map(str::to_owned).to_vec(),
        final_message: regex("Starting kernel"),
        line_limit: 1023,
        character_delay: Duration::ZERO,
        limits: UbootLimits::default(),
        max_resets: 3,
    }
}

fn login_settings() -> LoginSettings {
    LoginSettings {
        from_power_on: false,
        kernel_start: Some(regex("Linux version [0-9]")),
        prompts: vec![regex("root@linaro:"), regex("root@debian:")],
        auto_login: None,
        failure_message: None,
        limits: LoginLimits::default(),
    }
}

fn auto_login(password: Option<&str>) -> LoginSettings {
    let auto_login = AutoLogin {
        login_prompt: regex("login:"),
        username: "root".to_owned(),
        password_prompt: regex("Password:"),
        password: password.map(str::to_owned),
        login_commands: Vec::new(),
    };
    LoginSettings { auto_login: Some(auto_login), ..login_settings() }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

fn patience() -> Deadline {
    Limit::new(PATIENCE, "patience").after(now())
}

/// What is over at once.
fn none() -> Option<Limit> {
    Some(Limit::new(Duration::from_millis(1), "a test"))
}

async fn connect(target: &Target) -> Result<Console, OpenError> {
    let tap: Tap = Arc::new(|_, _: &[u8]| {});
    let notice: Notice = Arc::new(|_: &str| {});
    open(target, &Net::Host, tap, notice).await
}

async fn board(arguments: &[&str]) -> Console {
    let words = [&["env", TEMPORARY, PROGRAM], arguments].concat().into_iter().map(str::to_owned).collect();
    connect(&Target::Command(words)).await.unwrap()
}

/// Serves one kernel image to whoever asks, on a port of its own.
fn tftp_server() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut kernel = vec![0; 3000];
        kernel[0x24..0x28].copy_from_slice(&0x016f_2818_u32.to_le_bytes());
        let mut packet = [0; 600];
        while let Ok((length, peer)) = socket.recv_from(&mut packet) {
            let block = match packet[..length] {
                [0, 1, ..] => 0,
                [0, 4, high, low, ..] => usize::from(u16::from_be_bytes([high, low])),
                _ => continue,
            };
            let Some(rest) = kernel.get(block * 512..) else { continue };
            let mut data = vec![0, 3];
            data.extend(u16::try_from(block + 1).unwrap().to_be_bytes());
            data.extend(&rest[..rest.len().min(512)]);
            socket.send_to(&data, peer).unwrap();
        }
    });
    port
}

fn boot_commands(bootargs: &str) -> Vec<String> {
    vec![
        "setenv autoload no; dhcp".to_owned(),
        "setenv serverip 127.0.0.1".to_owned(),
        format!("setenv tftpdstp {}", tftp_server()),
        "tftp ${kernel_addr_r} 123/tftp-deploy/kernel/zImage".to_owned(),
        format!("setenv bootargs '{bootargs}'"),
        "bootz ${kernel_addr_r} - ${fdt_addr_r}".to_owned(),
    ]
}

async fn run_uboot(
    console: &mut Console,
    commands: Vec<String>,
    goal: Goal,
) -> Result<u32, DriveError<UbootError>> {
    let dialog = Uboot::new(uboot_settings(), commands, Start::PowerOn, goal, patience(), now()).unwrap();
    drive(console, dialog).await.map(|report| report.resets)
}

async fn boot(console: &mut Console) -> Result<u32, DriveError<UbootError>> {
    run_uboot(console, boot_commands("console=ttyO0,115200n8 root=/dev/mmcblk0p2"), Goal::Kernel).await
}

async fn run<D: Dialog>(console: &mut Console, dialog: D) -> D::Done
where
    D::Error: std::fmt::Debug,
{
    drive(console, dialog).await.unwrap()
}

#[tokio::test]
async fn the_board_boots_by_tftp_to_a_root_shell_and_goes_down_again() {
    let mut console = board(&[]).await;
    assert_eq!(boot(&mut console).await.unwrap(), 0);

    let logged_in = run(&mut console, Login::new(login_settings(), &patience(), now())).await;
    assert_eq!(logged_in.prompt, "root@debian:");

    let prompts = login_settings().prompts;
    console.write_all(b"uname -m\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(8).any(|part| part == b"armv7l\r\n") {
        assert!(console.read_buf(&mut answer).await.unwrap() > 0, "{answer:?}");
    }
    console.write_all(b"\n").await.unwrap();
    assert_eq!(run(&mut console, ShellPrompt::new(prompts, patience(), now())).await, "root@debian:");

    run(&mut console, Shutdown::new("reboot", regex("reboot: Restarting system"), patience(), now())).await;
    assert_eq!(run_uboot(&mut console, Vec::new(), Goal::Prompt).await.unwrap(), 0);
}

#[tokio::test]
async fn a_login_with_a_password_is_played() {
    let mut console = board(&["--login", "--password", "secret"]).await;
    boot(&mut console).await.unwrap();
    run(&mut console, Login::new(auto_login(Some("secret")), &patience(), now())).await;
}

#[tokio::test]
async fn faults_in_u_boot_are_told_apart() {
    let mut console = board(&["--fault", "tftp-error"]).await;
    let error = boot(&mut console).await.unwrap_err();
    assert!(
        matches!(&error, DriveError::Dialog(UbootError::Command { matched, .. }) if matched == "TFTP error"),
        "{error}"
    );

    let mut console = board(&["--fault", "bad-magic"]).await;
    let error = boot(&mut console).await.unwrap_err();
    assert!(
        matches!(&error, DriveError::Dialog(UbootError::Command { line, .. }) if line.contains("zImage magic")),
        "{error}"
    );

    let mut console = board(&["--fault", "prompt-fallback"]).await;
    let error = boot(&mut console).await.unwrap_err();
    assert!(matches!(&error, DriveError::Dialog(UbootError::FellBack { .. })), "{error}");

    let mut console = board(&["--fault", "reset-loop"]).await;
    let error = boot(&mut console).await.unwrap_err();
    assert!(matches!(&error, DriveError::Dialog(UbootError::ResetLoop { resets: 4, .. })), "{error}");
}

async fn login_error(arguments: &[&str], settings: LoginSettings) -> DriveError<LoginError> {
    let mut console = board(arguments).await;
    boot(&mut console).await.unwrap();
    drive(&mut console, Login::new(settings, &patience(), now())).await.unwrap_err()
}

#[tokio::test]
async fn faults_on_the_way_to_the_login_are_told_apart() {
    let error = login_error(&["--fault", "panic"], login_settings()).await;
    assert!(
        matches!(&error, DriveError::Dialog(LoginError::Kernel { failure: KernelFailure::Panic(_), .. })),
        "{error}"
    );
    let error = login_error(&["--fault", "no-rootfs"], login_settings()).await;
    assert!(
        matches!(&error, DriveError::Dialog(LoginError::Kernel { failure: KernelFailure::NoRoot(_), .. })),
        "{error}"
    );
    let error = login_error(&["--fault", "wrong-password"], auto_login(Some("secret"))).await;
    assert!(matches!(&error, DriveError::Dialog(LoginError::Refused { .. })), "{error}");
    let error = login_error(&["--fault", "hang-up"], login_settings()).await;
    assert!(matches!(&error, DriveError::Line(error) if error.to_string().contains("ended")), "{error:?}");

    let mut console = board(&["--fault", "no-login"]).await;
    boot(&mut console).await.unwrap();
    arrive(&mut console, |output| output.windows(8).any(|window| window == b"<debian>")).await;
    let limits = LoginLimits { whole: none(), ..LoginLimits::default() };
    let brief = LoginSettings { limits, ..login_settings() };
    let error = drive(&mut console, Login::new(brief, &patience(), now())).await.unwrap_err();
    assert!(error.to_string().contains("Hostname set to <debian>."), "{error}");
}

/// Waits until what the board says is `enough`, and leaves it to the next reader.
async fn arrive(console: &mut Console, enough: impl Fn(&[u8]) -> bool) {
    let mut output = Vec::new();
    while !enough(&output) {
        console.read_buf(&mut output).await.unwrap();
    }
    console.unread(&output);
}

#[tokio::test]
async fn silence_and_noise_end_with_a_time_out_that_tells_them_apart() {
    for (fault, bytes, expected) in
        [("silent", 0, "the board said nothing"), ("garbage", 64, "a wrong baud rate")]
    {
        let mut console = board(&["--fault", fault]).await;
        arrive(&mut console, |output| output.len() >= bytes).await;
        let limits = UbootLimits { interrupt: none(), ..UbootLimits::default() };
        let settings = UbootSettings { limits, ..uboot_settings() };
        let dialog =
            Uboot::new(settings, Vec::new(), Start::PowerOn, Goal::Prompt, patience(), now()).unwrap();
        let error = drive(&mut console, dialog).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn an_nfs_root_that_nobody_serves_is_no_root() {
    let mut console = board(&[]).await;
    // Port 1 of this machine: refused at once.
    let commands = boot_commands("root=/dev/nfs nfsroot=127.0.0.1:/123,tcp,port=1,mountport=1 ip=dhcp");
    run_uboot(&mut console, commands, Goal::Kernel).await.unwrap();
    let error = drive(&mut console, Login::new(login_settings(), &patience(), now())).await.unwrap_err();
    assert!(error.to_string().contains("found no root file system"), "{error}");
}

/// A fake board as a process of its own; killed on drop.
struct Process {
    child: Child,
    /// The board's files, which it cannot remove when it is killed.
    _directory: TempDir,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .arg("--directory")
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        Self { child: command.spawn().unwrap(), _directory: directory }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_board_on_a_serial_port_is_reached_by_its_stable_name_and_by_one_runner_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyBOARD");
    let _process = Process::start(&["--pty", path.to_str().unwrap()]);
    while !path.exists() {
        thread::yield_now();
    }
    let target = Target::Serial { path, baud: 115_200 };
    let mut console = connect(&target).await.unwrap();
    assert_eq!(boot(&mut console).await.unwrap(), 0);
    run(&mut console, Login::new(login_settings(), &patience(), now())).await;

    let error = connect(&target).await.unwrap_err().to_string();
    assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
}

#[tokio::test]
async fn a_board_behind_a_tcp_port_is_reached() {
    let mut process = Process::start(&["--tcp", "127.0.0.1:0"]);
    let mut line = String::new();
    BufReader::new(process.child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
    let mut console = connect(&Target::Tcp { host: "127.0.0.1".to_owned(), port }).await.unwrap();
    assert_eq!(boot(&mut console).await.unwrap(), 0);
    run(&mut console, Login::new(login_settings(), &patience(), now())).await;
}

#[test]
fn help_documents_every_fault() {
    let output = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let faults = [
        "tftp-error",
        "bad-magic",
        "prompt-fallback",
        "reset-loop",
        "panic",
        "no-rootfs",
        "no-login",
        "wrong-password",
        "silent",
        "garbage",
        "hang-up",
    ];
    for fault in faults {
        assert!(help.contains(&format!("- {fault}:")), "{fault} is not in {help}");
    }
}
