//! SNMP, with net-snmp's agent as the power switch: its outlet 3 is a script's.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testbench::harness::Testbench;

use super::{bench, bench_with, done, refused};

/// The objects of an outlet of APC's rPDU, as net-snmp's `pass_persist` asks a program for them: `pass` remembers answers for
/// half a minute. After a restart the outlet is off for two seconds; with a file `stuck` it takes orders and does nothing.
const OUTLET: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
command=.1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.3
state=.1.3.6.1.4.1.318.1.1.12.3.5.1.1.4.3
while read -r word; do
    case $word in
    PING) echo PONG ;;
    get)
        read -r oid
        now=$(cat state)
        [ -e restarted ] && [ $(($(date +%s) - $(cat restarted))) -lt 2 ] && now=2
        case $oid in
        "$command" | "$state") printf '%s\ninteger\n%s\n' "$oid" "$now" ;;
        *) echo NONE ;;
        esac ;;
    set)
        read -r oid
        read -r type value
        case "$oid $type $value" in
        "$command integer 1" | "$command integer 2")
            echo "$value" >> orders
            [ -e stuck ] || echo "$value" > state
            echo DONE ;;
        "$command integer 3")
            echo 3 >> orders
            [ -e stuck ] || date +%s > restarted
            echo 1 > state
            echo DONE ;;
        "$command integer"*) echo wrong-value ;;
        *) echo not-writable ;;
        esac ;;
    getnext) read -r oid; echo NONE ;;
    *) exit 0 ;;
    esac
done
"#;

/// How long the agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The agent; it ends when dropped.
struct Agent {
    child: Child,
    port: u16,
    directory: TempDir,
}

impl Agent {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name);
        fs::write(path("outlet"), OUTLET).expect("an own directory");
        fs::set_permissions(path("outlet"), fs::Permissions::from_mode(0o755)).expect("an own file");
        fs::write(path("state"), "2\n").expect("an own directory");
        let configuration = format!(
            "rwcommunity opensesame\nrocommunity looker\npass_persist .1.3.6.1.4.1.318.1.1.12 {}\n",
            path("outlet").display()
        );
        fs::write(path("snmpd.conf"), configuration).expect("an own directory");
        let port = free_port();
        let child = Command::new(snmpd())
            .args(["-f", "-Lf"])
            .arg(path("log"))
            .arg("-C")
            .arg("-c")
            .arg(path("snmpd.conf"))
            .arg("-p")
            .arg(path("pid"))
            .arg(format!("udp:127.0.0.1:{port}"))
            .env("SNMP_PERSISTENT_DIR", directory.path())
            .env("SNMPCONFPATH", directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("snmpd is installed");
        let mut agent = Self { child, port, directory };
        let deadline = Instant::now() + PATIENCE;
        while !answers(port) {
            let log = fs::read_to_string(agent.directory.path().join("log")).unwrap_or_default();
            assert!(agent.child.try_wait().expect("a child").is_none(), "snmpd has ended:\n{log}");
            assert!(Instant::now() < deadline, "snmpd does not answer:\n{log}");
        }
        agent
    }

    /// What its outlet was told.
    fn orders(&self) -> String {
        fs::read_to_string(self.directory.path().join("orders")).unwrap_or_default().replace('\n', " ")
    }

    /// A bench whose board hangs on outlet 3.
    fn bench(&self, more: &str) -> Testbench {
        let power = format!(
            "driver = \"snmp\"\nhost = \"127.0.0.1\"\nport = {}\nmodel = \"apc-rpdu\"\n{more}",
            self.port
        );
        bench_with("pdu = { file = \"community\" }", &power)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A question for `sysUpTime.0` by the community `looker`, version 2c (RFC 1157 §4, RFC 3416 §3).
const QUESTION: &[u8] =
    b"\x30\x26\x02\x01\x01\x04\x06looker\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x03\x00\x05\x00";

/// Whether an agent answers at `port`: asked once, for as long as an idle one needs many times over.
fn answers(port: u16) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a time");
    // Not connected: that nobody is there yet is then silence, and no error.
    socket.send_to(QUESTION, (Ipv4Addr::LOCALHOST, port)).expect("loopback takes it");
    socket.recv_from(&mut [0; 512]).is_ok_and(|(_, from)| from.port() == port)
}

/// Debian has it where an ordinary user's path does not lead.
fn snmpd() -> &'static str {
    let usual = "/usr/sbin/snmpd";
    if Path::new(usual).exists() { usual } else { "snmpd" }
}

fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.local_addr().expect("it is bound").port()
}

const WRITER: &str = "outlet = 3\ncommunity = \"opensesame\"";

#[test]
fn an_outlet_is_switched_and_tells_its_state_in_both_versions() {
    let agent = Agent::start();
    for version in ["1", "2c"] {
        let bench = agent.bench(&format!("{WRITER}\nversion = \"{version}\""));
        done(&bench, "on");
        assert_eq!(done(&bench, "status"), "fake1: on\n");
        done(&bench, "off");
        assert_eq!(done(&bench, "status"), "fake1: off\n");
    }
    assert_eq!(agent.orders(), "1 2 1 2 ");
}

#[test]
fn a_reset_is_the_switchs_own_unless_the_bench_file_says_how_long_it_is_off() {
    let agent = Agent::start();
    done(&agent.bench(WRITER), "on");
    done(&agent.bench(WRITER), "cycle");
    assert_eq!(agent.orders(), "1 3 ");
    done(&agent.bench(&format!("{WRITER}\noff_s = 0.1")), "cycle");
    assert_eq!(agent.orders(), "1 3 2 1 ");
}

#[test]
fn the_community_may_be_a_token() {
    let agent = Agent::start();
    let bench = agent.bench("outlet = 3\ncommunity = \"pdu\"");
    bench.write("community", "opensesame\n");
    done(&bench, "on");
}

#[test]
fn any_switch_can_be_described_by_its_objects() {
    let agent = Agent::start();
    let objects = "community = \"opensesame\"\noid = \".1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.3\"\non = 1\noff = 2\nreset = 3\n\
                   status = { oid = \"1.3.6.1.4.1.318.1.1.12.3.5.1.1.4.3\", on = 1, off = 2 }";
    let described =
        bench(&format!("driver = \"snmp\"\nhost = \"127.0.0.1\"\nport = {}\n{objects}", agent.port));
    for action in ["on", "cycle", "off"] {
        done(&described, action);
    }
    assert_eq!(done(&described, "status"), "fake1: off\n");
    assert_eq!(agent.orders(), "1 3 2 ");
}

#[test]
fn an_outlet_that_does_not_obey_is_told() {
    let agent = Agent::start();
    fs::write(agent.directory.path().join("stuck"), "").expect("an own directory");
    let words = ["it took the order, but 5 s later it says that it is still off"];
    refused(&agent.bench(WRITER), "on", 3, &words);
    let words = ["it took the order to restart, but in 10 s it was never off"];
    fs::write(agent.directory.path().join("state"), "1\n").expect("an own directory");
    refused(&agent.bench(WRITER), "cycle", 3, &words);
}

#[test]
fn a_community_that_is_not_known_is_told_as_silence_and_not_shown() {
    let agent = Agent::start();
    let bench = agent.bench("outlet = 3\ncommunity = \"hunter2\"");
    let words = ["no answer from 127.0.0.1:", "within 8 s (4 tries)", "does not know the community"];
    let told = refused(&bench, "on", 3, &words);
    assert!(!told.stderr.contains("hunter2") && !told.stdout.contains("hunter2"), "{told}");
}

#[test]
fn a_host_that_says_nothing_is_told_as_silence() {
    let deaf = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = deaf.local_addr().expect("it is bound").port();
    let power =
        format!("driver = \"snmp\"\nhost = \"127.0.0.1\"\nport = {port}\nmodel = \"apc-rpdu\"\n{WRITER}");
    refused(&bench(&power), "status", 3, &["no answer from 127.0.0.1:", "(4 tries)"]);
}

#[test]
fn an_outlet_that_the_switch_does_not_have_is_the_benchs_fault() {
    let agent = Agent::start();
    for version in ["1", "2c"] {
        let bench = agent.bench(&format!("outlet = 9\ncommunity = \"opensesame\"\nversion = \"{version}\""));
        refused(&bench, "status", 4, &["has no object 1.3.6.1.4.1.318.1.1.12.3.5.1.1.4.9", "`outlet`"]);
    }
}

#[test]
fn a_community_that_may_only_read_is_the_benchs_fault() {
    let agent = Agent::start();
    let bench =
        |version: &str| agent.bench(&format!("outlet = 3\ncommunity = \"looker\"\nversion = \"{version}\""));
    assert_eq!(done(&bench("2c"), "status"), "fake1: off\n");
    refused(
        &bench("2c"),
        "on",
        4,
        &["does not let 1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.3 be set", "right to write"],
    );
    refused(&bench("1"), "on", 4, &["noSuchName", "the community may not write"]);
    assert_eq!(agent.orders(), "");
}
