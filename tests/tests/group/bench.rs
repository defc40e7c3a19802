//! A bench whose board runs OpenSSH's server.

use testbench::harness::Testbench;

use crate::job::GroupJob;

/// Port of the board's SSH server: the board has an address of its own.
const SSH_PORT: &str = "2222";

/// A bench with a board that guests can log in to.
///
/// # Panics
/// When there is no sshd.
pub(crate) fn bench() -> Testbench {
    assert!(
        std::path::Path::new("/usr/sbin/sshd").exists(),
        "OpenSSH's server is missing: install the Debian package openssh-server"
    );
    without_sshd().board_option(&["--sshd-port", SSH_PORT])
}

/// The same with a board on which nobody listens.
pub(crate) fn without_sshd() -> Testbench {
    Testbench::new().board_line(&format!("ssh_port = {SSH_PORT}"))
}

/// A job that passes on `bench`.
pub(crate) fn job(bench: &Testbench) -> GroupJob {
    GroupJob::new(bench.addresses().board)
}
