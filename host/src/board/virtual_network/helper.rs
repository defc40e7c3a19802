//! The helper inside the namespace: single-threaded, blocking, lives as long as the runner holds the other end of its socket.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitCode};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::Refusal;
use super::process::Exit;
use super::wire::{self, Answer, Family, Kind, Packet, Request};

/// First argument that makes the program the helper: see [`helper_main`].
pub const HELPER_COMMAND: &str = "virtual-network";

/// Serves the runner at the other end of standard input, a Unix seqpacket socket, until that end is closed.
///
/// To be called by the program before it starts any thread, when its first argument is [`HELPER_COMMAND`].
/// Every process that it started is dead when it returns.
pub fn helper_main() -> ExitCode {
    let socket = io::stdin();
    if rustix::net::sockopt::socket_type(&socket) != Ok(SocketType::SEQPACKET) {
        return fail(&format!("`{HELPER_COMMAND}` is for host-runner itself, which starts it with a socket"));
    }
    let mut helper = Helper { socket: socket.as_fd(), processes: Vec::new() };
    let served = helper.serve();
    helper.kill_all();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(text: &str) -> ExitCode {
    // Without a reader there is nobody to tell.
    let _ = writeln!(io::stderr(), "host-runner: {text}");
    ExitCode::FAILURE
}

struct Helper<'a> {
    socket: BorrowedFd<'a>,
    processes: Vec<Supervised>,
}

/// A started process.
struct Supervised {
    child: Child,
    pidfd: OwnedFd,
    lifeline: OwnedFd,
    /// Whether it was killed, so that its closed lifeline says nothing new.
    killed: bool,
}

impl Helper<'_> {
    fn serve(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.wait()?;
            if ready.pop_front() == Some(true) && !self.handle_request()? {
                return Ok(());
            }
            let mut processes = Vec::with_capacity(self.processes.len());
            for mut process in self.processes.drain(..) {
                // Without a value the process was started just now.
                let exited = ready.pop_front().unwrap_or(false);
                let released = ready.pop_front().unwrap_or(false);
                if exited {
                    process.report_exit()?;
                    continue;
                }
                if released && !process.killed {
                    process.kill();
                }
                processes.push(process);
            }
            self.processes = processes;
        }
    }

    /// Waits for an event. Readiness of: the socket, then exit and lifeline of each process.
    fn wait(&self) -> io::Result<VecDeque<bool>> {
        let mut fds = vec![PollFd::from_borrowed_fd(self.socket, PollFlags::IN)];
        for process in &self.processes {
            fds.push(PollFd::new(&process.pidfd, PollFlags::IN));
            let lifeline = if process.killed { &process.pidfd } else { &process.lifeline };
            fds.push(PollFd::new(lifeline, PollFlags::IN));
        }
        loop {
            match poll(&mut fds, None) {
                Ok(_) => return Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Handles one request; `false` when the runner is gone.
    fn handle_request(&mut self) -> io::Result<bool> {
        let Some((packet, fds)) = wire::receive::<Packet<Request>>(self.socket)? else {
            return Ok(false);
        };
        let (answer, fds) = match packet.body {
            Request::SetUp(layout) => (layout.set_up().map(|()| Answer::Ready), Vec::new()),
            Request::Socket { family, kind } => match make_socket(family, kind) {
                Ok(socket) => (Ok(Answer::Socket), vec![socket]),
                Err(errno) => (Err(Refusal::Socket { errno: errno.raw_os_error() }), Vec::new()),
            },
            Request::Spawn { argv } => (self.spawn(&argv, fds), Vec::new()),
        };
        let body = answer.unwrap_or_else(Answer::Refused);
        match wire::send(self.socket, &Packet { id: packet.id, body }, &fds) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            sent => sent.map(|()| true),
        }
    }

    fn spawn(&mut self, argv: &[OsString], fds: Vec<OwnedFd>) -> Result<Answer, Refusal> {
        let Ok([stdin, stdout, stderr, lifeline]) = <[OwnedFd; 4]>::try_from(fds) else {
            return Err(Refusal::Unexpected);
        };
        let refused =
            |error: io::Error| Refusal::Program { program: "setpriv".to_owned(), reason: error.to_string() };
        // The signal covers the one death that the end of the socket cannot: the helper's own, by SIGKILL.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .args(argv)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .map_err(refused)?;
        let pid = child.id();
        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(pidfd) => {
                self.processes.push(Supervised { child, pidfd, lifeline, killed: false });
                Ok(Answer::Spawned { pid })
            }
            Err(errno) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(refused(errno.into()))
            }
        }
    }

    fn kill_all(&mut self) {
        for mut process in self.processes.drain(..) {
            process.kill();
            let _ = process.child.wait();
        }
    }
}

impl Supervised {
    fn kill(&mut self) {
        // It may have ended by itself, unreaped; then there is nothing to kill.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.kill();
        self.killed = true;
    }

    /// Reaps the process and says over its lifeline how it ended.
    fn report_exit(mut self) -> io::Result<()> {
        let status = self.child.wait()?;
        let exit = match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        };
        // The runner may not want to know any more.
        let _ =
            rustix::net::send(&self.lifeline, &serde_json::to_vec(&exit)?, rustix::net::SendFlags::NOSIGNAL);
        Ok(())
    }
}

fn make_socket(family: Family, kind: Kind) -> rustix::io::Result<OwnedFd> {
    let family = match family {
        Family::V4 => AddressFamily::INET,
        Family::V6 => AddressFamily::INET6,
    };
    let kind = match kind {
        Kind::Udp => SocketType::DGRAM,
        Kind::Tcp => SocketType::STREAM,
    };
    rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}
