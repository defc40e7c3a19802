//! The file in which a wait leaves the messages it was released with, for the definition to read.
//!
//! LAVA's format: one `sender:key=value` per line. LAVA's one path in `/tmp` is shared by everything on a board, so each
//! connection has its own file beside its agent; the board's own node, on the console, writes LAVA's path as well.

use heapless::Vec;
use protocol::limits::MAX_MESSAGE;
use rustix::fd::{AsFd, OwnedFd};

use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::path::{PathText, agent_directory};
use crate::socket::LINK_VARIABLE;
use crate::{stdio, text_file};

/// Which cache.
pub(crate) enum Kind {
    /// Of `lava-wait` and `lava-wait-all`.
    Messages,
    /// Of `lava-network collect`.
    Network,
}

impl Kind {
    fn file_name(&self) -> &'static [u8] {
        match self {
            Self::Messages => b"multi_node_cache.txt",
            Self::Network => b"multi_node_network_cache.txt",
        }
    }

    fn variable(&self) -> &'static str {
        match self {
            Self::Messages => "LAVA_MULTI_NODE_CACHE",
            Self::Network => "LAVA_MULTI_NODE_NETWORK_CACHE",
        }
    }
}

/// Returns the path of this connection's cache.
///
/// # Errors
/// Says what is missing outside a run.
pub(crate) fn path(invocation: &Invocation<'_>, kind: &Kind) -> Result<PathText, Failure> {
    let named = invocation.variable(kind.variable()).and_then(|path| PathText::join(&[path.as_bytes()]));
    let beside_socket = || {
        let directory = agent_directory(invocation)?;
        PathText::join(&[directory.as_bytes(), b"/", kind.file_name()])
    };
    named
        .or_else(beside_socket)
        .ok_or(Failure::Plain("neither the cache's path nor LAVA_AGENT_SOCKET is set"))
}

/// The cache files of one wait; they appear with the first data.
pub(crate) struct Writer {
    paths: [Option<PathText>; 2],
    files: [Option<OwnedFd>; 2],
}

impl Writer {
    /// Removes what an earlier wait left.
    ///
    /// # Errors
    /// The errno if a file cannot be removed.
    pub(crate) fn new(invocation: &Invocation<'_>, kind: &Kind) -> Result<Self, Failure> {
        let on_console = invocation.variable(LINK_VARIABLE) == Some("console");
        let lavas = || PathText::join(&[b"/tmp/lava_", kind.file_name()]);
        let paths = [Some(path(invocation, kind)?), on_console.then(lavas).flatten()];
        for path in paths.iter().flatten() {
            text_file::remove(path.as_c_str())
                .map_err(Failure::system("cannot remove the old message cache"))?;
        }
        Ok(Self { paths, files: [None, None] })
    }

    /// Appends messages, each ended by NUL as [`Reply::Messages`](protocol::helper::Reply::Messages) has them.
    ///
    /// # Errors
    /// The errno if a file cannot be written.
    pub(crate) fn append(&mut self, messages: &str) -> Result<(), Failure> {
        if messages.is_empty() {
            return Ok(());
        }
        let ended_by_newline = |byte| if byte == 0 { b'\n' } else { byte };
        let mut lines: Vec<u8, MAX_MESSAGE> = Vec::new();
        messages
            .bytes()
            .try_for_each(|byte| lines.push(ended_by_newline(byte)))
            .map_err(|_| Failure::Plain("the messages are longer than one reply"))?;
        for (path, file) in self.paths.iter().zip(&mut self.files) {
            let Some(path) = path else { continue };
            if file.is_none() {
                let created = text_file::create(path.as_c_str());
                *file = Some(created.map_err(Failure::system("cannot create the message cache"))?);
            }
            let Some(file) = file else { continue };
            stdio::write_all(file.as_fd(), &lines)
                .map_err(Failure::system("cannot write the message cache"))?;
        }
        Ok(())
    }
}
