//! Ports below 1024 for a user who may not bind them: handed over by systemd's protocol, or by the port service.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType};
use serde_json::Value;
use testbench::harness::{
    Job, OrdinaryUser, PATIENCE, Testbench, agent, fake_board, host_runner, target_directory,
};

/// A bench of an ordinary user, in a network of its own in which its ports below 1024 are privileged.
struct Desk {
    bench: Testbench,
    user: OrdinaryUser,
}

impl Desk {
    fn new() -> Self {
        let bench = Testbench::new();
        // Cargo's directory may be where others cannot go.
        let there = bench.path().join("target");
        fs::create_dir(&there).unwrap();
        let console = inside(bench.path(), fake_board()).display().to_string();
        let words = [&[console][..], &bench.fake_board_options()].concat();
        let bench = bench.console(&format!("{words:?}"));
        let link = bench.path().join("agent/x86_64/lava-agent");
        fs::remove_file(&link).unwrap();
        fs::copy(agent(), link).unwrap();
        bench.write("bench.toml", bench.to_toml());
        bench.write("job.yaml", Job::new().to_yaml());
        let user = OrdinaryUser::new().with_network().with_directory(&target_directory(), &there);
        Self { bench, user }
    }

    fn path(&self) -> &Path {
        self.bench.path()
    }

    /// The bench PC's address with a port.
    fn at(&self, port: u16) -> String {
        format!("{}:{port}", self.bench.addresses().server)
    }

    /// With the port service beside the program.
    fn with_service(mut self, mode: &str) -> Self {
        let program = inside(self.path(), host_runner());
        let (socket, log) = (self.path().join("ports.socket"), self.path().join("ports.log"));
        self.user = self.user.with_port_service(&program, &socket, mode, &log);
        self
    }

    /// With UDP sockets that are handed over, of which the first gets a datagram.
    fn with_handed_over(mut self, listen: &[&str]) -> Self {
        let first = self.at(69);
        self.user = self.user.with_handed_over(listen, &first, &["TMPDIR", "HOST_RUNNER_PORTS_SOCKET"]);
        self
    }

    /// Runs the program to its end.
    fn host_runner(&self, arguments: &[&str]) -> Ended {
        self.user.own(self.path());
        // Around all of it: what is handed over is for the process that gets it, and not for a child.
        let mut command = Command::new("timeout");
        command.arg("--kill-after=5").arg(PATIENCE.as_secs().to_string());
        let inner = self.user.command(&inside(self.path(), host_runner()));
        command.arg(inner.get_program()).args(inner.get_args()).args(arguments);
        command
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path().join("home"))
            .env("TMPDIR", self.path().join("tmp"))
            .env("HOST_RUNNER_PORTS_SOCKET", self.path().join("ports.socket"));
        Ended::of(&command.stdin(Stdio::null()).output().unwrap())
    }

    fn run(&self) -> Ended {
        self.host_runner(&["run", "job.yaml", "--out", "out"])
    }

    /// What the port service has told.
    fn told(&self) -> String {
        fs::read_to_string(self.path().join("ports.log")).unwrap()
    }
}

/// Where a program of cargo's is in a bench.
fn inside(bench: &Path, program: &Path) -> PathBuf {
    bench.join("target").join(program.strip_prefix(target_directory()).unwrap())
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    /// What it printed, on both ways.
    all: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Self { code: output.status.code(), all: format!("{stdout}\n{stderr}"), stdout }
    }

    #[track_caller]
    fn assert(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.all);
        for text in said {
            assert!(self.all.contains(text), "no {text:?} in:\n{}", self.all);
        }
    }

    /// The message of the finding of `check`, and what to do.
    fn finding(&self, check: &str) -> String {
        let findings = self.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = findings.into_iter().find(|finding| finding["check"] == check);
        let found = found.unwrap_or_else(|| panic!("no {check} in:\n{}", self.all));
        format!("{} {}", found["message"], found["help"])
    }
}

#[test]
fn a_run_gets_its_ports_from_the_port_service() {
    let desk = Desk::new().with_service("0600");
    let ended = desk.run();
    ended.assert(0, &["served zImage by TFTP"]);
    for warning in ["time is not served", "by a port mapper"] {
        assert!(!ended.all.contains(warning), "{}", ended.all);
    }
    let told = desk.told();
    for port in ["UDP 69", "UDP 123", "UDP 111", "TCP 111"] {
        let (protocol, number) = port.split_once(' ').unwrap();
        let address = desk.at(number.parse().unwrap());
        let line = format!("{protocol} {address}, for user {} (process ", OrdinaryUser::id());
        assert!(told.contains(&line), "no {line:?} in:\n{told}");
    }
    assert!(!told.contains("2049"), "a port that needs no privilege is not asked for:\n{told}");
}

#[test]
fn the_doctor_tells_that_the_port_service_hands_the_ports_over() {
    let ended = Desk::new().with_service("0600").host_runner(&["doctor", "--json"]);
    ended.assert(0, &[]);
    for (check, how) in [
        ("tftp-port", "is free, and the port service hands it over"),
        ("sntp-port", "is free, and the port service hands it over"),
        ("port-mapper", "are free, and the port service hands them over"),
    ] {
        let said = ended.finding(check);
        assert!(said.contains(how), "{said}");
    }
    assert!(ended.finding("nfs-port").contains("is free\""), "{}", ended.all);
}

#[test]
fn a_user_who_may_not_ask_the_port_service_is_told_how_to_join_its_group() {
    let desk = Desk::new().with_service("0");
    let said = [
        "infrastructure error TFTP server",
        "Permission denied (os error 13); the port service at ",
        "is not for this user: Permission denied",
        "`sudo adduser \"$USER\" host-runner`, and log in again",
    ];
    desk.run().assert(3, &said);
    let found = Desk::new().with_service("0").host_runner(&["doctor", "--json"]).finding("tftp-port");
    assert!(found.contains("need a privilege; the port service at ") && found.contains("adduser"), "{found}");
}

#[test]
fn a_port_that_another_program_has_is_told_as_without_the_service() {
    let desk = Desk::new();
    let at = desk.at(69);
    let (host, port) = at.rsplit_once(':').unwrap();
    let take = format!(
        "python3 -c \"import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('{host}', {port})); \
         open('taken', 'w'); time.sleep(60)\""
    );
    let mut desk = desk.with_service("0600");
    desk.user = desk.user.with_process(&take, "[ -e taken ]");
    desk.run().assert(3, &["cannot bind", "Address already in use", "another program holds the port"]);
}

#[test]
fn sockets_that_systemd_hands_over_are_served() {
    let desk = Desk::new();
    let listen = [desk.at(69), desk.at(123), "0.0.0.0:111".to_owned()];
    let desk = desk.with_handed_over(&listen.each_ref().map(String::as_str));
    let ended = desk.run();
    ended.assert(0, &["served zImage by TFTP"]);
    for warning in ["time is not served", "by a port mapper"] {
        assert!(!ended.all.contains(warning), "{}", ended.all);
    }
}

/// The board types' own commands say the port. TCP 111 is not handed over.
#[test]
fn a_port_mapper_that_cannot_serve_is_told_where_commands_need_it() {
    let desk = Desk::new();
    let path = desk.path().join("board-type.toml");
    let own = fs::read_to_string(&path).unwrap();
    fs::write(path, own.replace("port={NFS_PORT},mountport={NFS_PORT},", "")).unwrap();
    let listen = [desk.at(69), desk.at(123), "0.0.0.0:111".to_owned()];
    let desk = desk.with_handed_over(&listen.each_ref().map(String::as_str));
    desk.run().assert(3, &["boards are not told the port of NFS by a port mapper"]);
}

#[test]
fn a_socket_of_all_addresses_serves_the_address_of_the_bench() {
    let ended = Desk::new().with_handed_over(&["0.0.0.0:69"]).run();
    ended.assert(0, &["served zImage by TFTP", "time is not served"]);
}

#[test]
fn sockets_for_other_ports_are_told_where_the_right_one_is_missing() {
    let desk = Desk::new();
    let listen = [desk.at(123), desk.at(69).replace(":69", ":70")];
    let mut desk = desk;
    let first = desk.at(123);
    desk.user = desk.user.with_handed_over(
        &listen.each_ref().map(String::as_str),
        &first,
        &["TMPDIR", "HOST_RUNNER_PORTS_SOCKET"],
    );
    let handed = format!("handed over at the start were only UDP {first}, UDP {}", listen[1]);
    desk.run().assert(3, &["there is no port service at ", &handed]);
}

/// The port service at a socket in `directory`, ends by itself.
struct Service {
    child: Child,
    socket: PathBuf,
}

impl Service {
    fn start(directory: &Path, idle: &str) -> Self {
        let socket = directory.join("ports.socket");
        let mut command = Command::new("systemd-socket-activate");
        command
            .args(["--seqpacket", "--listen"])
            .arg(&socket)
            .arg(host_runner())
            .args(["ports", "--idle", idle]);
        let log = fs::File::create(directory.join("ports.log")).unwrap();
        let child = command.stderr(log).spawn().expect("it runs (Debian package systemd)");
        until("the service listens", || socket.exists());
        Self { child, socket }
    }

    fn connect(&self) -> OwnedFd {
        let socket = net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).unwrap();
        net::connect(&socket, &SocketAddrUnix::new(&self.socket).unwrap()).unwrap();
        socket
    }

    /// What it answers to a packet.
    fn answer(&self, packet: &str) -> String {
        let socket = self.connect();
        net::send(&socket, packet.as_bytes(), SendFlags::empty()).unwrap();
        received(&socket)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something of another process, which tells nobody when it happens.
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The next packet; empty at the end of the connection.
fn received(socket: &OwnedFd) -> String {
    let mut packet = [0; 1024];
    let (length, _) = net::recv(socket, &mut packet, RecvFlags::empty()).unwrap();
    String::from_utf8_lossy(&packet[..length]).into_owned()
}

#[test]
fn the_port_service_refuses_all_that_it_is_not_there_for_and_goes_on() {
    let bench = Testbench::new();
    let service = Service::start(bench.path(), "60");
    let server = bench.addresses().server;
    let silent = service.connect();
    assert_eq!(received(&silent), "", "who asks for nothing holds the others up for a moment only");
    for (packet, said) in [
        ("no request".to_owned(), "Malformed"),
        ("x".repeat(600), "packet longer than allowed"),
        (format!("{{\"protocol\":\"udp\",\"address\":\"{server}:69\",\"more\":1}}"), "unknown field `more`"),
        (format!("{{\"protocol\":\"tcp\",\"address\":\"{server}:22\"}}"), "\"port\":22"),
        ("{\"protocol\":\"udp\",\"address\":\"0.0.0.0:69\"}".to_owned(), "Wildcard"),
        ("{\"protocol\":\"udp\",\"address\":\"[::ffff:0.0.0.0]:69\"}".to_owned(), "Wildcard"),
    ] {
        let answer = service.answer(&packet);
        assert!(answer.starts_with("{\"Refused\":") && answer.contains(said), "{packet}: {answer}");
    }
    let right = format!("{{\"protocol\":\"udp\",\"address\":\"{server}:69\"}}");
    assert_eq!(service.answer(&right), "\"Socket\"");
    let told = fs::read_to_string(bench.path().join("ports.log")).unwrap();
    assert!(
        told.contains(&format!("not TCP {server}:22: it does not give away TCP 22, for user ")),
        "{told}"
    );
}

#[test]
fn the_port_service_ends_when_nobody_asks() {
    let bench = Testbench::new();
    let mut service = Service::start(bench.path(), "1");
    // systemd-socket-activate starts it for somebody only.
    assert!(service.answer("no request").contains("Malformed"));
    until("the service ends", || service.child.try_wait().unwrap().is_some());
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_port_service_without_a_socket_says_who_starts_it() {
    let output = Command::new(host_runner()).arg("ports").output().unwrap();
    let said =
        ["no socket was handed over", "systemctl enable --now host-runner-ports.socket", "ports --help"];
    Ended::of(&output).assert(2, &said);
}
