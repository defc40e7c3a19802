//! Keys: the job's own pair, and those by which the host is known.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey, ssh_key};

/// Bytes of a private key that are read.
const MAX_KEY_FILE: u64 = 64 << 10;

/// A key pair of the runner, made for one job, or one of the bench. Clones share it.
#[derive(Clone)]
pub struct KeyPair(Arc<PrivateKey>);

impl KeyPair {
    /// Makes a new Ed25519 key pair.
    pub fn generate() -> Self {
        Self(Arc::new(PrivateKey::from(Ed25519Keypair::random(&mut safe_rng()))))
    }

    /// Reads a private key that OpenSSH has written.
    ///
    /// # Errors
    /// Those of the file; one that is no private key, or that a passphrase protects.
    pub fn read(path: &Path) -> Result<Self, ReadKeyError> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(ReadKeyError::File)?;
        file.take(MAX_KEY_FILE).read_to_end(&mut bytes).map_err(ReadKeyError::File)?;
        let key = PrivateKey::from_openssh(&bytes).map_err(ReadKeyError::Malformed)?;
        if key.is_encrypted() { Err(ReadKeyError::Encrypted) } else { Ok(Self(Arc::new(key))) }
    }

    /// The line for `authorized_keys`, without a final newline.
    ///
    /// Control characters in `comment` become spaces. Source: sshd(8), "AUTHORIZED_KEYS FILE FORMAT".
    pub fn authorized_keys_line(&self, comment: &str) -> String {
        let comment: String = comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let key = self.0.public_key().to_openssh().unwrap_or_default();
        format!("{} {}", key.trim(), comment.trim()).trim().to_owned()
    }

    /// The private key in OpenSSH's format, without a passphrase.
    ///
    /// # Errors
    /// When it cannot be written so.
    pub fn to_openssh(&self) -> Result<impl Deref<Target = String>, ssh_key::Error> {
        self.0.to_openssh(LineEnding::LF)
    }

    pub(super) fn private(&self) -> Arc<PrivateKey> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.0.fingerprint(HashAlg::Sha256).to_string()).finish()
    }
}

/// Why a private key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadKeyError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[source] io::Error),
    /// It is no private key in OpenSSH's format.
    #[error("it is no private key in OpenSSH's format")]
    Malformed(#[source] ssh_key::Error),
    /// A passphrase protects it, and nobody is there to type it.
    #[error("a passphrase protects it: make one without for the bench, with `ssh-keygen -N ''`")]
    Encrypted,
}

/// The keys by which a host is known: any of them is right, no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeys(Vec<PublicKey>);

/// Why there are no host keys.
#[derive(Debug, thiserror::Error)]
pub enum HostKeysError {
    /// There is no file, or none of a supported kind.
    #[error("no host key is known: the root filesystem has no usable /etc/ssh/ssh_host_*_key.pub")]
    None,
    /// A file is not a public key.
    #[error("{name} is not a public key")]
    Malformed {
        /// Name of the file.
        name: String,
        /// What is wrong.
        #[source]
        source: ssh_key::Error,
    },
}

/// A host that offered another key than those it is known by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host key differs: expected {expected}, the host offered {offered}")]
pub struct HostKeyMismatch {
    /// Algorithms and fingerprints, separated by commas.
    pub expected: String,
    /// Algorithm and fingerprint.
    pub offered: String,
}

impl HostKeys {
    /// Reads the host's public keys from `files`: name, for messages, and content.
    ///
    /// Keys of kinds that are out of use (DSA) are left out.
    ///
    /// # Errors
    /// [`HostKeysError::None`] where no key remains: a host is never trusted unknown.
    pub fn from_public_key_files(files: &[(&str, &[u8])]) -> Result<Self, HostKeysError> {
        let mut keys = Vec::new();
        for (name, content) in files {
            let malformed = |source| HostKeysError::Malformed { name: (*name).to_owned(), source };
            let text = str::from_utf8(content).map_err(|_| malformed(ssh_key::Error::FormatEncoding))?;
            match PublicKey::from_openssh(text.trim()) {
                Ok(key) if key.algorithm() == Algorithm::Dsa => {}
                Ok(key) => keys.push(key),
                Err(ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. }) => {}
                Err(error) => return Err(malformed(error)),
            }
        }
        if keys.is_empty() { Err(HostKeysError::None) } else { Ok(Self(keys)) }
    }

    /// Lines for a file of known hosts: the keys of the host at `port` of `address` (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
    pub fn known_hosts(&self, address: IpAddr, port: u16) -> String {
        // The port is left out if it is the usual one.
        let host = if port == 22 { address.to_string() } else { format!("[{address}]:{port}") };
        let keys = self.0.iter().filter_map(|key| key.to_openssh().ok());
        keys.map(|key| format!("{host} {key}\n")).collect()
    }

    /// Checks the key that the host offered.
    pub(super) fn check(&self, offered: &PublicKey) -> Result<(), HostKeyMismatch> {
        if self.0.iter().any(|key| key.key_data() == offered.key_data()) {
            return Ok(());
        }
        let expected: Vec<_> = self.0.iter().map(describe).collect();
        Err(HostKeyMismatch { expected: expected.join(", "), offered: describe(offered) })
    }

    /// `algorithms` with those of known keys first, so that the host offers a key that can be checked.
    pub(super) fn prefer(&self, algorithms: &[Algorithm]) -> Vec<Algorithm> {
        let is_known = |algorithm: &Algorithm| {
            self.0.iter().any(|key| match (key.algorithm(), algorithm) {
                (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
                (ours, theirs) => ours == *theirs,
            })
        };
        let (mut known, unknown): (Vec<_>, Vec<_>) = algorithms.iter().cloned().partition(is_known);
        known.extend(unknown);
        known
    }
}

fn describe(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}
