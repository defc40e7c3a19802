//! The root filesystem of a deployment: fetched, under a layer of its own, with the agent and what it needs in it.

use std::error::Error;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::action::{Overlay, rootfs_tar};
use crate::artifact::{Artifact, CacheError};
use crate::fault::{Chain, Class, Fault};
use crate::job::{ArtifactSpec, OverlayFormat, OverlaySpec, Part, RootfsSpec, Timeouts};
use crate::rootfs::{
    AUTHORIZED_KEYS, KeptError, Kind, Layer, LayerOptions, Lower, Origin, Repair, layer_directory,
};
use crate::run::{NodeContext, Phase, Services};

/// To whom a root filesystem is served, and where.
pub(super) struct Place<'a> {
    pub(super) board: IpAddr,
    pub(super) export: String,
    /// Path of the root directory in the layer, without `/` at its end.
    pub(super) root: &'a str,
    pub(super) services: &'a Services,
    pub(super) options: LayerOptions,
}

/// How long a layer stays on this PC, and in which directory.
enum Home {
    /// As long as its job.
    Job(PathBuf),
    /// Until somebody removes it (`--keep-rootfs`).
    Kept(PathBuf),
    /// The same, and further jobs go on with it (`persistent`).
    Persistent(PathBuf),
}

/// Fetches a root filesystem and puts a layer over it: an empty one, or that of the persistent root filesystem. The tar stays
/// in the cache as long as what comes back with the layer lives.
pub(super) async fn open(
    node: &NodeContext,
    phase: &Phase,
    timeouts: &Timeouts,
    rootfs: &RootfsSpec,
    place: Place<'_>,
) -> Result<(Arc<Layer>, Artifact), Fault> {
    let spec = &rootfs.artifact;
    let persistent = rootfs.persistent.as_ref().map(|name| name.value.as_str());
    let artifact = rootfs_tar::fetch(node, phase, timeouts, spec).await?;
    let part = phase.part(timeouts.part(Part::PrepareRootfs)).part(timeouts.part(Part::ExtractRootfs));
    let home = home(node, persistent).map_err(|error| phase.error(Class::Infrastructure, &error))?;
    let kept = home.description();
    let (run, origin) = (Arc::clone(&node.run), origin(node, spec, &artifact, place));
    let opened = tokio::task::spawn_blocking(move || {
        let lower = run.lowers.open(&run.cache, &artifact)?;
        if let Some(directory) = home.outliving() {
            run.cache
                .keep_for(&artifact, directory)
                .map_err(|CacheError { path, source }| KeptError::Origin { path, source })?;
        }
        home.open(lower, &origin).map(|opened| (opened, artifact))
    });
    let opened = async { opened.await.map_err(|error| phase.fault(Class::Bug, error)) };
    let opened = part.bound("end of the root filesystem's tar", opened).await?;
    let ((layer, repairs), artifact) =
        opened.map_err(|error| cannot_open(phase, spec, persistent, &error))?;
    for repair in repairs {
        node.emitter.warn(format!("the root filesystem was repaired: {repair}"));
    }
    if let Some(kept) = kept {
        node.emitter.note(kept);
    }
    Ok((Arc::new(layer), artifact))
}

fn cannot_open(phase: &Phase, spec: &ArtifactSpec, persistent: Option<&str>, error: &KeptError) -> Fault {
    let help = match (persistent, error) {
        (Some(name), KeptError::OtherTar { .. }) => Some(format!(
            "choose another name for `persistent`, or remove it with all that jobs have left in it: \
             `host-runner rootfs rm @{name}`"
        )),
        _ => None,
    };
    Fault::new(
        Class::Infrastructure,
        format!("{} ({})", phase.place, spec.place),
        format!("`{}` cannot be used as a root filesystem: {}", spec.url, Chain(error)),
    )
    .with_optional_help(help)
}

impl Home {
    fn open(&self, lower: Arc<Lower>, origin: &Origin) -> Result<(Layer, Vec<Repair>), KeptError> {
        match self {
            Self::Job(directory) => {
                let layer = Layer::new(lower, layer_directory(directory), origin.options)?;
                Ok((layer, Vec::new()))
            }
            Self::Kept(directory) => Ok((origin.make(lower, directory)?, Vec::new())),
            Self::Persistent(directory) => origin.open_persistent(lower, directory),
        }
    }

    /// Where it is, if it is there after the job.
    fn outliving(&self) -> Option<&Path> {
        match self {
            Self::Job(_) => None,
            Self::Kept(directory) | Self::Persistent(directory) => Some(directory),
        }
    }

    /// Where it is to be found after the job.
    fn description(&self) -> Option<String> {
        match self {
            Self::Job(_) => None,
            Self::Kept(directory) => Some(format!("the root filesystem is kept in {}", directory.display())),
            Self::Persistent(directory) => {
                Some(format!("the persistent root filesystem is in {}", directory.display()))
            }
        }
    }
}

/// Where the node's layer goes; a later deployment takes the place of an earlier one.
fn home(node: &NodeContext, persistent: Option<&str>) -> io::Result<Home> {
    if let (Some(name), Some(all)) = (persistent, &node.run.persistent) {
        return Ok(Home::Persistent(all.join(name)));
    }
    let Some(kept) = &node.run.keep_rootfs else {
        return node.run.scratch.subdirectory(&node.id).map(Home::Job);
    };
    let directory = kept.join(&node.plan.name);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(&directory)?;
    Ok(Home::Kept(directory))
}

fn origin(node: &NodeContext, spec: &ArtifactSpec, artifact: &Artifact, place: Place<'_>) -> Origin {
    Origin {
        url: spec.url.clone(),
        tar: artifact.path.clone(),
        sha256: artifact.sha256.clone(),
        board: place.board,
        export: place.export,
        root: place.root.to_owned(),
        server: SocketAddr::new(place.services.address, place.services.nfs_port),
        options: place.options,
        id_prefix: node.run.id_prefix(),
    }
}

/// Puts things into a root filesystem, through the code that serves NFS writes.
pub(super) struct Fill<'a> {
    pub(super) node: &'a NodeContext,
    pub(super) phase: &'a Phase,
    pub(super) timeouts: &'a Timeouts,
    pub(super) layer: &'a Arc<Layer>,
    /// Path of the root directory in the layer, without `/` at its end.
    pub(super) root: &'a str,
}

impl Fill<'_> {
    fn fault(&self, error: &dyn Error) -> Fault {
        let text = format!("cannot write into the root filesystem: {}", Chain(error));
        self.phase.fault(Class::Infrastructure, text)
    }

    /// Looks whether there is a root directory.
    pub(super) fn check_root(&self) -> Result<(), Fault> {
        if self.root.is_empty() {
            return Ok(());
        }
        let found = self.layer.find(self.root);
        match found.map(|found| found.kind) {
            Ok(Kind::Directory) => Ok(()),
            _ => {
                let text =
                    format!("the tar has no directory `{}` (`prefix`)", self.root.trim_start_matches('/'));
                Err(self.phase.fault(Class::Job, text))
            }
        }
    }

    /// Fetches a tar and unpacks it in the directory `path`.
    pub(super) async fn unpack(&self, what: &str, spec: &ArtifactSpec, path: &str) -> Result<(), Fault> {
        let (phase, timeouts) = (self.phase, self.timeouts);
        let artifact = self.node.fetch(phase, timeouts, what, spec).await?;
        let part = phase.part(timeouts.part(Part::PrepareRootfs)).part(timeouts.part(Part::ExtractModules));
        let (run, layer) = (Arc::clone(&self.node.run), Arc::clone(self.layer));
        let path = format!("{}/{}", self.root, path.trim_start_matches('/'));
        let unpacked = tokio::task::spawn_blocking(move || -> Result<(), Box<dyn Error + Send + Sync>> {
            let archive = run.lowers.open(&run.cache, &artifact)?;
            Ok(layer.unpack_in(&archive, &path)?)
        });
        let unpacked = async { unpacked.await.map_err(|error| phase.fault(Class::Bug, error)) };
        part.bound("end of the tar", unpacked).await?.map_err(|error| {
            Fault::new(
                Class::Infrastructure,
                format!("{} ({})", phase.place, spec.place),
                format!("`{}` cannot be unpacked as {what}: {}", spec.url, Chain(&*error)),
            )
        })
    }

    /// Fetches overlays and puts them in.
    pub(super) async fn overlays(&self, overlays: &[OverlaySpec]) -> Result<(), Fault> {
        for OverlaySpec { name, artifact, format, path } in overlays {
            let what = format!("overlay {name}");
            if *format == OverlayFormat::Tar {
                self.unpack(&what, artifact, path).await?;
                continue;
            }
            let file = self.node.fetch(self.phase, self.timeouts, &what, artifact).await?;
            let content = fs::read(&file.path).map_err(|error| self.fault(&error))?;
            self.write(path, 0o644, &content)?;
        }
        Ok(())
    }

    /// Writes agent and definitions into the node's own directory.
    pub(super) fn tests(&self, overlay: &Overlay) -> Result<(), Fault> {
        let directory = self.node.agent_directory();
        let mut files = overlay.files().iter();
        files.try_for_each(|file| self.write(&format!("{directory}/{}", file.path), file.mode, &file.content))
    }

    /// Lets the job's key log in.
    pub(super) fn authorize(&self) -> Result<(), Fault> {
        let id = &self.node.id;
        let line = format!("{}\n", self.node.run.key.authorized_keys_line(&format!("host-runner {id}")));
        let (directory, keys) =
            (format!("{}/root/.ssh", self.root), format!("{}{AUTHORIZED_KEYS}", self.root));
        self.layer.make_dirs(directory, 0o700).map_err(|error| self.fault(&error))?;
        self.layer.append_file(keys, 0o600, line.as_bytes()).map_err(|error| self.fault(&error))
    }

    fn write(&self, path: &str, mode: u32, content: &[u8]) -> Result<(), Fault> {
        let path = format!("{}/{}", self.root, path.trim_start_matches('/'));
        let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
        self.layer.make_dirs(parent, 0o755).map_err(|error| self.fault(&error))?;
        self.layer.write_file(&path, mode, content).map_err(|error| self.fault(&error))
    }
}
