//! SSH access to a board that is up by itself: the table `ssh` of a board, and what lab files do not have of it.

use crate::diagnostic::{Code, Span};
use crate::import::draft::{self, Draft};
use crate::import::findings::Findings;

/// One value of the table, and where it is from.
pub(super) type Sourced = (String, String);

/// What is known of the way to a board.
pub(super) struct SshLogin {
    /// Its name or address.
    pub(super) host: Sourced,
    /// Place of the host in the file.
    pub(super) span: Span,
    /// Its port, if that is not the usual one.
    pub(super) port: Option<(u16, String)>,
    /// Who logs in; root if nobody is named.
    pub(super) user: Option<Sourced>,
    /// The private key.
    pub(super) identity_file: Sourced,
}

impl SshLogin {
    /// Writes the table for `board`. A host key that fits no board stands for its own until the user has filled it in.
    pub(super) fn write(self, board: &str, draft: &mut Draft, findings: &mut Findings) {
        let Self { host: (host, origin), span, port, user, identity_file } = self;
        let at = |key| ["boards", board, "ssh", key];
        draft.set(&at("host"), host.as_str(), &origin);
        if let Some((port, origin)) = port {
            draft.set(&at("port"), i64::from(port), &origin);
        }
        if let Some((user, origin)) = user {
            draft.set(&at("user"), user, &origin);
        }
        let (key, origin) = identity_file;
        if !key.starts_with('/') {
            let message = format!("the SSH key `{key}` has no absolute path");
            let help = "put the key at that path below the bench file's directory, or write another path into `identity_file`";
            findings.warn(Code::ImportCheck, span, message, help);
        }
        draft.set(&at("identity_file"), key, &origin);
        let stand_in = format!("FILL IN: what `ssh-keyscan {host}` prints behind the host's name");
        let comment =
            "To be filled in: a line such as `ssh-ed25519 AAAA…`, once it is compared with the board's own.";
        draft.set(&at("host_key"), draft::list([&stand_in], false), comment);
        let message = format!("the host key of `{host}` is not known: `host_key` must be filled in");
        let help = format!(
            "compare what `ssh-keyscan {host}` prints with the board's /etc/ssh/ssh_host_ed25519_key.pub; a board is never \
             trusted unknown"
        );
        findings.warn(Code::ImportCheck, span, message, &help);
    }
}
