//! What `host-runner rootfs` can be told.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::args::{BenchArgs, address_and_port};

/// `host-runner rootfs`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RootfsCommand {
    /// Lists the persistent root filesystems, and who is using them
    List {
        #[command(flatten)]
        bench: BenchArgs,
        /// Prints one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Prints what the job changed, one path per line
    Diff {
        #[command(flatten)]
        kept: KeptArgs,
        /// Prints one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Lists a directory, or one file
    Ls {
        #[command(flatten)]
        kept: KeptArgs,
        /// The path on the board
        #[arg(default_value = "/")]
        path: PathBuf,
    },
    /// Prints a file
    Cat {
        #[command(flatten)]
        kept: KeptArgs,
        /// The path on the board
        path: PathBuf,
    },
    /// Saves the whole root filesystem
    Export {
        #[command(flatten)]
        kept: KeptArgs,
        /// The tar to write, which must not exist yet; `-` is standard output
        #[arg(long, value_name = "FILE")]
        tar: PathBuf,
    },
    /// Serves it to its board again, until Ctrl-C: for a board that is still on
    Serve {
        #[command(flatten)]
        kept: KeptArgs,
        /// Where to listen [default: where the run did]
        #[arg(long, value_name = "ADDRESS:PORT", value_parser = address_and_port)]
        listen: Option<SocketAddr>,
    },
    /// Removes it
    Rm {
        #[command(flatten)]
        kept: KeptArgs,
    },
}

/// Which root filesystem.
#[derive(Debug, Args)]
pub(in crate::cli) struct KeptArgs {
    /// The directory of a run with --keep-rootfs, or @NAME for the persistent root filesystem NAME
    #[arg(value_name = "RUN")]
    pub(in crate::cli) rootfs: KeptName,
    /// The node, if several of the run have a root filesystem
    #[arg(long)]
    pub(in crate::cli) node: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) bench: BenchArgs,
}

/// A root filesystem as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum KeptName {
    /// Of the run in this directory.
    Run(PathBuf),
    /// The persistent one of this name.
    Persistent(String),
}

impl From<OsString> for KeptName {
    fn from(text: OsString) -> Self {
        match text.to_str().and_then(|text| text.strip_prefix('@')) {
            Some(name) => Self::Persistent(name.to_owned()),
            None => Self::Run(text.into()),
        }
    }
}

impl fmt::Display for KeptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(directory) => directory.display().fmt(f),
            Self::Persistent(name) => write!(f, "@{name}"),
        }
    }
}
