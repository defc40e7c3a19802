//! The root filesystem of a deployment: fetched, under a layer of its own, with the agent and what it needs in it.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use crate::action::Overlay;
use crate::artifact::Artifact;
use crate::fault::{Class, Fault};
use crate::job::{ArtifactSpec, Part, Timeouts};
use crate::rootfs::{Layer, LayerOptions, Origin, layer_directory};
use crate::run::{NodeContext, Phase, Services};

/// To whom a root filesystem is served, and where.
pub(super) struct Place<'a> {
    pub(super) board: IpAddr,
    pub(super) export: String,
    pub(super) services: &'a Services,
    pub(super) options: LayerOptions,
}

/// Fetches a root filesystem and puts an empty layer over it.
pub(super) async fn open(
    node: &NodeContext,
    phase: &Phase,
    timeouts: &Timeouts,
    spec: &ArtifactSpec,
    place: Place<'_>,
) -> Result<Arc<Layer>, Fault> {
    let artifact = node.fetch(phase, timeouts, "nfsrootfs", spec).await?;
    let part = phase.part(timeouts.part(Part::PrepareRootfs)).part(timeouts.part(Part::ExtractRootfs));
    let rootfs_fault = |error: &dyn std::error::Error| {
        Fault::new(
            Class::Infrastructure,
            format!("{} ({})", phase.place, spec.place),
            format!("`{}` cannot be used as a root filesystem: {}", spec.url, crate::fault::Chain(error)),
        )
    };
    let directory = directory(node).map_err(|error| phase.error(Class::Infrastructure, &error))?;
    let (run, layer, artifact) = (Arc::clone(&node.run), layer_directory(&directory), Arc::new(artifact));
    let tar = Arc::clone(&artifact);
    let options = place.options;
    let opened = tokio::task::spawn_blocking(move || {
        let lower = run.lowers.open(&run.cache, &tar)?;
        Layer::new(lower, layer, options)
    });
    let opened = async { opened.await.map_err(|error| phase.fault(Class::Bug, error)) };
    let opened = part.bound("end of the root filesystem's tar", opened).await?;
    let layer = opened.map_err(|error| rootfs_fault(&error))?;
    if node.run.keep_rootfs.is_some() {
        layer.keep();
        let origin = origin(spec, &artifact, place);
        origin.write(&directory).map_err(|error| phase.error(Class::Infrastructure, &error))?;
        node.emitter.note(format!("the root filesystem is kept in {}", directory.display()));
    }
    Ok(Arc::new(layer))
}

/// Where the node's layer goes; a later deployment takes the place of an earlier one.
fn directory(node: &NodeContext) -> io::Result<PathBuf> {
    let Some(kept) = &node.run.keep_rootfs else { return node.run.scratch.subdirectory(&node.id) };
    let directory = kept.join(&node.plan.name);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn origin(spec: &ArtifactSpec, artifact: &Artifact, place: Place<'_>) -> Origin {
    Origin {
        url: spec.url.clone(),
        tar: artifact.path.clone(),
        sha256: artifact.sha256.clone(),
        board: place.board,
        export: place.export,
        server: SocketAddr::new(place.services.address, place.services.nfs_port),
        options: place.options,
    }
}

/// Writes agent, definitions and keys into the layer, through the code that serves NFS writes.
pub(super) fn apply_overlay(
    node: &NodeContext,
    phase: &Phase,
    layer: &Layer,
    overlay: &Overlay,
    authorize_ssh: bool,
) -> Result<(), Fault> {
    let fault = |error: &dyn std::error::Error| {
        phase.fault(
            Class::Infrastructure,
            format!("cannot write into the root filesystem: {}", crate::fault::Chain(error)),
        )
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
        layer
            .append_file("/root/.ssh/authorized_keys", 0o600, line.as_bytes())
            .map_err(|error| fault(&error))?;
    }
    Ok(())
}
