//! `host-runner ports`: the service that hands the low ports over.

use std::time::Duration;

use clap::Args;

use crate::cli::args::seconds;
use crate::cli::message::{Failure, note};
use crate::fault::{Class, Fault};
use crate::ports;

pub(super) const EXAMPLES: &str = "\
Boards ask for files at UDP 69, for the time at UDP 123, for the port of NFS at TCP and UDP 111, for files of the root filesystem \
at TCP 2049. An ordinary user may not bind those below 1024. This service may: a run asks it at /run/host-runner/ports.socket, gets \
the bound socket, and the port is free again when the run ends. Who may ask is decided by the mode of that socket: of the Debian \
package, the group host-runner.

People do not start it. systemd does, when a run asks:
  sudo systemctl enable --now host-runner-ports.socket
  sudo adduser \"$USER\" host-runner               and log in again
  journalctl --unit host-runner-ports            who has got which port

By hand, to try it:
  sudo systemd-socket-activate --seqpacket --listen /tmp/ports.socket host-runner ports
  HOST_RUNNER_PORTS_SOCKET=/tmp/ports.socket host-runner doctor";

/// `host-runner ports`.
#[derive(Debug, Args)]
pub(super) struct PortsArgs {
    /// Ends when nobody has asked for so long; systemd starts it again
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds())]
    idle: Duration,
}

/// Serves until nobody asks any more.
pub(super) fn ports(args: &PortsArgs) -> Result<Option<Class>, Failure> {
    let Some(listener) = ports::take_service_socket() else {
        return Err(Fault::new(
            Class::Usage,
            "port service",
            "no socket was handed over to listen at (a Unix socket for packets, sd_listen_fds(3))",
        )
        .with_help(
            "systemd starts this service when it is needed: `sudo systemctl enable --now host-runner-ports.socket`; \
             `host-runner ports --help` tells how to try it by hand",
        )
        .into());
    };
    ports::serve(&listener, args.idle, note)
        .map_err(|error| Fault::from_error(Class::Infrastructure, "port service", &error))?;
    Ok(None)
}
