//! `deploy` blocks: what is fetched, and what becomes of it.

use std::net::IpAddr;

use super::Located;
use crate::artifact::{Checksums, Compression, Headers};

/// Files for U-Boot to fetch, and a root filesystem to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployTftp {
    /// The kernel.
    pub kernel: Option<ArtifactSpec>,
    /// `type` of the kernel: what kind of image it is. Without it, `type` of the boot block decides.
    pub kernel_type: Option<BootImage>,
    /// The device tree blob.
    pub dtb: Option<ArtifactSpec>,
    /// `dtbo`: overlays for the device tree, in order.
    pub dtbo: Vec<ArtifactSpec>,
    /// `tee`: a trusted execution environment's image.
    pub tee: Option<ArtifactSpec>,
    /// `preseed`: the answers for an installer.
    pub preseed: Option<ArtifactSpec>,
    /// The initial RAM disk.
    pub ramdisk: Option<RamdiskSpec>,
    /// `nfsrootfs`: the root filesystem, served by NFS.
    pub rootfs: Option<RootfsSpec>,
    /// `persistent_nfs`: a root filesystem of somebody else's NFS server.
    pub persistent_nfs: Option<PersistentNfs>,
    /// A tar of kernel modules, to be unpacked over root filesystem and RAM disk.
    pub modules: Option<ArtifactSpec>,
    /// `extra_files`: more files to serve, by their names.
    pub extra_files: Vec<(String, ArtifactSpec)>,
    /// `authorize: ssh`: whether the job's public key goes into the root filesystem.
    pub authorize_ssh: bool,
    /// `os`, such as `debian`: decides how packages are installed.
    pub os: Option<String>,
}

impl DeployTftp {
    /// All files that are fetched, those of overlays among them.
    pub fn artifacts(&self) -> impl Iterator<Item = &ArtifactSpec> {
        let plain = [&self.kernel, &self.dtb, &self.tee, &self.preseed, &self.modules];
        let ramdisk = self.ramdisk.iter().map(|ramdisk| (&ramdisk.artifact, &ramdisk.overlays));
        let rootfs = self.rootfs.iter().map(|rootfs| (&rootfs.artifact, &rootfs.overlays));
        let filled = ramdisk.chain(rootfs);
        let filled = filled.flat_map(|(artifact, overlays)| {
            std::iter::once(artifact).chain(overlays.iter().map(|overlay| &overlay.artifact))
        });
        let extra = self.extra_files.iter().map(|(_, artifact)| artifact);
        plain.into_iter().flatten().chain(&self.dtbo).chain(filled).chain(extra)
    }
}

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactSpec {
    /// Where from: http, https or file.
    pub url: String,
    /// `filename`: its name, instead of the URL's.
    pub filename: Option<String>,
    /// How it is compressed, if it is to be decompressed.
    pub compression: Option<Compression>,
    /// `archive: tar`: whether it is the only file of a tar.
    pub in_tar: bool,
    /// What its bytes, as fetched, must hash to.
    pub checksums: Checksums,
    /// `headers`: sent to the server, whose name or value they are; a value may be the name of a token of the bench.
    pub headers: Headers,
    /// `use_cache`: if not, it comes from `url` itself, whatever the bench's cache and mirrors have.
    pub use_cache: bool,
    /// `file:line:column` of the URL.
    pub place: String,
}

/// An initial RAM disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RamdiskSpec {
    /// The file. Its `compression` tells what is inside, and is not undone: the kernel does that.
    pub artifact: ArtifactSpec,
    /// `header: u-boot`: whether it has U-Boot's header, or gets it.
    pub has_header: bool,
    /// `install_modules`: whether kernel modules are put into it.
    pub takes_modules: bool,
    /// `install_overlay`: whether the agent and the tests are put into it, where it is the root filesystem.
    pub takes_overlay: bool,
    /// More files that are put into it.
    pub overlays: Vec<OverlaySpec>,
}

/// A root filesystem: a tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootfsSpec {
    /// The tar.
    pub artifact: ArtifactSpec,
    /// `prefix`: the directory of the tar that is the root, relative, without `/` at its end.
    pub prefix: Option<String>,
    /// `persistent`, an extension of LAVA's language: the name under which what jobs change in it is kept for the next
    /// job.
    pub persistent: Option<Located<String>>,
    /// `install_modules`: whether kernel modules are put into it.
    pub takes_modules: bool,
    /// `install_overlay`: whether the agent and the tests are put into it.
    pub takes_overlay: bool,
    /// More files that are put into it.
    pub overlays: Vec<OverlaySpec>,
}

/// Files that are put into a root filesystem or RAM disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlaySpec {
    /// Its name in the job.
    pub name: String,
    /// The file.
    pub artifact: ArtifactSpec,
    /// What it is.
    pub format: OverlayFormat,
    /// Where it goes: the directory that the tar is unpacked in, or the file itself.
    pub path: String,
}

/// What an overlay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverlayFormat {
    /// A tar, to be unpacked.
    Tar,
    /// A file, to be written.
    File,
}

/// A root filesystem that another NFS server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersistentNfs {
    /// The server.
    pub server: IpAddr,
    /// Path of the export.
    pub path: String,
}

/// Kind of a kernel image, and with it the U-Boot command that starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BootImage {
    /// A 32-bit Arm `zImage`: `bootz`.
    Zimage,
    /// An arm64 or RISC-V `Image`: `booti`.
    Image,
    /// An image with U-Boot's header: `bootm`.
    Uimage,
}

impl BootImage {
    /// The kinds, by their names in job files and board types.
    pub(crate) const NAMES: [(&str, Self); 3] =
        [("zimage", Self::Zimage), ("image", Self::Image), ("uimage", Self::Uimage)];

    /// U-Boot's command that starts it.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Zimage => "bootz",
            Self::Image => "booti",
            Self::Uimage => "bootm",
        }
    }
}

/// Set-up of an SSH connection to a board that another role booted, or that is up by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploySsh {
    /// `os`.
    pub os: Option<String>,
}
