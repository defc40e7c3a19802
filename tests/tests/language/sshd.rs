//! OpenSSH's own server on this PC.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use testbench::harness::{PATIENCE, Testbench};

/// OpenSSH's server with one host key and one user's key; killed when it is dropped.
pub(crate) struct Sshd {
    child: Child,
    pub(crate) port: u16,
    pub(crate) host_key: String,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a key pair, and returns the public one.
pub(crate) fn make_key(path: &Path) -> String {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
    assert!(made.expect("ssh-keygen runs (Debian package openssh-client)").success());
    let public = fs::read_to_string(path.with_extension("pub")).expect("ssh-keygen wrote it");
    public.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

impl Sshd {
    pub(crate) fn start(bench: &Testbench) -> Self {
        let directory = bench.path().join("sshd");
        fs::create_dir(&directory).expect("an own directory");
        let host_key = make_key(&directory.join("host"));
        fs::write(directory.join("authorized"), make_key(&bench.path().join("id")))
            .expect("an own directory");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let port = free.expect("a free port").port();
        let path = |name: &str| directory.join(name).display().to_string();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nHostKey {}\nAuthorizedKeysFile {}\n",
            path("host"),
            path("authorized")
        );
        fs::write(path("config"), config).expect("an own directory");
        // Its service makes it; sshd itself says so if it is missing.
        let _ = fs::create_dir("/run/sshd");
        let log = fs::File::create(path("log")).expect("an own directory");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &path("config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("OpenSSH's server runs (Debian package openssh-server)");
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < until, "sshd: {}", fs::read_to_string(path("log")).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port, host_key }
    }

    /// The bench's text: a board that is this server.
    pub(crate) fn bench(&self, bench: &Testbench, host_key: &str) -> String {
        let user = user();
        format!(
            "\
[agent]
directory = \"agent\"
[cache]
directory = \"cache\"
[boards.server]
type = \"ssh\"
arch = \"x86_64\"
device_types = [\"fake-board\"]
console = \"none\"
[boards.server.ssh]
host = \"127.0.0.1\"
port = {}
user = {user:?}
identity_file = \"{}\"
host_key = {host_key:?}
",
            self.port,
            bench.path().join("id").display(),
        )
    }
}

/// The user whom the server lets in.
pub(crate) fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "root".to_owned())
}
