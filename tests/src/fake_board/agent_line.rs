//! An agent's connection to the runner, through a network with faults.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use host_runner::net::Net;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};
use tokio::runtime::Runtime;

use super::options::{Fault, Options};
use crate::tcp_relay::{Cuts, TcpRelay};

/// How long before a connection breaks nothing of the runner's reaches the agent any more.
const SILENCE: Duration = Duration::from_millis(20);

/// What an agent is told of its runner, where that is not the truth.
#[derive(Default)]
pub(super) struct AgentLine {
    truth: String,
    told: String,
    _taken: Option<OwnedFd>,
    _relay: Option<(Runtime, TcpRelay)>,
}

impl AgentLine {
    /// The line of an agent with these arguments; that of any other program is as it is.
    pub(super) fn of(options: &Options, arguments: &[&str]) -> io::Result<Self> {
        let ["tcp", "--runner", truth, ..] = arguments else { return Ok(Self::default()) };
        let address: SocketAddr = truth.parse().map_err(io::Error::other)?;
        let truth = (*truth).to_owned();
        if options.fault == Some(Fault::AgentUnreachable) {
            // Nobody else can have the port, and nobody listens there.
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            bind(&socket, &SocketAddr::new(options.address, 0))?;
            let told = SocketAddr::try_from(getsockname(&socket)?)?.to_string();
            return Ok(Self { truth, told, _taken: Some(socket), _relay: None });
        }
        let Some(age) = options.agent_cuts else { return Ok(Self::default()) };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let cuts = Cuts { age, silence: SILENCE };
        let own = SocketAddr::new(options.address, 0);
        let relay = runtime.block_on(TcpRelay::start(Net::Host, own, address, cuts))?;
        Ok(Self { truth, told: relay.address().to_string(), _taken: None, _relay: Some((runtime, relay)) })
    }

    /// The argument as the agent is given it.
    pub(super) fn through<'a>(&'a self, argument: &'a str) -> &'a str {
        if argument == self.truth && !self.told.is_empty() { &self.told } else { argument }
    }
}
