//! What was tried for a low port, and what to do.

use std::fmt;
use std::io;
use std::path::Path;

use super::client::ServiceError;

/// Where packages put the unit of the port service.
const UNIT: &str = "/usr/lib/systemd/system/host-runner-ports.socket";

/// A port below 1024 cannot be had: what was tried, and how each ended.
#[derive(Debug)]
pub(crate) struct LowPortError {
    /// Of our own try.
    pub(super) bind: io::Error,
    /// What was handed over at the start, in words: other ports.
    pub(super) inherited: Vec<String>,
    /// Of asking the port service.
    pub(super) service: ServiceError,
}

impl LowPortError {
    /// What came of asking the port service.
    pub(crate) const fn service(&self) -> &dyn fmt::Display {
        &self.service
    }
}

impl fmt::Display for LowPortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bind, inherited, service } = self;
        write!(f, "{bind}; {service}")?;
        if !inherited.is_empty() {
            write!(f, "; handed over at the start were only {}", inherited.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for LowPortError {}

/// How this program is permitted the port that could not be had because of `error`.
pub(crate) fn low_port_help(error: &io::Error) -> String {
    let tried = error.get_ref().and_then(|inner| inner.downcast_ref::<LowPortError>());
    match tried.map(|tried| &tried.service) {
        None | Some(ServiceError::Absent { .. }) if Path::new(UNIT).exists() => format!(
            "`sudo systemctl enable --now host-runner-ports.socket` starts the port service of the installed package; \
             without it, {}",
            by_privilege()
        ),
        None | Some(ServiceError::Absent { .. }) => {
            format!("{}; the Debian package brings a service that hands them over", by_privilege())
        }
        Some(ServiceError::Forbidden { .. }) => {
            "the port service is for the group host-runner, once: `sudo adduser \"$USER\" host-runner`, and log in again"
                .to_owned()
        }
        Some(
            ServiceError::Timeout { .. }
            | ServiceError::Conversation { .. }
            | ServiceError::System { .. }
            | ServiceError::Refused { .. },
        ) => "`journalctl --unit host-runner-ports` tells what the port service says; \
              `sudo systemctl restart host-runner-ports.socket` starts it anew"
            .to_owned(),
    }
}

/// Without the package.
fn by_privilege() -> String {
    format!(
        "ports below 1024 need a privilege, once: `sudo setcap cap_net_bind_service=+ep {}` (again after each \
         build), or `sudo sysctl -w net.ipv4.ip_unprivileged_port_start=69`",
        std::env::current_exe().map_or_else(|_| "host-runner".to_owned(), |path| path.display().to_string())
    )
}
