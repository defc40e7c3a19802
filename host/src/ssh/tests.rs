//! Against Debian's own OpenSSH server, one process per connection (`sshd -i`), so that no port needs to be chosen.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use russh::keys::ssh_key::LineEnding;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::net::Net;

const SSHD: &str = "/usr/sbin/sshd";

/// Upper bound of every wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on loopback, gone with this value.
struct Server {
    directory: tempfile::TempDir,
    address: SocketAddr,
    host_key: KeyPair,
    user_key: KeyPair,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    async fn start() -> Self {
        assert!(Path::new(SSHD).exists(), "{SSHD} is needed: apt-get install openssh-server");
        if rustix::process::geteuid().is_root() {
            // Where no service manager has made it, a server started by root refuses to run without.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        let (host_key, user_key) = (KeyPair::generate(), KeyPair::generate());
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            path
        };
        let host_key_file = file("host_key", &host_key.private().to_openssh(LineEnding::LF).unwrap());
        let authorized_keys =
            file("authorized_keys", &format!("{}\n", user_key.authorized_keys_line("test")));
        let config = file(
            "sshd_config",
            &format!(
                "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
                 PasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n",
                host_key_file.display(),
                authorized_keys.display()
            ),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn(accept(listener, config, Arc::clone(&connections)));
        Self { directory, address, host_key, user_key, connections, accepting }
    }

    fn target(&self) -> SshTarget {
        SshTarget {
            net: Net::Host,
            address: self.address,
            user: current_user(),
            key: self.user_key.clone(),
            host_keys: host_keys(&self.host_key),
        }
    }

    async fn session(&self) -> SshSession {
        connect(&self.target(), Instant::now() + PATIENCE, |error| panic!("{error}")).await.unwrap()
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }
}

async fn accept(listener: TcpListener, config: PathBuf, connections: Arc<AtomicUsize>) {
    let mut servers = Vec::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.fetch_add(1, Ordering::Relaxed);
        servers.push(serve(stream, &config));
    }
}

fn serve(stream: TcpStream, config: &Path) -> tokio::process::Child {
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    let input = std::os::fd::OwnedFd::from(stream.try_clone().unwrap());
    tokio::process::Command::new(SSHD)
        .args(["-i", "-e", "-f"])
        .arg(config)
        .stdin(input)
        .stdout(std::os::fd::OwnedFd::from(stream))
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn current_user() -> String {
    let output = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn host_keys(key: &KeyPair) -> HostKeys {
    let line = key.authorized_keys_line("root@debian");
    HostKeys::from_public_key_files(&[("ssh_host_ed25519_key.pub", line.as_bytes())]).unwrap()
}

#[tokio::test]
async fn every_byte_value_goes_there_and_back() {
    let server = Server::start().await;
    let session = server.session().await;
    let sent: Vec<u8> = (0..=255).cycle().take(300 * 1000).collect();
    let (mut output, mut input) = tokio::io::split(session.exec("cat").await.unwrap());
    let mut received = Vec::new();
    let writing = async {
        input.write_all(&sent).await.unwrap();
        input.shutdown().await.unwrap();
    };
    let (_, read) = tokio::join!(writing, output.read_to_end(&mut received));
    read.unwrap();
    assert!(received == sent, "{} bytes came back of {}", received.len(), sent.len());
    session.close().await;
}

#[tokio::test]
async fn a_command_ends_with_its_status_and_errors() {
    let server = Server::start().await;
    let session = server.session().await;
    let mut channel = session.exec("echo out; echo bad >&2; exit 7").await.unwrap();
    let mut text = String::new();
    channel.read_to_string(&mut text).await.unwrap();
    let end = channel.finish(PATIENCE).await.unwrap();
    assert_eq!(
        (text.as_str(), end),
        ("out\n", ExecEnd { status: ExecStatus::Code(7), stderr: "bad\n".to_owned() })
    );

    let end = session.exec("kill -KILL $$").await.unwrap().finish(PATIENCE).await.unwrap();
    assert_eq!(end.status, ExecStatus::Signal("KILL".to_owned()));
}

#[tokio::test]
async fn output_that_nobody_reads_does_not_hold_up_the_end() {
    let server = Server::start().await;
    let session = server.session().await;
    let channel = session.exec("head -c 5000000 /dev/zero").await.unwrap();
    assert_eq!(channel.finish(PATIENCE).await.unwrap().status, ExecStatus::Code(0));
}

#[tokio::test]
async fn an_upload_arrives_whole_with_its_mode_and_replaces_what_was_there() {
    let server = Server::start().await;
    let session = server.session().await;
    let path = server.path("new dir/it's/agent");
    let content: Vec<u8> = (0..=255).cycle().take(1_000_001).collect();
    session.upload(&path, 0o755, &content).await.unwrap();
    assert!(fs::read(&path).unwrap() == content);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o755);

    session.upload(&path, 0o600, b"").await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(Path::new(&path).parent().unwrap()).unwrap().count(), 1);
}

#[tokio::test]
async fn an_upload_that_cannot_be_written_is_told_in_the_shells_words() {
    let server = Server::start().await;
    let session = server.session().await;
    let error = session.upload("/dev/null/agent", 0o755, &vec![0; 1_000_000]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("upload to /dev/null/agent failed with exit status 1: mkdir: "), "{text}");
}

#[tokio::test]
async fn a_key_that_is_not_authorized_is_refused_at_once() {
    let server = Server::start().await;
    let target = SshTarget { key: KeyPair::generate(), ..server.target() };
    let error = connect(&target, Instant::now() + PATIENCE, |error| panic!("{error}")).await.unwrap_err();
    assert_eq!(error.to_string(), "Permission denied (publickey)");
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn another_host_key_is_refused_at_once_with_both_fingerprints() {
    let server = Server::start().await;
    let other = KeyPair::generate();
    let target = SshTarget { host_keys: host_keys(&other), ..server.target() };
    let error = connect(&target, Instant::now() + PATIENCE, |error| panic!("{error}")).await.unwrap_err();
    let fingerprint = |key: &KeyPair| key.private().fingerprint(russh::keys::HashAlg::Sha256);
    let expected = format!(
        "host key differs: expected ssh-ed25519 {}, the host offered ssh-ed25519 {}",
        fingerprint(&other),
        fingerprint(&server.host_key)
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_port_is_tried_until_the_deadline_and_told_in_the_systems_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let key = KeyPair::generate();
    let host_keys = host_keys(&key);
    let target = SshTarget { net: Net::Host, address, user: "root".to_owned(), key, host_keys };
    let mut retries = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    let error = connect(&target, deadline, |error| retries.push(error.to_string())).await.unwrap_err();
    assert_eq!(retries, ["Connection refused (os error 111)"; 9]);
    let expected = format!(
        "no SSH connection to root@{address} after 10 attempts in 9.2s: Connection refused (os error 111)"
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_says_nothing_is_given_up_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let key = KeyPair::generate();
    let (address, host_keys) = (listener.local_addr().unwrap(), host_keys(&key));
    let target = SshTarget { net: Net::Host, address, user: "root".to_owned(), key, host_keys };
    let error = connect(&target, Instant::now() + Duration::from_secs(40), |_| ()).await.unwrap_err();
    assert!(
        error.to_string().ends_with("after 2 attempts in 40.0s: no SSH handshake within 9.95s"),
        "{error}"
    );
}

#[tokio::test]
async fn a_host_that_hangs_up_at_first_is_tried_again() {
    let server = Server::start().await;
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = SshTarget { address: front.local_addr().unwrap(), ..server.target() };
    let behind = server.address;
    let proxy = tokio::spawn(async move {
        drop(front.accept().await.unwrap());
        let (mut client, _) = front.accept().await.unwrap();
        let mut server = TcpStream::connect(behind).await.unwrap();
        // Ends when either side does.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    let mut retries = 0;
    let session = connect(&target, Instant::now() + PATIENCE, |_| retries += 1).await.unwrap();
    assert_eq!(retries, 1);

    let channel = session.exec("cat").await.unwrap();
    proxy.abort();
    let error = channel.finish(PATIENCE).await.unwrap_err();
    assert!(matches!(error, SshError::Lost { .. }), "{error}");
    let error = session.exec("true").await.unwrap_err();
    assert!(matches!(error, SshError::Lost { .. }), "{error}");
}

#[tokio::test]
async fn a_host_that_falls_silent_is_noticed_by_its_missing_answers() {
    let server = Server::start().await;
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = SshTarget { address: front.local_addr().unwrap(), ..server.target() };
    let behind = server.address;
    let (silence, silenced) = tokio::sync::oneshot::channel::<()>();
    let _proxy = tokio::spawn(async move {
        let (mut client, _) = front.accept().await.unwrap();
        let mut server = TcpStream::connect(behind).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
            _ = silenced => {}
        }
        // Both connections stay open.
        std::future::pending::<()>().await;
    });
    let session = connect(&target, Instant::now() + PATIENCE, |error| panic!("{error}")).await.unwrap();
    let channel = session.exec("cat").await.unwrap();
    silence.send(()).unwrap();
    tokio::time::pause();
    let started = Instant::now();
    let error = channel.finish(Duration::from_secs(300)).await.unwrap_err();
    assert_eq!(error.to_string(), "SSH connection lost: Keepalive timeout");
    assert!(started.elapsed() < Duration::from_secs(40), "noticed after {:?}", started.elapsed());
}

#[tokio::test]
async fn a_dropped_channel_ends_the_input_of_its_command() {
    let server = Server::start().await;
    let session = server.session().await;
    let path = server.path("ended");
    let channel = session.exec(&format!("cat; touch {path}")).await.unwrap();
    drop(channel);
    let appeared = async {
        while !Path::new(&path).exists() {
            session.exec("true").await.unwrap().finish(PATIENCE).await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, appeared).await.expect("the command goes on at the end of its input");
}

#[test]
fn an_authorized_keys_line_is_one_line() {
    let line = KeyPair::generate().authorized_keys_line("job 1\nssh-rsa AAAA evil");
    assert!(line.starts_with("ssh-ed25519 AAAA") && line.ends_with(" job 1 ssh-rsa AAAA evil"), "{line}");
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn a_private_key_does_not_show_in_debug_output() {
    let key = KeyPair::generate();
    assert!(format!("{key:?}").starts_with("KeyPair(\"SHA256:"));
}

#[test]
fn a_host_without_usable_keys_is_never_trusted() {
    let error = HostKeys::from_public_key_files(&[]).unwrap_err();
    assert!(error.to_string().starts_with("no host key is known"), "{error}");
    let garbage = HostKeys::from_public_key_files(&[("ssh_host_rsa_key.pub", b"ssh-rsa \xff")]).unwrap_err();
    assert_eq!(garbage.to_string(), "ssh_host_rsa_key.pub is not a public key");
}
