//! The virtual boards' network, with the real helper. Needs root, or user namespaces and a /dev/net/tun for everybody.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio as ProcessStdio};
use std::time::Duration;

use host_runner::board::virtual_network::{Exit, NamespaceProcess, Stdio, VirtualNetwork};
use host_runner::net::Net;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// Upper bound of every wait; none is expected to come near it.
const PATIENCE: Duration = Duration::from_secs(20);

async fn network(boards: usize) -> VirtualNetwork {
    let started =
        VirtualNetwork::start(Path::new(env!("CARGO_BIN_EXE_host-runner")), ADDRESS, 24, boards).await;
    started.unwrap_or_else(|error| panic!("{error}; {}", error.help().unwrap_or_default()))
}

fn any_port() -> SocketAddr {
    SocketAddr::from((ADDRESS, 0))
}

/// Starts a shell command whose output is returned.
async fn spawn(network: &VirtualNetwork, script: &str) -> (NamespaceProcess, std::io::PipeReader) {
    let (output, theirs) = std::io::pipe().expect("a pipe");
    let stdin = std::fs::File::open("/dev/null").expect("/dev/null opens");
    let stdio = Stdio {
        stdin: stdin.into(),
        stdout: theirs.try_clone().expect("a pipe can be cloned").into(),
        stderr: OwnedFd::from(theirs),
    };
    let argv = ["sh", "-c", script].map(OsString::from);
    (network.spawn(&argv, stdio).await.expect("the process starts"), output)
}

/// A handle that tells whether the process has ended; made while it lives.
fn watch(pid: u32) -> OwnedFd {
    pidfd_open(process_id(pid), PidfdFlags::empty()).expect("the process lives")
}

fn process_id(pid: u32) -> Pid {
    i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id")
}

#[track_caller]
fn assert_ends(process: &OwnedFd) {
    let timeout = Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(
        poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&timeout)),
        Ok(1),
        "the process still lives"
    );
}

#[tokio::test]
async fn sockets_of_the_network_reach_each_other_and_not_the_host() {
    let network = network(1).await;
    let net = network.net();

    let server = net.bind_udp(SocketAddr::from((ADDRESS, 69))).await.unwrap();
    let client = net.bind_udp(any_port()).await.unwrap();
    client.send_to(b"read", server.local_addr().unwrap()).await.unwrap();
    let mut buffer = [0; 16];
    let (length, from) =
        tokio::time::timeout(PATIENCE, server.recv_from(&mut buffer)).await.unwrap().unwrap();
    assert_eq!((&buffer[..length], from), (&b"read"[..], client.local_addr().unwrap()));

    let listener = net.listen_tcp(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, connected) = tokio::join!(listener.accept(), net.connect_tcp(address));
    let ((mut accepted, _), mut connected) = (accepted.unwrap(), connected.unwrap());
    connected.write_all(b"hello").await.unwrap();
    connected.shutdown().await.unwrap();
    let mut text = String::new();
    accepted.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");

    assert!(Net::Host.bind_udp(any_port()).await.is_err(), "the host must not have the network's address");
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_refuses() {
    let network = network(0).await;
    let error = network.net().connect_tcp(SocketAddr::from((ADDRESS, 9))).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn every_board_has_its_tap_on_the_bridge() {
    let network = network(2).await;
    let seats: Vec<_> = network.seats().map(|seat| (seat.tap, seat.mac)).collect();
    let mac = |last| [0x52, 0x54, 0, 0, 0, last];
    assert_eq!(seats, [("tap0".to_owned(), mac(1)), ("tap1".to_owned(), mac(2))]);
    let (mut process, mut output) = spawn(&network, "ip -o link show master br0").await;
    assert_eq!(process.wait().await.unwrap(), Exit::Code(0));
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(" tap0:") && text.contains(" tap1:"), "{text}");
}

#[tokio::test]
async fn a_killed_process_is_gone_with_its_children() {
    let network = network(0).await;
    let (process, output) = spawn(&network, "sleep 1000 & echo $!; wait").await;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).unwrap();
    let grandchild = watch(line.trim().parse().unwrap());
    assert_eq!(process.kill().await.unwrap(), Exit::Signal(9));
    assert_ends(&grandchild);
}

#[tokio::test]
async fn a_dropped_process_is_killed() {
    let network = network(0).await;
    let (process, _output) = spawn(&network, "exec sleep 1000").await;
    let pid = watch(process.pid());
    drop(process);
    assert_ends(&pid);
}

#[tokio::test]
async fn a_program_that_does_not_exist_says_so() {
    let network = network(0).await;
    let (output, theirs) = std::io::pipe().unwrap();
    let stdio = Stdio {
        stdin: theirs.try_clone().unwrap().into(),
        stdout: theirs.try_clone().unwrap().into(),
        stderr: theirs.into(),
    };
    let mut process = network.spawn(&["no-such-program".into()], stdio).await.unwrap();
    assert_eq!(process.wait().await.unwrap(), Exit::Code(127));
    let text = std::io::read_to_string(output).unwrap();
    assert!(text.contains("no-such-program: No such file or directory"), "{text}");
}

#[tokio::test]
async fn dropping_the_network_ends_helper_and_processes_and_what_uses_it_fails() {
    let network = network(1).await;
    let net = network.net();
    let (mut process, _output) = spawn(&network, "exec sleep 1000").await;
    let (helper, sleeper) = (watch(network.helper_pid()), watch(process.pid()));
    drop(network);
    assert_ends(&helper);
    assert_ends(&sleeper);
    assert!(net.bind_udp(any_port()).await.is_err());
    assert!(process.wait().await.is_err());
}

#[tokio::test]
async fn a_killed_helper_takes_its_processes_along() {
    let network = network(0).await;
    let (process, output) = spawn(&network, "echo up; exec sleep 1000").await;
    BufReader::new(output).read_line(&mut String::new()).unwrap();
    let sleeper = watch(process.pid());
    rustix::process::kill_process(process_id(network.helper_pid()), rustix::process::Signal::KILL).unwrap();
    assert_ends(&sleeper);
}

#[tokio::test]
async fn a_helper_that_cannot_be_run_is_an_error_with_its_text() {
    let error = VirtualNetwork::start(Path::new("/no/such/program"), ADDRESS, 24, 1).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/program: No such file or directory"), "{error}");
    let error = VirtualNetwork::start(Path::new("true"), ADDRESS, 33, 1).await.unwrap_err();
    assert_eq!(error.to_string(), "network prefix /33 is longer than 32 bits");
    let error = VirtualNetwork::start(Path::new("true"), ADDRESS, 24, 1).await.unwrap_err();
    assert!(error.to_string().ends_with("the helper ended without a word"), "{error}");
}

/// Not a test of its own: the runner that [`a_killed_runner_leaves_nothing_behind`] kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn runner_to_be_killed() {
    let network = network(1).await;
    let (process, _output) = spawn(&network, "exec sleep 1000").await;
    println!("pids {} {}", network.helper_pid(), process.pid());
    std::future::pending::<()>().await;
}

#[test]
fn a_killed_runner_leaves_nothing_behind() {
    let mut runner = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "runner_to_be_killed"])
        .stdout(ProcessStdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(runner.stdout.take().unwrap()).lines();
    let pids = output
        .find_map(|line| line.unwrap().split_once("pids ").map(|(_, pids)| pids.to_owned()))
        .expect("the runner starts");
    let processes: Vec<_> = pids.split(' ').map(|pid| watch(pid.parse().unwrap())).collect();
    runner.kill().unwrap();
    runner.wait().unwrap();
    processes.iter().for_each(assert_ends);
}

#[test]
fn the_helper_command_is_not_for_people() {
    let output = Command::new(env!("CARGO_BIN_EXE_host-runner"))
        .arg(host_runner::board::virtual_network::HELPER_COMMAND)
        .stdin(ProcessStdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is for host-runner itself"));
}
