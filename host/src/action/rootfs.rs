//! The root filesystem of a deployment: fetched, under a layer of its own, with the agent and what it needs in it.

use std::error::Error;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use crate::action::{Overlay, rootfs_tar};
use crate::artifact::Artifact;
use crate::fault::{Chain, Class, Fault};
use crate::job::{ArtifactSpec, Part, Timeouts};
use crate::rootfs::{
    AUTHORIZED_KEYS, KeptError, Layer, LayerOptions, Lower, Origin, Repair, layer_directory,
};
use crate::run::{NodeContext, Phase, Services};

/// To whom a root filesystem is served, and where.
pub(super) struct Place<'a> {
    pub(super) board: IpAddr,
    pub(super) export: String,
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

/// Fetches a root filesystem and puts a layer over it: an empty one, or that of the persistent root filesystem.
pub(super) async fn open(
    node: &NodeContext,
    phase: &Phase,
    timeouts: &Timeouts,
    spec: &ArtifactSpec,
    persistent: Option<&str>,
    place: Place<'_>,
) -> Result<Arc<Layer>, Fault> {
    let artifact = rootfs_tar::fetch(node, phase, timeouts, spec).await?;
    let part = phase.part(timeouts.part(Part::PrepareRootfs)).part(timeouts.part(Part::ExtractRootfs));
    let home = home(node, persistent).map_err(|error| phase.error(Class::Infrastructure, &error))?;
    let kept = home.description();
    let (run, origin) = (Arc::clone(&node.run), origin(node, spec, &artifact, place));
    let opened = tokio::task::spawn_blocking(move || {
        let lower = run.lowers.open(&run.cache, &artifact)?;
        home.open(lower, &origin)
    });
    let opened = async { opened.await.map_err(|error| phase.fault(Class::Bug, error)) };
    let opened = part.bound("end of the root filesystem's tar", opened).await?;
    let (layer, repairs) = opened.map_err(|error| cannot_open(phase, spec, persistent, &error))?;
    for repair in repairs {
        node.emitter.warn(format!("the root filesystem was repaired: {repair}"));
    }
    if let Some(kept) = kept {
        node.emitter.note(kept);
    }
    Ok(Arc::new(layer))
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
        server: SocketAddr::new(place.services.address, place.services.nfs_port),
        options: place.options,
        id_prefix: node.run.id_prefix(),
    }
}

/// Fetches kernel modules and unpacks them over the layer.
pub(super) async fn unpack_modules(
    node: &NodeContext,
    phase: &Phase,
    timeouts: &Timeouts,
    spec: &ArtifactSpec,
    layer: &Arc<Layer>,
) -> Result<(), Fault> {
    let artifact = node.fetch(phase, timeouts, "modules", spec).await?;
    let part = phase.part(timeouts.part(Part::PrepareRootfs)).part(timeouts.part(Part::ExtractModules));
    let (run, layer) = (Arc::clone(&node.run), Arc::clone(layer));
    let unpacked = tokio::task::spawn_blocking(move || -> Result<(), Box<dyn Error + Send + Sync>> {
        let archive = run.lowers.open(&run.cache, &artifact)?;
        Ok(layer.unpack(&archive)?)
    });
    let unpacked = async { unpacked.await.map_err(|error| phase.fault(Class::Bug, error)) };
    part.bound("end of the modules' tar", unpacked).await?.map_err(|error| {
        Fault::new(
            Class::Infrastructure,
            format!("{} ({})", phase.place, spec.place),
            format!("`{}` cannot be unpacked as modules: {}", spec.url, Chain(&*error)),
        )
    })
}

/// Writes agent, definitions and keys into the layer, through the code that serves NFS writes.
pub(super) fn apply_overlay(
    node: &NodeContext,
    phase: &Phase,
    layer: &Layer,
    overlay: &Overlay,
    authorize_ssh: bool,
) -> Result<(), Fault> {
    let fault = |error: &dyn Error| {
        phase.fault(Class::Infrastructure, format!("cannot write into the root filesystem: {}", Chain(error)))
    };
    let directory = node.agent_directory();
    for file in overlay.files() {
        let path = format!("{directory}/{}", file.path);
        let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
        layer.make_dirs(parent, 0o755).map_err(|error| fault(&error))?;
        layer.write_file(&path, file.mode, &file.content).map_err(|error| fault(&error))?;
    }
    if authorize_ssh {
        let line = format!("{}\n", node.run.key.authorized_keys_line(&format!("host-runner {}", node.id)));
        layer.make_dirs("/root/.ssh", 0o700).map_err(|error| fault(&error))?;
        layer.append_file(AUTHORIZED_KEYS, 0o600, line.as_bytes()).map_err(|error| fault(&error))?;
    }
    Ok(())
}
