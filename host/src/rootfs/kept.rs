//! A layer that outlives its run, and what it needs to be opened again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::layer::lock;
use super::syncs::sync_names;
use super::{Durability, Layer, LayerOptions, Lower, OverlayError, Repair, RootfsError};

/// Name of the file that describes the layer, beside its directory.
const ORIGIN: &str = "origin.json";
/// Name of the layer's directory.
const LAYER: &str = "layer";
/// Largest description, in bytes.
const MAX_ORIGIN: u64 = 64 << 10;

/// Where a kept root filesystem comes from, and who had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// URL of the root filesystem, as in the job.
    pub url: String,
    /// Its tar in the cache, decompressed.
    pub tar: PathBuf,
    /// SHA-256 of the tar, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Address of the board.
    pub board: IpAddr,
    /// Path of the export; the board mounts `root` below it.
    pub export: String,
    /// The board's root directory in the tar, such as `/jessie`; empty if that is the whole of it.
    #[serde(default)]
    pub root: String,
    /// Where NFS and MOUNT were served.
    pub server: SocketAddr,
    /// How the layer is kept.
    pub options: LayerOptions,
    /// What the ids of the run's nodes begin with; what the runner put into the layer is named after them.
    pub id_prefix: String,
}

/// Why a kept root filesystem cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// There is none.
    #[error("{path} holds no kept root filesystem")]
    Absent {
        /// The directory.
        path: PathBuf,
    },
    /// Its description cannot be read or written.
    #[error("cannot use {path}")]
    Origin {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The tar below it has left the cache.
    #[error("its root filesystem {url} (SHA-256 {sha256}) is not in the cache any more")]
    NoTar {
        /// Where it came from.
        url: String,
        /// What it was.
        sha256: String,
    },
    /// A persistent one was made on another tar.
    #[error("the persistent root filesystem in {path} was made on another tar, {url} (SHA-256 {sha256})")]
    OtherTar {
        /// Its directory.
        path: PathBuf,
        /// Where the tar came from.
        url: String,
        /// What it was.
        sha256: String,
    },
    /// The layer or the tar cannot be opened.
    #[error(transparent)]
    Rootfs(#[from] RootfsError),
    /// What an earlier job had in it cannot be removed.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
}

/// The directory for the layer of a root filesystem that is kept in `directory`.
pub fn layer_directory(directory: &Path) -> PathBuf {
    directory.join(LAYER)
}

impl Origin {
    /// Makes an empty layer in `directory` that stays when it is dropped, and describes it there.
    ///
    /// # Errors
    /// [`KeptError::Rootfs`] and [`KeptError::Origin`].
    pub fn make(&self, lower: Arc<Lower>, directory: &Path) -> Result<Layer, KeptError> {
        let layer = Layer::new(lower, layer_directory(directory), self.options)?;
        layer.keep();
        self.write(directory)?;
        Ok(layer)
    }

    /// Writes the description into `directory`, in the place of an earlier one: at any moment, one of them is whole.
    ///
    /// # Errors
    /// [`KeptError::Origin`].
    pub fn write(&self, directory: &Path) -> Result<(), KeptError> {
        let path = directory.join(ORIGIN);
        let new = path.with_extension("new");
        let write = || -> io::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            if self.options.durability == Durability::Power {
                file.sync_data()?;
            }
            fs::rename(&new, &path)?;
            if self.options.durability == Durability::Power { sync_names(directory) } else { Ok(()) }
        };
        write().map_err(|source| KeptError::Origin { path: path.clone(), source })
    }

    /// Reads the description of the root filesystem that is kept in `directory`.
    ///
    /// # Errors
    /// [`KeptError::Absent`] and [`KeptError::Origin`].
    pub fn read(directory: &Path) -> Result<Self, KeptError> {
        let path = directory.join(ORIGIN);
        let read = || -> io::Result<Self> {
            if fs::metadata(&path)?.len() > MAX_ORIGIN {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            Ok(serde_json::from_slice(&fs::read(&path)?)?)
        };
        read().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => KeptError::Absent { path: directory.to_owned() },
            _ => KeptError::Origin { path: path.clone(), source },
        })
    }

    /// Opens the layer that is kept in `directory`; it stays when it is dropped.
    ///
    /// # Errors
    /// [`KeptError::NoTar`] and [`KeptError::Rootfs`].
    pub fn open(&self, directory: &Path) -> Result<(Layer, Vec<Repair>), KeptError> {
        if !self.tar.exists() {
            return Err(KeptError::NoTar { url: self.url.clone(), sha256: self.sha256.clone() });
        }
        // The cache is the runs' to write to.
        let lower = Arc::new(Lower::open(&self.tar, &self.sha256, |_| ())?);
        let (layer, repairs) = Layer::open(lower, layer_directory(directory), self.options)?;
        layer.keep();
        Ok((layer, repairs))
    }
}

/// Removes the root filesystem that is kept in `directory`, whether or not its tar still is in the cache.
///
/// # Errors
/// [`KeptError::Absent`] if there is none, [`KeptError::Rootfs`] while another process has it, and [`KeptError::Origin`].
pub fn remove_kept(directory: &Path) -> Result<(), KeptError> {
    Origin::read(directory)?;
    let _alone = lock(&layer_directory(directory))?;
    fs::remove_dir_all(directory).map_err(|source| KeptError::Origin { path: directory.to_owned(), source })
}
