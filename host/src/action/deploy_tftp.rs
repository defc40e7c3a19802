//! `deploy` to `tftp`: kernel, device tree and RAM disk for U-Boot, a root filesystem for NFS.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::action::Overlay;
use crate::action::images;
use crate::action::rootfs::{self, Fill, Place};
use crate::artifact::Artifact;
use crate::board::Board;
use crate::event::EventKind;
use crate::fault::{Class, Fault};
use crate::job::{ArtifactSpec, DeployTftp, PersistentNfs, RootfsSpec, Timeouts};
use crate::nfs;
use crate::plan::{BootValues, NfsValues, NodeKind, RamdiskValues, Step, TftpDeployment};
use crate::rootfs::{Durability, Layer, LayerOptions};
use crate::run::{Emitter, HostAccess, NodeContext, Phase, Resources, Services};
use crate::tftp;

/// The directory with the extra files.
const EXTRA_FILES: &str = "extra_files";

/// NFS's own port, of servers that are not ours.
const NFS_PORT: u16 = 2049;

/// How often it is told how much NFS has carried.
const NFS_PROGRESS: Duration = Duration::from_secs(1);

/// Longest name of a file in a boot loader's command, in characters.
const MAX_NAME: usize = 64;

/// Where a run has put the agent and the tests before it boots a board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TestsIn {
    /// Nowhere: they are brought to the system that runs.
    #[default]
    Nowhere,
    /// Into the root filesystem that is served.
    Rootfs,
    /// Into the RAM disk. Whether that is what runs is the board's choice.
    Ramdisk,
}

/// Files served to a board.
#[derive(Default)]
pub(crate) struct Deployed {
    /// TFTP name of the kernel.
    kernel: Option<String>,
    /// TFTP name of the device tree.
    dtb: Option<String>,
    /// TFTP names of its overlays.
    dtbo: Vec<String>,
    /// TFTP name of a trusted execution environment's image.
    tee: Option<String>,
    /// TFTP name of the answers for an installer.
    preseed: Option<String>,
    /// TFTP name of the directory with the extra files.
    extra_files: Option<String>,
    /// TFTP name of the RAM disk.
    ramdisk: Option<String>,
    /// Whether the RAM disk comes with U-Boot's header.
    ramdisk_has_header: bool,
    /// Where the agent and the tests are.
    pub(crate) tests: TestsIn,
    /// NFS path of the root filesystem.
    export: Option<String>,
    /// A root filesystem of another server.
    persistent_nfs: Option<PersistentNfs>,
    _files: Vec<tftp::Guard>,
    /// What is served of the cache: it stays there meanwhile.
    _artifacts: Vec<Artifact>,
    guard: Option<nfs::ExportGuard>,
    _progress: Option<AbortOnDropHandle<()>>,
}

impl Deployed {
    /// What the board has done with its root filesystem, if it was given one.
    pub(crate) fn activity(&self) -> Option<nfs::Activity> {
        self.guard.as_ref().map(nfs::ExportGuard::activity)
    }

    /// What U-Boot's commands can name of it; `services` are those of the board's network.
    pub(super) fn values<'a>(&'a self, services: Option<&Services>) -> BootValues<'a> {
        let own = self.export.as_deref().zip(services);
        let own = own.map(|(export, services)| NfsValues {
            server_ip: services.address,
            port: services.nfs_port,
            export,
        });
        let other = self.persistent_nfs.as_ref();
        let other = other.map(|nfs| NfsValues { server_ip: nfs.server, port: NFS_PORT, export: &nfs.path });
        let has_header = self.ramdisk_has_header;
        BootValues {
            kernel: self.kernel.as_deref(),
            dtb: self.dtb.as_deref(),
            dtbo: self.dtbo.iter().map(String::as_str).collect(),
            tee: self.tee.as_deref(),
            preseed: self.preseed.as_deref(),
            extra_files: self.extra_files.as_deref(),
            ramdisk: self.ramdisk.as_deref().map(|path| RamdiskValues { path, has_header }),
            nfs: own.or(other),
            ..BootValues::default()
        }
    }
}

/// Fetches the files and serves them to the node's board.
pub(crate) async fn deploy_tftp(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    deployment: &TftpDeployment,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let board = node.own_board(phase)?;
    let deploy = &deployment.spec;
    let services = node.services(board, phase)?;
    let mut files = Files {
        node,
        phase,
        board,
        timeouts: &step.timeouts,
        services,
        peer: deployment.peer,
        directory: resources.next_deployment(&node.id),
        guards: Vec::new(),
        artifacts: Vec::new(),
    };
    let mut deployed = Deployed {
        kernel: files.kernel(deployment).await?,
        dtb: files.serve_optional("dtb", deploy.dtb.as_ref()).await?,
        tee: files.serve_optional("tee", deploy.tee.as_ref()).await?,
        preseed: files.serve_optional("preseed", deploy.preseed.as_ref()).await?,
        persistent_nfs: deploy.persistent_nfs.clone(),
        ..Deployed::default()
    };
    for (index, spec) in deploy.dtbo.iter().enumerate() {
        deployed.dtbo.push(files.fetch_and_serve(&format!("dtbo{index}"), spec).await?);
    }
    for (name, spec) in &deploy.extra_files {
        let artifact = node.fetch(phase, &step.timeouts, "extra file", spec).await?;
        files.serve(EXTRA_FILES, name, artifact.path.clone());
        files.artifacts.push(artifact);
        deployed.extra_files = Some(format!("{}/{EXTRA_FILES}", files.directory));
    }
    files.ramdisk(deploy, overlay, &mut deployed).await?;
    if let Some(spec) = &deploy.rootfs {
        files.rootfs(deploy, spec, overlay, &mut deployed).await?;
    }
    deployed._files = files.guards;
    deployed._artifacts.extend(files.artifacts);
    resources.space().deployed = Some(deployed);
    Ok(())
}

fn host_access(board: &Board, services: &Services, layer: &Arc<Layer>, root: &str) -> HostAccess {
    let (net, layer) = (services.net.clone(), Arc::clone(layer));
    HostAccess { net, port: board.ssh_port, layer, root: root.to_owned() }
}

/// Tells how much a board has read and written of its root filesystem, while it does.
fn tell_progress(emitter: Emitter, carried: impl Fn() -> u64 + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut told = 0;
        let mut ticks = tokio::time::interval(NFS_PROGRESS);
        loop {
            ticks.tick().await;
            let done = carried();
            if done != told {
                told = done;
                emitter.emit(EventKind::Progress { what: "nfs".to_owned(), done, total: None });
            }
        }
    }))
}

/// Files on their way into the TFTP server's table.
struct Files<'a> {
    node: &'a NodeContext,
    phase: &'a Phase,
    board: &'a Board,
    timeouts: &'a Timeouts,
    services: &'a Services,
    peer: IpAddr,
    /// Of the TFTP names and of the NFS export.
    directory: String,
    guards: Vec<tftp::Guard>,
    artifacts: Vec<Artifact>,
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
        let name = self.serve(kind, &file_name_of(spec, kind), artifact.path.clone());
        self.artifacts.push(artifact);
        Ok(name)
    }

    /// The kernel, with U-Boot's header if the board needs that.
    async fn kernel(&mut self, deployment: &TftpDeployment) -> Result<Option<String>, Fault> {
        let Some(spec) = &deployment.spec.kernel else { return Ok(None) };
        let Some(load) = &deployment.kernel_header else {
            return self.fetch_and_serve("kernel", spec).await.map(Some);
        };
        let fetched = self.node.fetch(self.phase, self.timeouts, "kernel", spec).await?;
        let image = images::kernel_with_header(self.node, self.phase, fetched.path.clone(), load).await?;
        self.node.emitter.note("the kernel has got U-Boot's header");
        Ok(Some(self.serve("kernel", &file_name_of(spec, "kernel"), image)))
    }

    /// The job's RAM disk, or the board's own.
    async fn ramdisk(
        &mut self,
        deploy: &DeployTftp,
        overlay: &Overlay,
        deployed: &mut Deployed,
    ) -> Result<(), Fault> {
        let is_root = deploy.rootfs.is_none() && deploy.persistent_nfs.is_none();
        deployed.ramdisk = match &deploy.ramdisk {
            Some(spec) => {
                let fetched = self.node.fetch(self.phase, self.timeouts, "ramdisk", &spec.artifact).await?;
                let (modules, tests) = (deploy.modules.as_ref(), is_root.then_some(overlay));
                let made =
                    images::ramdisk(self.node, self.phase, self.timeouts, spec, modules, tests, &fetched)
                        .await?;
                deployed.ramdisk_has_header = made.has_header;
                if made.has_tests {
                    deployed.tests = TestsIn::Ramdisk;
                }
                let name = self.serve("ramdisk", &file_name_of(&spec.artifact, "ramdisk"), made.path);
                // It may be served as it is.
                self.artifacts.push(fetched);
                Some(name)
            }
            None => {
                let own = self.board.qemu().and_then(|qemu| qemu.initrd.clone());
                own.map(|own| self.serve("ramdisk", "initrd", own))
            }
        };
        Ok(())
    }

    /// The root filesystem, with all that goes into it.
    async fn rootfs(
        &self,
        deploy: &DeployTftp,
        spec: &RootfsSpec,
        overlay: &Overlay,
        deployed: &mut Deployed,
    ) -> Result<(), Fault> {
        let Self { node, phase, board, timeouts, services, peer, .. } = *self;
        let export = format!("/{}/rootfs", self.directory);
        let durability = if spec.persistent.is_some() { Durability::Power } else { Durability::Process };
        let options = LayerOptions { budget: board.rootfs_budget, durability };
        let root = spec.prefix.as_ref().map(|prefix| format!("/{prefix}")).unwrap_or_default();
        let place = Place { board: peer, export: export.clone(), root: &root, services, options };
        let (layer, tar) = rootfs::open(node, phase, timeouts, spec, place).await?;
        let fill = Fill { node, phase, timeouts, layer: &layer, root: &root };
        fill.check_root()?;
        if let Some(modules) = deploy.modules.as_ref().filter(|_| spec.takes_modules) {
            fill.unpack("modules", modules, "/").await?;
        }
        fill.overlays(&spec.overlays).await?;
        if spec.takes_overlay {
            fill.tests(overlay)?;
            deployed.tests = TestsIn::Rootfs;
        }
        // Whoever has a board kept on wants to look around on it.
        if deploy.authorize_ssh || node.run.keep_on.is_some() {
            fill.authorize()?;
            node.run.set_host(&node.plan.name, host_access(board, services, &layer, &root));
        }
        let guard = services.exports.add(peer, export.clone(), Arc::clone(&layer));
        deployed._progress = Some(tell_progress(self.node.emitter.clone(), guard.carried()));
        deployed.guard = Some(guard);
        deployed._artifacts.push(tar);
        deployed.export = Some(format!("{export}{root}"));
        Ok(())
    }

    /// Serves a file under `<directory>/<kind>/<name>`.
    fn serve(&mut self, kind: &str, name: &str, path: PathBuf) -> String {
        let name = format!("{}/{kind}/{name}", self.directory);
        self.guards.push(self.services.files.add(self.peer, &name, tftp::Source::File(path)));
        name
    }
}

/// The name under which a file is served: the job's, or that of its URL.
fn file_name_of(spec: &ArtifactSpec, otherwise: &str) -> String {
    spec.filename.clone().unwrap_or_else(|| file_name(&spec.url, otherwise))
}

/// The last part of a URL's path as a name that can be typed into a boot loader; `otherwise` if nothing is left.
fn file_name(url: &str, otherwise: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let typable = |c: &char| c.is_ascii_alphanumeric() || "-_.+".contains(*c);
    let name: String = name.chars().filter(typable).take(MAX_NAME).collect();
    if name.is_empty() { otherwise.to_owned() } else { name }
}

impl NodeContext {
    /// The node's own board.
    pub(super) fn own_board(&self, phase: &Phase) -> Result<&Board, Fault> {
        match &self.plan.kind {
            NodeKind::Board { board } => Ok(board),
            NodeKind::Secondary { .. } => {
                Err(phase.fault(Class::Job, "a secondary connection has no board of its own"))
            }
        }
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
