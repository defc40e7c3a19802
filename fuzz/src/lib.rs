//! What fuzz targets share: a small root filesystem, a layer on it, and all that can be seen of one.
#![cfg(feature = "targets")]

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use host_runner::rootfs::{
    Attributes, Credential, DirectoryEntry, Ino, Kind, Layer, LayerOptions, Lower, Repair, RootfsError,
};
use tempfile::TempDir;

/// Bytes that a layer may hold: little, so that targets see it full.
const BUDGET: u64 = 256 << 10;
/// Bytes at either end of a file that are looked at: sizes may be absurd.
const LOOK: u64 = 16 << 10;

/// The tar below the layers of targets.
pub static TAR: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |kind, path: &str, mode, link: &str, data: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_000_000);
        header.set_size(data.len() as u64);
        let named = header.set_path(path).and_then(|()| header.set_link_name_literal(link));
        header.set_cksum();
        named.and_then(|()| tar.append(&header, data)).expect("a good member");
    };
    add(tar::EntryType::Directory, "tmp", 0o1777, "", b"");
    add(tar::EntryType::Directory, "etc", 0o755, "", b"");
    add(tar::EntryType::Regular, "etc/hostname", 0o644, "", b"board\n");
    add(tar::EntryType::Link, "etc/alias", 0o644, "etc/hostname", b"");
    add(tar::EntryType::Regular, "etc/shadow", 0o600, "", &[b's'; 9000]);
    add(tar::EntryType::Symlink, "link", 0o777, "etc/hostname", b"");
    add(tar::EntryType::Fifo, "pipe", 0o600, "", b"");
    tar.into_inner().expect("a good archive")
});

/// The index over [`TAR`].
pub static LOWER: LazyLock<Arc<Lower>> = LazyLock::new(|| {
    let scratch = Scratch::new();
    Arc::new(Lower::from_tar(&scratch.file("tar", &TAR)).expect("a good archive"))
});

/// A directory in `TMPDIR` that goes with the value.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "it makes something")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a place for files"))
    }

    /// The path of the file `name`, which holds `bytes`.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("a place for files");
        path
    }

    /// The directory of the layer.
    pub fn directory(&self) -> PathBuf {
        self.0.path().join("layer")
    }

    /// A layer over `lower`, which can be opened again once it is dropped.
    pub fn layer(&self, lower: &Arc<Lower>) -> Layer {
        let layer = Layer::new(Arc::clone(lower), self.directory(), options()).expect("a place for files");
        layer.keep();
        layer
    }

    /// Opens the layer again, which stays when it is dropped.
    pub fn open(&self, lower: &Arc<Lower>) -> Result<(Layer, Vec<Repair>), RootfsError> {
        let (layer, repairs) = Layer::open(Arc::clone(lower), self.directory(), options())?;
        layer.keep();
        Ok((layer, repairs))
    }
}

fn options() -> LayerOptions {
    LayerOptions { budget: BUDGET, ..LayerOptions::default() }
}

/// Path, attributes, and content or target of one name.
pub type Seen = (Vec<u8>, Attributes, Vec<u8>);

/// Everything that the board could see of `layer`; a tree that is not whole is a panic.
pub fn sight(layer: &Layer) -> Vec<Seen> {
    let who = Credential::root();
    let mut seen = Vec::new();
    let mut left = vec![(Vec::new(), Ino::ROOT)];
    while let Some((path, dir)) = left.pop() {
        let first = seen.len();
        let mut show = |entry: DirectoryEntry<'_>| {
            seen.push(([&path, &b"/"[..], entry.name].concat(), entry.attributes, Vec::new()));
            ControlFlow::Continue(())
        };
        let end = layer.read_directory(dir, 2, &who, &mut show).expect("a directory can be listed");
        assert!(end.complete);
        for (path, is, content) in seen.iter_mut().skip(first) {
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            assert_eq!(layer.lookup(dir, name, &who), Ok(*is), "a name that is listed is found");
            match is.kind {
                Kind::Directory => left.push((path.clone(), is.ino)),
                Kind::Regular => *content = read_ends(layer, is, &who),
                Kind::Symlink => *content = layer.read_link(is.ino).expect("a link has a target").0,
                _ => {}
            }
            // Whether a hole was stored is not for the board to see.
            is.used = 0;
        }
    }
    seen
}

fn read_ends(layer: &Layer, is: &Attributes, who: &Credential) -> Vec<u8> {
    let mut content = Vec::new();
    for from in [0, is.size.saturating_sub(LOOK)] {
        let mut part = vec![0; is.size.min(LOOK) as usize];
        let read = layer.read(is.ino, from, &mut part, who).expect("a file can be read");
        assert_eq!(read.count, part.len());
        content.extend(part);
    }
    content
}

/// Cuts `bytes` into pieces as record marking does (RFC 5531 §11): four bytes of length, the piece, and so on.
pub fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (mark, rest) = bytes.split_first_chunk::<4>()?;
        let length = (u32::from_be_bytes(*mark) & 0x7fff_ffff) as usize;
        let (piece, rest) = rest.split_at(length.min(rest.len()));
        bytes = rest;
        Some(piece)
    })
}
