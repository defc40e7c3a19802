//! The tar of a root filesystem: the one that the job names, or one that is made of a directory or an image, once.

use std::io::{self, Write};

use crate::artifact::{Artifact, Checksums, Compression, DeriveError, Recipe};
use crate::event::EventKind;
use crate::fault::{Chain, Class, Fault};
use crate::job::{ArtifactSpec, Part, Timeouts};
use crate::rootfs::source::{DirectoryTree, ImageFormat, Proceed, SourceError};
use crate::run::{NodeContext, Phase};
use crate::text::Size;

/// What to do about files that this user may not read.
const UNREADABLE: &str = "let the user of the runner read every file of the directory, or name a tar that root made of it: \
     `tar --create --numeric-owner --xattrs --file rootfs.tar --directory DIRECTORY .`";
/// What to do about an image that cannot be read.
const MOUNT: &str = "mount it and name the directory (`fuse2fs -o ro,fakeroot IMAGE DIRECTORY`, or as root `mount -o ro,loop \
     IMAGE DIRECTORY`), or name a tar of its files";
/// What to do about a directory that somebody works in.
const CHANGED: &str = "run the job again when nobody changes the directory any more";

/// Gets a root filesystem as a tar.
pub(super) async fn fetch(
    node: &NodeContext,
    phase: &Phase,
    timeouts: &Timeouts,
    spec: &ArtifactSpec,
) -> Result<Artifact, Fault> {
    if let Some(path) = node.run.mirrors.directory(&spec.url) {
        let phase = phase.part(timeouts.part(Part::Download)).part(timeouts.part(Part::FileDownload));
        if spec.compression.is_some() || spec.checksums != Checksums::default() {
            let text = format!("`{}` is a directory, which is not compressed and has no checksum", spec.url);
            let help = "remove `compression` and the checksums, or name a tar";
            return Err(Fault::new(Class::Job, place(&phase, spec), text).with_help(help));
        }
        let walk = move |proceed: Proceed<'_>| DirectoryTree::walk(&path, proceed).map(FromDirectory);
        return derive(node, &phase, spec, walk).await;
    }
    let artifact = node.fetch(phase, timeouts, "nfsrootfs", spec).await?;
    let phase = phase.part(timeouts.part(Part::PrepareRootfs)).part(timeouts.part(Part::ExtractRootfs));
    let unreadable = |error: io::Error| Fault::from_error(Class::Infrastructure, place(&phase, spec), &error);
    if let Some(compression) = Compression::detect(&artifact.path).map_err(unreadable)? {
        let text = format!("`{}` is compressed with {compression}", spec.url);
        let help = format!("say so in the job: `compression: {}`", compression.name());
        return Err(Fault::new(Class::Job, place(&phase, spec), text).with_help(help));
    }
    match ImageFormat::detect(&artifact.path).map_err(unreadable)? {
        None => Ok(artifact),
        Some(format) => derive(node, &phase, spec, move |_| Ok(FromImage { format, artifact })).await,
    }
}

fn place(phase: &Phase, spec: &ArtifactSpec) -> String {
    format!("{} ({})", phase.place, spec.place)
}

async fn derive<R: Recipe<Error = SourceError>>(
    node: &NodeContext,
    phase: &Phase,
    spec: &ArtifactSpec,
    prepare: impl FnOnce(Proceed<'_>) -> Result<R, SourceError> + Send + 'static,
) -> Result<Artifact, Fault> {
    let emitter = node.emitter.clone();
    let progress = move |done, total| {
        emitter.emit(EventKind::Progress { what: "make a tar of nfsrootfs".to_owned(), done, total });
    };
    let derived = node.run.cache.derive(prepare, phase.deadline.into_std(), progress).await;
    let derived = derived.map_err(|error| fault(phase, spec, &error))?;
    for note in &derived.notes {
        node.emitter.note(format!("nfsrootfs {}: {note}", spec.url));
    }
    let artifact = derived.artifact;
    let how = if artifact.from_cache { "from the cache" } else { "made" };
    let (size, sha256) = (Size(artifact.size), &artifact.sha256);
    node.emitter.note(format!("tar of nfsrootfs {} {how}, {size}, sha256 {sha256:.12}", spec.url));
    Ok(artifact)
}

fn fault(phase: &Phase, spec: &ArtifactSpec, error: &DeriveError<SourceError>) -> Fault {
    let (class, cause, late, help): (_, &dyn std::error::Error, _, _) = match error {
        DeriveError::Cache(reason) => (reason.class(), reason, reason.is_late(), None),
        DeriveError::Recipe(error) => (Class::Infrastructure, error, false, help(error)),
    };
    let text = format!("`{}` cannot be made a tar: {}", spec.url, Chain(cause));
    let text = if late { format!("{text} (at most {})", phase.limit) } else { text };
    Fault::new(class, place(phase, spec), text).with_optional_help(help.map(str::to_owned))
}

fn help(error: &SourceError) -> Option<&'static str> {
    match error {
        SourceError::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Some(UNREADABLE)
        }
        SourceError::Changed { .. } => Some(CHANGED),
        SourceError::Unsupported { .. } => Some(MOUNT),
        _ => None,
    }
}

/// A directory as it was found.
struct FromDirectory(DirectoryTree);

impl Recipe for FromDirectory {
    type Error = SourceError;
    const KIND: &'static str = "directory";

    fn key(&self) -> String {
        self.0.fingerprint()
    }

    fn total(&self) -> Option<u64> {
        Some(self.0.bytes())
    }

    fn make(&self, out: &mut dyn Write, proceed: Proceed<'_>) -> Result<Vec<String>, SourceError> {
        self.0.write_tar(out, proceed)
    }
}

/// An image in the cache.
struct FromImage {
    format: ImageFormat,
    artifact: Artifact,
}

impl Recipe for FromImage {
    type Error = SourceError;
    const KIND: &'static str = "image";

    fn key(&self) -> String {
        self.artifact.sha256.clone()
    }

    fn total(&self) -> Option<u64> {
        None
    }

    fn make(&self, out: &mut dyn Write, proceed: Proceed<'_>) -> Result<Vec<String>, SourceError> {
        self.format.write_tar(&self.artifact.path, out, proceed)
    }
}
