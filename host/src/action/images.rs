//! RAM disks with more in them, and kernels and RAM disks with U-Boot's header: files of a deployment that are made from
//! those fetched.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::artifact::Artifact;
use crate::fault::{Chain, Class, Fault};
use crate::job::{ArtifactSpec, OverlayFormat, OverlaySpec, Part, RamdiskSpec, Timeouts};
use crate::ramdisk::uimage::{self, Architecture, Header, ImageError};
use crate::ramdisk::{Meta, Ramdisk, RamdiskError};
use crate::rootfs::{Lower, RootfsError};
use crate::run::{NodeContext, Phase};

use super::Overlay;

/// Largest file that gets a header, in bytes: more than any board has memory for.
const MAX_IMAGE: u64 = 1 << 30;

/// Name in U-Boot's headers.
const NAME: &str = "host-runner";

/// What is put into a RAM disk.
enum Addition {
    /// A tar, below a directory.
    Tar(Artifact, String),
    /// A file.
    File(Artifact, String),
}

/// What is done to a RAM disk.
struct Changes {
    /// What the job puts into it.
    additions: Vec<Addition>,
    /// The agent and the tests: path, permission bits, content.
    tests: Vec<(String, u32, Vec<u8>)>,
    /// U-Boot's header, unless it has one.
    header: Option<Header>,
}

/// A RAM disk as it is served.
pub(super) struct ServedRamdisk {
    /// The file.
    pub(super) path: PathBuf,
    /// Whether it has U-Boot's header.
    pub(super) has_header: bool,
    /// Whether it has got that now.
    got_header: bool,
    /// Whether the agent and the tests are in it.
    pub(super) has_tests: bool,
    /// Why they are not.
    refusal: Option<RamdiskError>,
}

/// Makes the RAM disk that is served of the one `fetched`: with modules, overlays and `tests` in it, and with U-Boot's
/// header if the job or the board asks for that.
pub(super) async fn ramdisk(
    node: &NodeContext,
    phase: &Phase,
    timeouts: &Timeouts,
    spec: &RamdiskSpec,
    modules: Option<&ArtifactSpec>,
    tests: Option<&Overlay>,
    fetched: &Artifact,
) -> Result<ServedRamdisk, Fault> {
    let board = node.own_board(phase)?;
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
    let wants_header = spec.has_header || board.uboot.as_ref().is_some_and(|uboot| uboot.ramdisk_header);
    let header = if wants_header {
        let architecture = architecture(&board.arch).map_err(|text| phase.fault(Class::Bench, text))?;
        Some(Header::ramdisk(architecture, NAME))
    } else {
        None
    };
    let directory = node.agent_directory();
    let tests = tests.filter(|_| spec.takes_overlay).map_or(&[][..], Overlay::files).iter();
    let tests = tests.map(|file| (format!("{directory}/{}", file.path), file.mode, file.content.clone()));
    let changes = Changes { additions, tests: tests.collect(), header };
    let is_filled = !changes.additions.is_empty();
    let to = scratch(node, phase)?.join("ramdisk");
    let part = phase.part(timeouts.part(Part::PrepareRamdisk));
    let (run, from) = (Arc::clone(&node.run), fetched.path.clone());
    let made = tokio::task::spawn_blocking(move || {
        make_ramdisk(from, changes, to, |tar| run.lowers.open(&run.cache, tar))
    });
    let made = async { made.await.map_err(|error| phase.fault(Class::Bug, error)) };
    let made = part.bound("end of the RAM disk", made).await?.map_err(|error| {
        let text = format!("`{}` cannot be prepared: {}", spec.artifact.url, Chain(&error));
        let place = format!("{} ({})", phase.place, spec.artifact.place);
        Fault::new(error.class(), place, text).with_optional_help(error.help().map(str::to_owned))
    })?;
    if is_filled {
        node.emitter.note("modules and overlays are in the RAM disk");
    }
    if made.has_tests {
        node.emitter.note("agent and tests are in the RAM disk");
    }
    if let Some(refusal) = &made.refusal {
        node.emitter.note(format!(
            "the RAM disk cannot hold the tests, which go over the console: {}",
            Chain(refusal)
        ));
    }
    if made.got_header {
        node.emitter.note("the RAM disk has got U-Boot's header");
    }
    Ok(made)
}

/// Makes a RAM disk at `to`, unless the one at `from` is as it should be. `open` reads a tar.
///
/// One of a kind that is not known here can still be booted: the tests alone, which also reach the board by other ways, are
/// left out.
fn make_ramdisk(
    from: PathBuf,
    changes: Changes,
    to: PathBuf,
    open: impl Fn(&Artifact) -> Result<Arc<Lower>, RootfsError>,
) -> Result<ServedRamdisk, MakeError> {
    let Changes { additions, tests, header } = changes;
    if additions.is_empty() && tests.is_empty() {
        return keep_content(from, header, to);
    }
    let mut ramdisk = match Ramdisk::open(&from) {
        Ok(ramdisk) => ramdisk,
        Err(refusal) if additions.is_empty() && refusal.is_of_other_kind() => {
            return Ok(ServedRamdisk { refusal: Some(refusal), ..keep_content(from, header, to)? });
        }
        Err(error) => return Err(error.into()),
    };
    for addition in additions {
        match addition {
            Addition::Tar(tar, path) => ramdisk.unpack(&open(&tar)?, &path)?,
            Addition::File(file, path) => {
                let content = fs::read(&file.path).map_err(MakeError::Overlay)?;
                ramdisk.put_file(&path, Meta::of_root(0o644, 0), content)?;
            }
        }
    }
    let has_tests = !tests.is_empty();
    for (path, mode, content) in tests {
        ramdisk.put_file(&path, Meta::of_root(mode, 0), content)?;
    }
    let got_header = ramdisk.header().is_none() && header.is_some();
    if got_header {
        ramdisk.set_header(header);
    }
    ramdisk.write(&to)?;
    let has_header = ramdisk.header().is_some();
    Ok(ServedRamdisk { path: to, has_header, got_header, has_tests, refusal: None })
}

/// The RAM disk at `from` with nothing more in it; at `to` if it gets a header.
fn keep_content(from: PathBuf, header: Option<Header>, to: PathBuf) -> Result<ServedRamdisk, MakeError> {
    let has_header = has_header(&from).map_err(MakeError::Read)?;
    let kept = ServedRamdisk { path: from, has_header, got_header: false, has_tests: false, refusal: None };
    let Some(header) = header.filter(|_| !has_header) else { return Ok(kept) };
    put_header(&header, &kept.path, &to)?;
    Ok(ServedRamdisk { path: to, has_header: true, got_header: true, ..kept })
}

/// Why a RAM disk cannot be made.
#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error(transparent)]
    Ramdisk(#[from] RamdiskError),
    #[error(transparent)]
    Tar(#[from] RootfsError),
    #[error("an overlay cannot be read")]
    Overlay(#[source] io::Error),
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it cannot get U-Boot's header")]
    Header(#[from] HeaderError),
}

/// Why a file cannot get U-Boot's header.
#[derive(Debug, thiserror::Error)]
enum HeaderError {
    #[error("its file")]
    File(#[from] io::Error),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("it has more than {MAX_IMAGE} bytes")]
    TooLarge,
}

impl HeaderError {
    /// Whose fault it is.
    const fn class(&self) -> Class {
        match self {
            Self::File(_) => Class::Infrastructure,
            Self::Image(_) | Self::TooLarge => Class::Job,
        }
    }
}

impl MakeError {
    /// Whose fault it is.
    const fn class(&self) -> Class {
        match self {
            Self::Ramdisk(error) => error.class(),
            Self::Header(error) => error.class(),
            Self::Tar(_) | Self::Overlay(_) | Self::Read(_) => Class::Infrastructure,
        }
    }

    /// What to do about it.
    fn help(&self) -> Option<&'static str> {
        match self {
            Self::Ramdisk(error) => error.help(),
            Self::Tar(_) | Self::Overlay(_) | Self::Read(_) | Self::Header(_) => None,
        }
    }
}

/// Gives the kernel at `from` U-Boot's header, with which it is copied to `load` and started there.
pub(super) async fn kernel_with_header(
    node: &NodeContext,
    phase: &Phase,
    from: PathBuf,
    load: &str,
) -> Result<PathBuf, Fault> {
    let fault =
        |class, text: String| phase.fault(class, format!("the kernel cannot get U-Boot's header: {text}"));
    let digits = load.strip_prefix("0x").unwrap_or(load);
    let address = u32::from_str_radix(digits, 16)
        .map_err(|_| fault(Class::Bench, format!("`{load}` is no address of 32 bits (`uimage_addr`)")))?;
    let arch = &node.own_board(phase)?.arch;
    let architecture = architecture(arch).map_err(|text| fault(Class::Bench, text))?;
    let to = scratch(node, phase)?.join("uImage");
    let written = tokio::task::spawn_blocking(move || {
        put_header(&Header::kernel(architecture, NAME, address, address), &from, &to).map(|()| to)
    });
    let written = async { written.await.map_err(|error| phase.fault(Class::Bug, error)) };
    let written = phase.bound("end of the kernel's header", written).await?;
    written.map_err(|error| fault(error.class(), Chain(&error).to_string()))
}

/// The node's directory for files that it makes.
fn scratch(node: &NodeContext, phase: &Phase) -> Result<PathBuf, Fault> {
    let directory = node.run.scratch.subdirectory(&node.id);
    directory.map_err(|error| phase.error(Class::Infrastructure, &error))
}

/// The architecture in the headers of images for an agent's architecture.
fn architecture(arch: &str) -> Result<Architecture, String> {
    match arch {
        "armv7" => Ok(Architecture::Arm),
        "aarch64" => Ok(Architecture::Arm64),
        "riscv64" => Ok(Architecture::Riscv),
        other => Architecture::of_name(other).ok_or_else(|| format!("U-Boot has no number for `{other}`")),
    }
}

/// Whether the file at `path` begins with a header of U-Boot's.
fn has_header(path: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(path)?.take(uimage::HEADER as u64).read_to_end(&mut begin)?;
    Ok(uimage::is_image(&begin))
}

/// Writes `header` and the file at `from` to `to`.
fn put_header(header: &Header, from: &Path, to: &Path) -> Result<(), HeaderError> {
    let mut data = Vec::new();
    File::open(from)?.take(MAX_IMAGE + 1).read_to_end(&mut data)?;
    if data.len() as u64 > MAX_IMAGE {
        return Err(HeaderError::TooLarge);
    }
    let mut image = header.for_data(&data)?.to_vec();
    image.append(&mut data);
    Ok(fs::write(to, image)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::board_type::ARCHITECTURES;

    /// A RAM disk that is served of `content`, which need not be one, with these tests in it.
    fn served(content: &[u8], header: Option<Header>, tests: &[&str]) -> (ServedRamdisk, Vec<u8>) {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::write(&from, content).unwrap();
        let tests = tests.iter().map(|path| ((*path).to_owned(), 0o755, b"agent".to_vec())).collect();
        let changes = Changes { additions: Vec::new(), tests, header };
        let made = make_ramdisk(from, changes, to, |_| panic!("there is no tar")).unwrap();
        let written = fs::read(&made.path).unwrap();
        (made, written)
    }

    fn header() -> Header {
        Header::ramdisk(Architecture::Arm, NAME)
    }

    #[test]
    fn a_ram_disk_gets_the_header_that_is_asked_for_unless_it_has_one() {
        let (plain, written) = served(b"cpio", None, &[]);
        assert_eq!((plain.has_header, plain.got_header, written.as_slice()), (false, false, &b"cpio"[..]));
        let (made, image) = served(b"cpio", Some(header()), &[]);
        assert!(made.has_header && made.got_header);
        assert_eq!(Header::parse(&image).unwrap(), (header(), &b"cpio"[..]));
        let (again, same) = served(&image, Some(header()), &[]);
        assert!(again.has_header && !again.got_header && same == image);
    }

    #[test]
    fn tests_are_put_into_a_ram_disk_and_one_of_an_unknown_kind_is_served_without_them() {
        let (made, written) = served(&empty_archive(), Some(header()), &["/lava-1/bin/lava-agent"]);
        assert!(made.has_tests && made.has_header && made.refusal.is_none());
        let ramdisk = Ramdisk::parse(written).unwrap();
        assert_eq!(ramdisk.read("/lava-1/bin/lava-agent", 9).unwrap(), b"agent");
        assert_eq!(ramdisk.look("/lava-1/bin/lava-agent").map(|found| found.mode), Some(0o755));
        let (kept, image) = served(b"squashfs", Some(header()), &["/lava-1/bin/lava-agent"]);
        assert!(!kept.has_tests && kept.got_header);
        assert_eq!(Header::parse(&image).unwrap().1, b"squashfs");
        assert!(matches!(kept.refusal, Some(RamdiskError::NotAnArchive { .. })));
    }

    /// A cpio archive with nothing in it.
    fn empty_archive() -> Vec<u8> {
        let zeros = "00000000".repeat(11);
        let mut archive = format!("070701{zeros}0000000B00000000TRAILER!!!\0").into_bytes();
        archive.resize(archive.len().next_multiple_of(512), 0);
        archive
    }

    #[test]
    fn every_architecture_of_the_agent_has_its_number() {
        let known = ARCHITECTURES.map(|(name, _)| architecture(name).map(Architecture::name));
        assert_eq!(known, [Ok("arm"), Ok("arm64"), Ok("x86_64"), Ok("riscv")]);
        assert_eq!(architecture("vax"), Err("U-Boot has no number for `vax`".to_owned()));
    }
}
