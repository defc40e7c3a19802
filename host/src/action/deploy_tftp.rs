//! `deploy` to `tftp`: kernel, device tree and RAM disk for U-Boot, a root filesystem for NFS.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::action::Overlay;
use crate::action::rootfs::{self, Place};
use crate::artifact::Artifact;
use crate::board::Board;
use crate::event::EventKind;
use crate::fault::{Class, Fault};
use crate::job::{ArtifactSpec, DeployTftp, Part, Timeouts};
use crate::plan::{NodeKind, Step};
use crate::rootfs::{Durability, Layer, LayerOptions};
use crate::run::{HostAccess, NodeContext, Phase, Resources, Services};
use crate::tftp;
use crate::{artifact, nfs};

/// Longest name of a file in a boot loader's command, in characters.
const MAX_NAME: usize = 64;

/// Files served to a board.
pub(crate) struct Deployed {
    /// TFTP name of the kernel.
    pub(crate) kernel: String,
    /// TFTP name of the device tree.
    pub(crate) dtb: Option<String>,
    /// TFTP name of the RAM disk.
    pub(crate) ramdisk: Option<String>,
    /// Whether the RAM disk comes with U-Boot's header.
    pub(crate) ramdisk_has_header: bool,
    /// The root filesystem.
    pub(crate) layer: Option<Arc<Layer>>,
    /// NFS path of the root filesystem.
    pub(crate) export: Option<String>,
    _files: Vec<tftp::Guard>,
    guard: Option<nfs::ExportGuard>,
}

impl Deployed {
    /// What the board has done with its root filesystem, if it was given one.
    pub(crate) fn activity(&self) -> Option<nfs::Activity> {
        self.guard.as_ref().map(nfs::ExportGuard::activity)
    }
}

/// Fetches the files and serves them to the node's board.
pub(crate) async fn deploy_tftp(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    deploy: &DeployTftp,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let NodeKind::Board { board } = &node.plan.kind else {
        return Err(phase.fault(Class::Job, "a secondary connection has no board to deploy to"));
    };
    let peer = board.address.ok_or_else(|| {
        phase
            .fault(
                Class::Bench,
                format!("the bench file does not give the address of board `{}`", board.name),
            )
            .with_help(format!(
                "add `address = \"…\"` to `[boards.{}]`: TFTP and NFS answer only boards they know",
                board.name
            ))
    })?;
    let services = node.services(board, phase)?;
    let mut files = Files { node, phase, timeouts: &step.timeouts, services, peer, guards: Vec::new() };
    let kernel = files.fetch_and_serve("kernel", &deploy.kernel).await?;
    let dtb = files.serve_optional("dtb", deploy.dtb.as_ref()).await?;
    let mut ramdisk = files.serve_optional("ramdisk", deploy.ramdisk.as_ref()).await?;
    if ramdisk.is_none()
        && let Some(own) = board.qemu().and_then(|qemu| qemu.initrd.as_ref())
    {
        ramdisk = Some(files.serve("ramdisk", "initrd", own.clone()));
    }
    let guards = files.guards;
    let mut deployed = Deployed {
        kernel,
        dtb,
        ramdisk,
        ramdisk_has_header: deploy.ramdisk.is_some() && deploy.ramdisk_has_header,
        layer: None,
        export: None,
        _files: guards,
        guard: None,
    };
    if let Some(spec) = &deploy.nfsrootfs {
        let export = format!("/{}/rootfs", node.id);
        let persistent = deploy.persistent.as_ref().map(|name| name.value.as_str());
        let durability = if persistent.is_some() { Durability::Power } else { Durability::Process };
        let options = LayerOptions { budget: board.rootfs_budget, durability };
        let place = Place { board: peer, export: export.clone(), services, options };
        let layer = rootfs::open(node, phase, &step.timeouts, spec, persistent, place).await?;
        if let Some(modules) = &deploy.modules {
            rootfs::unpack_modules(node, phase, &step.timeouts, modules, &layer).await?;
        }
        rootfs::apply_overlay(node, phase, &layer, overlay, deploy.authorize_ssh)?;
        deployed.guard = Some(services.exports.add(peer, export.clone(), Arc::clone(&layer)));
        deployed.export = Some(export);
        if deploy.authorize_ssh {
            node.run.set_host(&node.plan.name, host_access(board, services, &layer));
        }
        deployed.layer = Some(layer);
    }
    resources.deployed = Some(deployed);
    Ok(())
}

fn host_access(board: &Board, services: &Services, layer: &Arc<Layer>) -> HostAccess {
    HostAccess { net: services.net.clone(), port: board.ssh_port, layer: Arc::clone(layer) }
}

/// Files on their way into the TFTP server's table.
struct Files<'a> {
    node: &'a NodeContext,
    phase: &'a Phase,
    timeouts: &'a Timeouts,
    services: &'a Services,
    peer: IpAddr,
    guards: Vec<tftp::Guard>,
}

impl Files<'_> {
    async fn serve_optional(
        &mut self,
        kind: &str,
        spec: Option<&ArtifactSpec>,
    ) -> Result<Option<String>, Fault> {
        match spec {
            Some(spec) => self.fetch_and_serve(kind, spec).await.map(Some),
            None => Ok(None),
        }
    }

    async fn fetch_and_serve(&mut self, kind: &str, spec: &ArtifactSpec) -> Result<String, Fault> {
        let artifact = self.node.fetch(self.phase, self.timeouts, kind, spec).await?;
        Ok(self.serve(kind, &file_name(&spec.url, kind), artifact.path))
    }

    /// Serves a file under `<id>/<kind>/<name>`.
    fn serve(&mut self, kind: &str, name: &str, path: PathBuf) -> String {
        let name = format!("{}/{kind}/{name}", self.node.id);
        self.guards.push(self.services.files.add(self.peer, &name, tftp::Source::File(path)));
        name
    }
}

/// The last part of a URL's path as a name that can be typed into a boot loader; `otherwise` if nothing is left.
fn file_name(url: &str, otherwise: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let typable = |c: &char| c.is_ascii_alphanumeric() || "-_.+".contains(*c);
    let name: String = name.chars().filter(typable).take(MAX_NAME).collect();
    if name.is_empty() { otherwise.to_owned() } else { name }
}

/// The part that LAVA's action for the scheme of `url` is.
fn download_part(url: &str) -> Part {
    if url.starts_with("http:") || url.starts_with("https:") {
        Part::HttpDownload
    } else {
        Part::FileDownload
    }
}

/// What the cache is asked for.
fn artifact_request(spec: &ArtifactSpec) -> artifact::Request {
    artifact::Request {
        url: spec.url.clone(),
        compression: spec.compression,
        checksums: spec.checksums.clone(),
    }
}

impl NodeContext {
    /// Fetches an artifact, with progress.
    pub(super) async fn fetch(
        &self,
        phase: &Phase,
        timeouts: &Timeouts,
        kind: &str,
        spec: &ArtifactSpec,
    ) -> Result<Artifact, Fault> {
        let emitter = self.emitter.clone();
        let what = format!("fetch {kind}");
        let progress =
            move |done, total| emitter.emit(EventKind::Progress { what: what.clone(), done, total });
        let request = artifact_request(spec);
        let phase = phase.part(timeouts.part(Part::Download)).part(timeouts.part(download_part(&spec.url)));
        let artifact = self
            .run
            .cache
            .fetch(&request, &self.run.mirrors, phase.deadline.into_std(), progress)
            .await
            .map_err(|error| {
                let fault = phase.late_error(error.class(), &error, error.is_late());
                Fault { place: format!("{} ({})", phase.place, spec.place), ..fault }
            })?;
        let how = if artifact.from_cache { "from the cache" } else { "fetched" };
        self.emitter.note(format!(
            "{kind} {} {how}, {:.1} MB, sha256 {:.12}",
            spec.url,
            artifact.size as f64 / 1e6,
            artifact.sha256
        ));
        Ok(artifact)
    }

    /// What is served to `board`.
    pub(crate) fn services(&self, board: &Board, phase: &Phase) -> Result<&Services, Fault> {
        self.run
            .networks
            .services(board)
            .ok_or_else(|| phase.fault(Class::Bug, "nothing is served in the network of the board"))
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_of_urls_can_be_typed_into_a_boot_loader() {
        for (url, name) in [
            ("https://a.example.org/bbb/zImage", "zImage"),
            ("https://a.example.org/get?file=zImage;reset", "get"),
            ("file:///tmp/my%20kernel; reset", "my20kernelreset"),
            ("https://a.example.org/", "kernel"),
        ] {
            assert_eq!(file_name(url, "kernel"), name);
        }
    }
}
