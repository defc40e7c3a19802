//! A running board, played by OpenSSH's server on this PC. What it installs goes below a directory of the fixture.

use std::fs::{self, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use testbench::harness::{OrdinaryUser, PATIENCE};

use crate::fixture::{Ended, Fixture, listing, script, tool};

/// A server, and the user's own `ssh` that knows it.
pub(crate) struct Board {
    pub(crate) fixture: Fixture,
    port: u16,
    sshd: Child,
}

impl Drop for Board {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

impl Board {
    /// A board whose shell finds programs in `path` only.
    pub(crate) fn new(path: impl Fn(&Fixture) -> String) -> Self {
        Self::with_shell(path, "")
    }

    /// The same for a log-in as an ordinary user, whose the root filesystem is.
    pub(crate) fn of_user(path: impl Fn(&Fixture) -> String) -> Self {
        let id = OrdinaryUser::id();
        let become_user = format!("/usr/bin/setpriv --reuid={id} --regid={id} --clear-groups");
        let board = Self::with_shell(path, if OrdinaryUser::is_another() { &become_user } else { "" });
        OrdinaryUser::new().own(&board.fixture.root());
        fs::set_permissions(board.fixture.path(""), Permissions::from_mode(0o755)).unwrap();
        board
    }

    fn with_shell(path: impl Fn(&Fixture) -> String, become_user: &str) -> Self {
        let fixture = Fixture::new();
        for name in ["host_key", "key"] {
            tool(
                Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                    .arg(fixture.path(name)),
            );
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let shell = format!("PATH='{}' exec {become_user} sh -c \"$SSH_ORIGINAL_COMMAND\"", path(&fixture));
        script(&fixture.path("shell"), &shell);
        let file = |name: &str| fixture.path(name).display().to_string();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nAuthorizedKeysFile {}\nHostKey {}\n\
             ForceCommand {}\n",
            file("key.pub"),
            file("host_key"),
            file("shell")
        );
        fs::write(fixture.path("sshd_config"), config).unwrap();
        let host_key = fs::read_to_string(fixture.path("host_key.pub")).unwrap();
        fs::write(fixture.path("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        // Its service makes it; sshd itself says so if it is missing.
        let _ = fs::create_dir("/run/sshd");
        let log = fs::File::create(fixture.path("sshd.log")).unwrap();
        let sshd = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(fixture.path("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(log))
            .spawn()
            .expect("OpenSSH's server (Debian package openssh-server)");
        let board = Self { fixture, port, sshd };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(board.fixture.path("sshd.log")).unwrap();
            assert!(started.elapsed() < PATIENCE, "sshd does not listen: {log}");
            std::thread::yield_now();
        }
        board.configure();
        board
    }

    /// What a user has in `~/.ssh/config`, which no test may touch.
    fn configure(&self) {
        let file = |name: &str| self.fixture.path(name).display().to_string();
        let config = format!(
            "Host board\n  HostName 127.0.0.1\n  Port {}\nHost *\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             BatchMode yes\n  UserKnownHostsFile {}\n  StrictHostKeyChecking yes\n",
            self.port,
            file("key"),
            file("known_hosts")
        );
        fs::write(self.fixture.path("config"), config).unwrap();
        fs::create_dir(self.fixture.path("bin")).unwrap();
        let ssh = format!("exec /usr/bin/ssh -F '{}' \"$@\"", file("config"));
        script(&self.fixture.path("bin/ssh"), &ssh);
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        let mut command = self.fixture.command(words);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.fixture.path("bin").display()));
        Ended::new(&command.output().unwrap())
    }

    pub(crate) fn root(&self) -> String {
        self.fixture.root().display().to_string()
    }

    pub(crate) fn assert_life(&self, target: &str) {
        let (root, before) = (self.root(), listing(&self.fixture.root()));
        let target = [target, "--root", &root];
        let run = |words: &[&str]| self.run(&[words, &target].concat());
        run(&["status"]).assert(1, &["no agent is installed (it is for x86_64)"]);
        run(&["install", "--agents", "earlier"]).assert(0, &["lava-agent 0.0.9 for x86_64 is installed"]);
        run(&["install", "--agents", "agents"]).assert(0, &["has replaced lava-agent 0.0.9"]);
        run(&["install", "--agents", "agents"]).assert(0, &["nothing to do"]);
        run(&["status"]).assert(0, &["in /usr/lib/lava-agent, protocol 1, whole"]);
        self.fixture.assert_files(&self.fixture.root());
        fs::write(self.fixture.root().join("usr/lib/lava-agent/bin/lava-agent"), "else").unwrap();
        run(&["status"]).assert(1, &["bin/lava-agent is not the file that was installed"]);
        run(&["install", "--agents", "agents"]).assert(0, &["is put right"]);
        self.fixture.assert_files(&self.fixture.root());
        run(&["remove"]).assert(0, &["is removed"]);
        assert_eq!(listing(&self.fixture.root()), before);
        run(&["remove"]).assert(0, &["no agent is installed"]);
    }
}

/// BusyBox's programs in a directory, and nothing else.
pub(crate) fn busybox(fixture: &Fixture) -> String {
    let directory: PathBuf = fixture.path("busybox");
    fs::create_dir(&directory).unwrap();
    tool(Command::new("busybox").args(["--install", "-s"]).arg(&directory));
    directory.display().to_string()
}

#[test]
fn an_agent_lives_on_a_board_with_debians_shell() {
    let board = Board::new(|_| "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
    board.assert_life("ssh:board");
    board.assert_life(&format!("ssh://127.0.0.1:{}", board.port));
}

#[test]
fn an_agent_lives_on_a_board_with_busybox() {
    Board::new(busybox).assert_life("ssh:board");
}

#[test]
fn nothing_is_written_where_links_of_another_root_lead_out_of_it() {
    let board = Board::new(|_| "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
    let outside = board.fixture.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::remove_dir_all(board.fixture.root().join("usr/lib")).unwrap();
    std::os::unix::fs::symlink(&outside, board.fixture.root().join("usr/lib")).unwrap();
    let ended = board.run(&["install", "--agents", "agents", "ssh:board", "--root", &board.root()]);
    ended.assert(3, &["/usr/lib leads out of"]);
    assert!(listing(&outside).is_empty());
}

#[test]
fn what_others_have_put_there_is_left_alone() {
    let board = Board::new(|_| "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
    fs::create_dir(board.fixture.root().join("usr/lib/lava-agent")).unwrap();
    fs::write(board.fixture.root().join("usr/lib/lava-agent/notes"), "of somebody else").unwrap();
    let before = listing(&board.fixture.root());
    for words in [&["install", "--agents", "agents"][..], &["remove"]] {
        let ended = board.run(&[words, &["ssh:board", "--root", &board.root()]].concat());
        ended.assert(3, &["/usr/lib/lava-agent is there and is not of an installation"]);
    }
    assert_eq!(listing(&board.fixture.root()), before);
}

#[test]
fn a_board_beyond_reach_is_told_with_what_to_do() {
    let board = Board::new(|_| "/usr/bin:/bin".to_owned());
    fs::write(board.fixture.path("known_hosts"), "").unwrap();
    board
        .run(&["status", "ssh:board"])
        .assert(3, &["Host key verification failed", "try `ssh` by hand first"]);
}

/// The installation ends where the shell does: between what is made beside and what takes its place.
#[test]
fn an_installation_that_was_killed_is_told_and_finished_by_the_next() {
    for (tool, before, said) in [
        ("mv", &[][..], "usr/lib/.lava-agent-new and 1 more are left"),
        // What is there already is out of the way then.
        ("mv", &["earlier"], "usr/lib/.lava-agent-new and 2 more are left"),
        ("ln", &[], "usr/lib/.lava-agent-new is left"),
    ] {
        let board = Board::new(|fixture| format!("{}:/usr/bin:/bin", fixture.path("stand-ins").display()));
        let root = board.root();
        let run = |words: &[&str]| board.run(&[words, &["ssh:board", "--root", &root]].concat());
        for agents in before {
            run(&["install", "--agents", agents]).assert(0, &["is installed"]);
        }
        fs::create_dir(board.fixture.path("stand-ins")).unwrap();
        let stand_in = board.fixture.path("stand-ins").join(tool);
        // The second move of two, where there are two.
        let kill = format!("case $* in */.lava-agent-old) exec /bin/{tool} \"$@\";; esac\nkill -KILL $PPID");
        script(&stand_in, &kill);
        run(&["install", "--agents", "agents"]).assert(3, &[]);
        let ended = run(&["status"]);
        ended.assert(1, &["an incomplete lava-agent in /usr/lib/lava-agent", said, "help: install it again"]);
        fs::remove_file(&stand_in).unwrap();
        run(&["install", "--agents", "agents"]).assert(0, &["is put right"]);
        run(&["status"]).assert(0, &["whole"]);
        board.fixture.assert_files(&board.fixture.root());
        run(&["remove"]).assert(0, &["is removed"]);
        let left = listing(&board.fixture.root());
        assert!(left.keys().all(|path| !path.contains("lava")), "{left:?}");
    }
}
