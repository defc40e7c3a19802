//! RAM disks with more in them, and kernels with U-Boot's header: files of a deployment that are made from those fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::artifact::Artifact;
use crate::fault::{Chain, Class, Fault};
use crate::job::{ArtifactSpec, OverlayFormat, OverlaySpec, Part, RamdiskSpec, Timeouts};
use crate::ramdisk::uimage::{Architecture, Header};
use crate::ramdisk::{Meta, Ramdisk, RamdiskError};
use crate::rootfs::RootfsError;
use crate::run::{NodeContext, Phase};

/// Largest kernel that gets a header, in bytes: more than any board has memory for.
const MAX_KERNEL: u64 = 1 << 30;

/// Name in U-Boot's headers.
const NAME: &str = "host-runner";

/// What is put into a RAM disk.
enum Addition {
    /// A tar, below a directory.
    Tar(Artifact, String),
    /// A file.
    File(Artifact, String),
}

/// A RAM disk that was made for a job.
pub(super) struct MadeRamdisk {
    /// The file.
    pub(super) path: PathBuf,
    /// Whether it has U-Boot's header.
    pub(super) has_header: bool,
}

/// Puts modules and overlays into the RAM disk `fetched`; `None` if nothing is to be put into it.
pub(super) async fn fill_ramdisk(
    node: &NodeContext,
    phase: &Phase,
    timeouts: &Timeouts,
    spec: &RamdiskSpec,
    modules: Option<&ArtifactSpec>,
    fetched: &Artifact,
) -> Result<Option<MadeRamdisk>, Fault> {
    let mut additions = Vec::new();
    if let Some(modules) = modules.filter(|_| spec.takes_modules) {
        additions.push(Addition::Tar(node.fetch(phase, timeouts, "modules", modules).await?, "/".to_owned()));
    }
    for OverlaySpec { name, artifact, format, path } in &spec.overlays {
        let file = node.fetch(phase, timeouts, &format!("overlay {name}"), artifact).await?;
        additions.push(match format {
            OverlayFormat::Tar => Addition::Tar(file, path.clone()),
            OverlayFormat::File => Addition::File(file, path.clone()),
        });
    }
    if additions.is_empty() {
        return Ok(None);
    }
    let directory = node.run.scratch.subdirectory(&node.id);
    let directory = directory.map_err(|error| phase.error(Class::Infrastructure, &error))?;
    let part = phase.part(timeouts.part(Part::PrepareRamdisk));
    let (run, from, to) = (Arc::clone(&node.run), fetched.path.clone(), directory.join("ramdisk"));
    let made = tokio::task::spawn_blocking(move || -> Result<MadeRamdisk, FillError> {
        let mut ramdisk = Ramdisk::open(&from)?;
        for addition in &additions {
            match addition {
                Addition::Tar(tar, path) => ramdisk.unpack(&run.lowers.open(&run.cache, tar)?, path)?,
                Addition::File(file, path) => {
                    let content =
                        fs::read(&file.path).map_err(|source| FillError::Read(source.to_string()))?;
                    ramdisk.put_file(path, Meta::of_root(0o644, 0), content)?;
                }
            }
        }
        ramdisk.write(&to)?;
        Ok(MadeRamdisk { path: to, has_header: ramdisk.header().is_some() })
    });
    let made = async { made.await.map_err(|error| phase.fault(Class::Bug, error)) };
    let made = part.bound("end of the RAM disk", made).await?.map_err(|error| {
        let text = format!("`{}` cannot be filled: {}", spec.artifact.url, Chain(&error));
        let place = format!("{} ({})", phase.place, spec.artifact.place);
        Fault::new(error.class(), place, text).with_optional_help(error.help().map(str::to_owned))
    })?;
    node.emitter.note("modules and overlays are in the RAM disk");
    Ok(Some(made))
}

/// Why a RAM disk cannot be filled.
#[derive(Debug, thiserror::Error)]
enum FillError {
    #[error(transparent)]
    Ramdisk(#[from] RamdiskError),
    #[error(transparent)]
    Tar(#[from] RootfsError),
    #[error("an overlay cannot be read: {0}")]
    Read(String),
}

impl FillError {
    /// Whose fault it is.
    const fn class(&self) -> Class {
        match self {
            Self::Ramdisk(error) => error.class(),
            Self::Tar(_) | Self::Read(_) => Class::Infrastructure,
        }
    }

    /// What to do about it.
    fn help(&self) -> Option<&'static str> {
        match self {
            Self::Ramdisk(error) => error.help(),
            Self::Tar(_) | Self::Read(_) => None,
        }
    }
}

/// Gives the kernel at `path` U-Boot's header, with which it is copied to `load` and started there.
pub(super) async fn kernel_with_header(
    node: &NodeContext,
    phase: &Phase,
    path: &Path,
    arch: &str,
    load: &str,
) -> Result<PathBuf, Fault> {
    let fault =
        |class, text: String| phase.fault(class, format!("the kernel cannot get U-Boot's header: {text}"));
    let digits = load.strip_prefix("0x").unwrap_or(load);
    let address = u32::from_str_radix(digits, 16)
        .map_err(|_| fault(Class::Bench, format!("`{load}` is no address of 32 bits (`uimage_addr`)")))?;
    let architecture = match arch {
        "armv7" => Architecture::Arm,
        "aarch64" => Architecture::Arm64,
        other => Architecture::of_name(other)
            .ok_or_else(|| fault(Class::Bench, format!("U-Boot has no number for `{other}`")))?,
    };
    let directory = node.run.scratch.subdirectory(&node.id);
    let directory = directory.map_err(|error| phase.error(Class::Infrastructure, &error))?;
    let (from, to) = (path.to_owned(), directory.join("uImage"));
    let written = tokio::task::spawn_blocking(move || -> Result<PathBuf, String> {
        let size = fs::metadata(&from).map_err(|error| error.to_string())?.len();
        if size > MAX_KERNEL {
            return Err(format!("it has {size} bytes"));
        }
        let data = fs::read(&from).map_err(|error| error.to_string())?;
        let header = Header::kernel(architecture, NAME, address, address);
        let mut image = header.for_data(&data).map_err(|error| error.to_string())?.to_vec();
        image.extend_from_slice(&data);
        fs::write(&to, image).map_err(|error| error.to_string())?;
        Ok(to)
    });
    let written = async { written.await.map_err(|error| phase.fault(Class::Bug, error)) };
    let written = phase.bound("end of the kernel's header", written).await?;
    written.map_err(|text| fault(Class::Infrastructure, text))
}
