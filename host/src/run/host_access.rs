//! Boards that others log in on: where, and the keys that they may show.

use std::error::Error;
use std::sync::Arc;

use crate::net::Net;
use crate::rootfs::Layer;
use crate::ssh::HostKeys;

/// Largest host key file that is believed to be one, in bytes.
const MAX_KEY_FILE: usize = 16 << 10;

/// How a board is reached in whose root filesystem the run's key is.
#[derive(Clone)]
pub(crate) struct HostAccess {
    /// Services of the network that the board is in.
    pub(crate) net: Net,
    /// Port of its SSH server.
    pub(crate) port: u16,
    /// Its root filesystem: the host keys are read from it.
    pub(crate) layer: Arc<Layer>,
    /// Path of the root directory in it, without `/` at its end.
    pub(crate) root: String,
}

impl HostAccess {
    /// The keys that the board may show: those in its root filesystem, as it is now.
    ///
    /// They may have been made during this very boot; the layer has what the board wrote.
    ///
    /// # Errors
    /// When a file cannot be read, or none is a key.
    pub(crate) fn host_keys(&self) -> Result<HostKeys, Box<dyn Error + Send + Sync>> {
        let directory = format!("{}/etc/ssh", self.root);
        let mut files = Vec::new();
        for kind in ["ed25519", "ecdsa", "rsa"] {
            let path = format!("{directory}/ssh_host_{kind}_key.pub");
            if let Some(content) = self.layer.read_file(&path, MAX_KEY_FILE)? {
                files.push((path, content));
            }
        }
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
        Ok(HostKeys::from_public_key_files(&files)?)
    }
}
