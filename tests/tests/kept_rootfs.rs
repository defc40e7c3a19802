//! `host-runner rootfs`: what a run has kept is looked into, saved, served again, and survives `kill -9`.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use host_runner::rootfs::Lower;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use testbench::harness::{PATIENCE, host_runner};
use testbench::kept_run;
use testbench::nfs_client::{Client, Xdr};
use testbench::printed::{Printed, read};

const WRITE: u32 = 7;
const READ: u32 = 6;
const REMOVE: u32 = 12;

/// A run's directory with one kept root filesystem.
struct Kept {
    directory: TempDir,
    server: SocketAddr,
}

impl Kept {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("writable");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let server = free.expect("a free port");
        let files = [("etc/hostname", 6, &b"board\n"[..]), ("etc/motd", 6, b"hello\n")];
        let (layer, _) = kept_run::make(directory.path(), server, files).expect("writable");
        layer.write_file("/etc/hostname", 0o644, b"changed\n").expect("there is room");
        layer.make_dirs("/root/new", 0o755).expect("there is room");
        Self { directory, server }
    }

    fn run(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(host_runner());
        command.current_dir(self.run()).arg("rootfs").args(words);
        command
    }

    fn rootfs(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("it starts")
    }

    /// Starts to serve, and connects.
    fn serve(&self, options: &[&str]) -> (Server, Client) {
        let mut command = self.command(&["serve", "run"]);
        command.args(options);
        let server = Server::start(command);
        server.stdout.wait_for("serving ", PATIENCE).expect("it serves");
        (server, self.connect())
    }

    fn connect(&self) -> Client {
        Client::connect(self.server).expect("it listens")
    }
}

/// A program that serves; killed when dropped, and with it what it has started.
struct Server {
    child: Child,
    stdout: Arc<Printed>,
    stderr: Arc<Printed>,
}

impl Server {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("it starts");
        let [stdout, stderr] = [(); 2].map(|()| Arc::new(Printed::default()));
        read(child.stdout.take().expect("piped"), Arc::clone(&stdout));
        read(child.stderr.take().expect("piped"), Arc::clone(&stderr));
        Self { child, stdout, stderr }
    }

    /// Kills it, unless it has ended, and waits until it is gone.
    fn kill(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // What it has started is in its group. Ended meanwhile is as good.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_a_job_changed_is_listed_shown_and_saved() {
    let kept = Kept::new();
    let diff = kept.rootfs(&["diff", "run"]);
    assert_eq!(
        text(&diff.stdout),
        "modified   /etc/hostname\nadded      /root\nadded      /root/new\n",
        "{}",
        text(&diff.stderr)
    );
    let json = kept.rootfs(&["diff", "run", "--json"]);
    assert!(text(&json.stdout).starts_with("{\"path\":\"/etc/hostname\",\"change\":\"modified\"}\n"));
    assert_eq!(text(&kept.rootfs(&["cat", "run", "/etc/hostname"]).stdout), "changed\n");
    let list = text(&kept.rootfs(&["ls", "run", "/etc"]).stdout);
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].starts_with("-rw-r--r-- 1 0 0 8 "), "{list}");
    assert!(lines[0].ends_with(" hostname") && lines[1].ends_with(" motd"), "{list}");
    assert!(kept.rootfs(&["export", "run", "--tar", "after.tar"]).status.success());
    let again = Lower::from_tar(&kept.run().join("after.tar")).expect("a tar");
    assert_eq!(again.inode_count(), 6);
    let twice = kept.rootfs(&["export", "run", "--tar", "after.tar"]);
    assert_eq!(twice.status.code(), Some(2), "an existing file is not written to");
    assert!(kept.rootfs(&["rm", "run"]).status.success());
    assert!(!kept.run().join("run/rootfs/board").exists());
}

#[test]
fn what_cannot_be_opened_is_told_with_what_to_do() {
    let kept = Kept::new();
    let nowhere = kept.rootfs(&["diff", "nowhere"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere.stderr).contains("there is no such directory"), "{}", text(&nowhere.stderr));
    fs::create_dir(kept.run().join("empty")).expect("writable");
    let none = kept.rootfs(&["diff", "empty"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("--keep-rootfs"), "{}", text(&none.stderr));
    fs::create_dir(kept.run().join("run/rootfs/other")).expect("writable");
    let several = text(&kept.rootfs(&["diff", "run"]).stderr);
    assert!(several.contains("board") && several.contains("--node"), "{several}");
    let (mut server, _client) = kept.serve(&["--node", "board"]);
    let busy = kept.rootfs(&["diff", "run", "--node", "board"]);
    assert_eq!(busy.status.code(), Some(3));
    assert!(text(&busy.stderr).contains("another process is using the layer"), "{}", text(&busy.stderr));
    server.kill();
    fs::remove_file(kept.run().join("rootfs.tar")).expect("it is there");
    let gone = text(&kept.rootfs(&["ls", "run", "--node", "board"]).stderr);
    assert!(gone.contains("http://example.org/rootfs.tar") && gone.contains("not in the cache"), "{gone}");
}

#[test]
fn a_server_that_is_killed_goes_on_under_the_same_handles() -> io::Result<()> {
    let kept = Kept::new();
    let (mut server, mut client) = kept.serve(&[]);
    let root = client.mount("/job/rootfs")?;
    let file = client.create(&root, "written")?;
    let mut verifiers = Vec::new();
    for round in 0..5_u8 {
        let data = vec![round; 100_000];
        let write =
            Xdr::default().opaque(&file).u64(u64::from(round) * 100_000).u32(100_000).u32(0).opaque(&data);
        let results = client.nfs(WRITE, &write)?.to_vec();
        verifiers.push(results[results.len() - 8..].to_vec());
        // Two servers cannot have one port.
        server.kill();
        (server, client) = kept.serve(&[]);
        let read = Xdr::default().opaque(&file).u64(u64::from(round) * 100_000).u32(100_000);
        let results = client.nfs(READ, &read)?;
        assert!(results.ends_with(&data), "what was answered in round {round} is there");
    }
    assert!(verifiers.iter().all(|verifier| *verifier == verifiers[0]), "{verifiers:?}");
    assert_eq!(client.lookup(&root, "written")?, file);
    Ok(())
}

/// Serves from a disk of 4 MiB, of which the log reserves one, until it is killed, and then says what the job has changed.
const ON_A_SMALL_DISK: &str = "PATH=$PATH:/usr/sbin:/sbin
    cp -a run/rootfs/board copy
    mount -t tmpfs -o size=4m tmpfs run/rootfs/board
    cp -a copy/. run/rootfs/board
    \"$0\" rootfs serve run >&2 &
    echo $! > pid
    wait $! || true
    \"$0\" rootfs diff run";

#[test]
fn a_disk_that_is_full_ends_writes_and_nothing_that_was_answered_is_lost() -> io::Result<()> {
    const PIECE: usize = 64 << 10;
    let kept = Kept::new();
    let mut namespace = Command::new("unshare");
    namespace.args(["--user", "--map-root-user", "--mount", "sh", "-ec", ON_A_SMALL_DISK]).arg(host_runner());
    namespace.current_dir(kept.run());
    let namespace = Server::start(namespace);
    namespace.stderr.wait_for("serving ", PATIENCE).expect("it serves");
    let mut client = kept.connect();
    let root = client.mount("/job/rootfs")?;
    let piece = |file: &[u8], number: u8| {
        let at = u64::from(number) * PIECE as u64;
        Xdr::default().opaque(file).u64(at).u32(PIECE as u32).u32(0).opaque(&[number + 1; PIECE])
    };
    let [ballast, big, late] =
        ["ballast", "big", "late"].map(|name| client.create(&root, name).expect("there is room"));
    client.nfs(WRITE, &piece(&ballast, 0))?;
    let mut written = 0;
    let error = loop {
        match client.nfs(WRITE, &piece(&big, written)) {
            Ok(_) => written += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("[0, 0, 0, 28]"), "not ENOSPC, but: {error}");
    assert!((32..48).contains(&written), "{written} pieces of 64 KiB on a disk of 4 MiB");
    for number in 0..written {
        let read = Xdr::default().opaque(&big).u64(u64::from(number) * PIECE as u64).u32(PIECE as u32);
        assert!(client.nfs(READ, &read)?.ends_with(&[number + 1; PIECE]), "piece {number}");
    }
    client.nfs(REMOVE, &Xdr::default().opaque(&root).opaque(b"ballast"))?;
    client.nfs(WRITE, &piece(&late, 0))?;
    let pid = fs::read_to_string(kept.run().join("pid"))?.trim().parse().map_err(io::Error::other)?;
    kill_process(Pid::from_raw(pid).expect("the server's"), Signal::KILL)?;
    for printed in [&namespace.stdout, &namespace.stderr] {
        printed.wait_for_end(PATIENCE).expect("it ends");
    }
    let (output, complaints) = (namespace.stdout.text(), namespace.stderr.text());
    let changed = "added      /big\nmodified   /etc/hostname\nadded      /late\nadded      /root\nadded      /root/new\n";
    assert_eq!(output, changed, "{complaints}");
    assert!(!complaints.contains("repaired"), "{complaints}");
    Ok(())
}
