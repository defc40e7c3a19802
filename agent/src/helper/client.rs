//! A helper's connection to the agent: one packet per message over a Unix socket.

use protocol::helper::{Call, Reply};
use protocol::limits::MAX_MESSAGE;
use rustix::fd::OwnedFd;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, SocketAddrUnix};

use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::path::PathText;
use crate::socket::{MAX_CALL, RUN_VARIABLE, SOCKET_VARIABLE, packet_socket};
use crate::stdio;

/// Why a helper that needs the agent does nothing elsewhere.
pub(crate) const NO_RUN: Failure =
    Failure::Plain("LAVA_AGENT_SOCKET is not set: this works only inside a test that host-runner runs");

/// An open connection to the agent.
pub(crate) struct Client<'a> {
    helper: &'a str,
    /// The runner's number for the script that it was called from.
    run: u32,
    socket: OwnedFd,
}

impl<'a> Client<'a> {
    /// Connects to the agent that the environment names.
    ///
    /// # Errors
    /// Says what is missing if there is no run, and the errno if the agent cannot be reached.
    pub(crate) fn connect(invocation: &Invocation<'a>) -> Result<Self, Failure> {
        let path = invocation.variable(SOCKET_VARIABLE).ok_or(NO_RUN)?;
        let refused = "cannot reach the agent at LAVA_AGENT_SOCKET";
        let path = PathText::join(&[path.as_bytes()]).ok_or(Failure::System(refused, Errno::NAMETOOLONG))?;
        let address = SocketAddrUnix::new(path.as_c_str()).map_err(Failure::system(refused))?;
        let socket = packet_socket().map_err(Failure::system(refused))?;
        retry_on_intr(|| rustix::net::connect(&socket, &address)).map_err(Failure::system(refused))?;
        let run = invocation.variable(RUN_VARIABLE).and_then(|run| run.parse().ok()).unwrap_or(0);
        Ok(Self { helper: invocation.name(), run, socket })
    }

    /// Asks and hands every part of the answer to `take`.
    ///
    /// # Errors
    /// [`Failure::Said`] after the runner's reason was said, or what was wrong with the connection.
    pub(crate) fn call(
        &self,
        call: &Call<'_>,
        take: &mut dyn FnMut(&Reply<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut buffer = [0; MAX_CALL];
        // As a `Packet` goes over the wire.
        let packet = postcard::to_slice(&(self.run, call), &mut buffer)
            .map_err(|_| Failure::Plain("the arguments are too long for one message (2 KiB in all)"))?;
        match retry_on_intr(|| rustix::net::send(&self.socket, packet, SendFlags::NOSIGNAL)) {
            // It has ended the connection, and may have said why.
            Ok(_) | Err(Errno::PIPE) => {}
            Err(errno) => return Err(Failure::System("cannot send to the agent", errno)),
        }
        let mut buffer = [0; MAX_MESSAGE];
        loop {
            let count = match rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((count, _)) => count,
                // It has ended the connection before it took the call; what it said is told after that.
                Err(Errno::INTR | Errno::CONNRESET) => continue,
                Err(errno) => return Err(Failure::System("cannot hear from the agent", errno)),
            };
            if count == 0 {
                return Err(Failure::Plain("the run ended before this call was answered"));
            }
            let packet = buffer.get(..count).unwrap_or_default();
            let reply = postcard::from_bytes(packet)
                .map_err(|_| Failure::Plain("the agent's answer is malformed; is it of another version?"))?;
            if let Reply::Refused { reason } = reply {
                stdio::say(stdio::stderr(), &[self.helper, ": ", reason, "\n"]);
                return Err(Failure::Said);
            }
            take(&reply)?;
            if !matches!(reply, Reply::Messages { more: true, .. } | Reply::Members { more: true, .. }) {
                return Ok(());
            }
        }
    }
}

/// Asks the runner something that is answered with a mere acknowledgement. Returns the exit code of a helper that does
/// nothing else.
///
/// # Errors
/// As [`Client::connect`] and [`Client::call`].
pub(crate) fn tell(invocation: &Invocation<'_>, call: &Call<'_>) -> Result<u8, Failure> {
    Client::connect(invocation)?.call(call, &mut |_| Ok(()))?;
    Ok(0)
}

/// Tells the runner something that was said on standard error already; without a runner that must do.
pub(crate) fn mention(invocation: &Invocation<'_>, call: &Call<'_>) {
    let _ = tell(invocation, call);
}
