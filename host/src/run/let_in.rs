//! What lets a person in by `host-runner ssh` on a board that stays on: the run's own key, and the host keys of the board.
//!
//! They are files of the run's user alone, beside the artifact cache of the bench, and go when the board is switched off:
//!
//! ```text
//! ssh/BOARD-0123abcd/PROCESS/identity      private key, in OpenSSH's format
//!                            known_hosts   sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"
//! ```
//!
//! The process is the one that holds the board's lease: what a run that was killed has left is nobody's.

use std::error::Error;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::board::lease::{Held, Key};
use crate::board::{Bench, Board};
use crate::fault::{Class, Fault};
use crate::net::Net;
use crate::run::{NodeContext, board_held, cache_directory};

const IDENTITY: &str = "identity";
const KNOWN_HOSTS: &str = "known_hosts";

/// Paths of the files.
#[derive(Debug)]
pub struct LetIn {
    directory: PathBuf,
}

impl LetIn {
    /// What the run that has `board` has written for it, if it has.
    ///
    /// # Errors
    /// Where the path of the bench file cannot be resolved, or there is no place for its cache.
    pub fn find(bench: &Bench, board: &Board) -> Result<Option<Self>, Fault> {
        let Held::By(holder) = board_held(bench, board)? else { return Ok(None) };
        let key = Key::board(&bench.path, &board.name)
            .map_err(|error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error))?;
        let directory = of_board(&cache_directory(Some(bench))?, &key).join(holder.pid.to_string());
        Ok(directory.join(KNOWN_HOSTS).exists().then_some(Self { directory }))
    }

    /// The file with the private key.
    pub fn identity(&self) -> PathBuf {
        self.directory.join(IDENTITY)
    }

    /// The file with the keys that the board may show.
    pub fn known_hosts(&self) -> PathBuf {
        self.directory.join(KNOWN_HOSTS)
    }
}

/// The same, with its files, which go with it.
#[derive(Debug)]
pub(super) struct Written(LetIn);

impl Written {
    /// Writes the files for the board of `node`. Nothing for a board that a person cannot reach, or in whose root filesystem
    /// the run's key is not.
    ///
    /// # Errors
    /// Those of the files, and of the board's host keys.
    pub(super) fn make(node: &NodeContext) -> Result<Option<Self>, Box<dyn Error + Send + Sync>> {
        let (name, run) = (&node.plan.name, &node.run);
        let (Some(access), Some(board)) = (run.host(name), run.board_of(name)) else { return Ok(None) };
        let (Net::Host, Some(address)) = (&access.net, board.address) else { return Ok(None) };
        let host_keys = access.host_keys()?;
        let of_board = of_board(run.cache.directory(), &Key::board(&run.bench, &board.name)?);
        // The board is this run's: whose these were is gone.
        match fs::remove_dir_all(&of_board) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let let_in = LetIn { directory: of_board.join(std::process::id().to_string()) };
        fs::create_dir_all(&of_board)?;
        DirBuilder::new().mode(0o700).create(&let_in.directory)?;
        let written = Self(let_in);
        write(&written.0.identity(), run.key.to_openssh()?.as_bytes())?;
        write(&written.0.known_hosts(), host_keys.known_hosts(address, access.port).as_bytes())?;
        Ok(Some(written))
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // What is left is found by nobody.
        let _ = fs::remove_dir_all(&self.0.directory);
    }
}

fn of_board(cache: &Path, key: &Key) -> PathBuf {
    cache.join("ssh").join(key.file_name())
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}
