//! Archives and layers for tests.

mod faults;
pub(crate) mod files;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tar::{EntryType, Header};
use tempfile::TempDir;

pub(crate) use self::faults::Faults;
use super::block_store::BlockStore;
use super::journal::{Journal, LogHeader};
use super::storage::Storage;
use super::{
    Attributes, CreateMode, Credential, Ino, Kind, Layer, LayerOptions, Lower, NewNode, RootfsError,
    SetAttributes,
};

/// Builds an archive in memory; every member belongs to 0:0 with mtime 1_000_000.
pub(crate) struct TarBuilder(tar::Builder<Vec<u8>>);

impl TarBuilder {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    pub(crate) fn header(kind: EntryType, mode: u32) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000);
        header.set_size(0);
        header
    }

    /// A member as it stands: `name` is not checked, and must fit into the header.
    pub(crate) fn raw(mut self, name: &[u8], mut header: Header, data: &[u8]) -> Self {
        let field = &mut header.as_old_mut().name;
        field.fill(0);
        field[..name.len()].copy_from_slice(name);
        header.set_cksum();
        self.0.append(&header, data).unwrap();
        self
    }

    pub(crate) fn dir(self, path: &str, mode: u32) -> Self {
        self.raw(path.as_bytes(), Self::header(EntryType::Directory, mode), b"")
    }

    pub(crate) fn file(self, path: &str, data: &[u8]) -> Self {
        self.file_as(path, 0o644, 0, data)
    }

    pub(crate) fn file_as(mut self, path: &str, mode: u32, owner: u64, data: &[u8]) -> Self {
        let mut header = Self::header(EntryType::Regular, mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_size(data.len() as u64);
        self.0.append_data(&mut header, path, data).unwrap();
        self
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.link(EntryType::Symlink, path, target)
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Self {
        self.link(EntryType::Link, path, target)
    }

    fn link(self, kind: EntryType, path: &str, target: &str) -> Self {
        let mut header = Self::header(kind, 0o777);
        header.set_link_name_literal(target).unwrap();
        self.raw(path.as_bytes(), header, b"")
    }

    /// Pax records for the next member.
    pub(crate) fn pax(mut self, records: &[(&str, &[u8])]) -> Self {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    pub(crate) fn index(self) -> Result<Lower, RootfsError> {
        index_bytes(&self.bytes())
    }
}

pub(crate) fn index_bytes(bytes: &[u8]) -> Result<Lower, RootfsError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    Lower::from_tar(file.path())
}

pub(crate) fn layer_of(tar: TarBuilder) -> Layer {
    new_layer(Arc::new(tar.index().unwrap()))
}

/// An empty layer in a directory of its own.
pub(crate) fn new_layer(lower: Arc<Lower>) -> Layer {
    Layer::new(lower, new_directory(), LayerOptions::default()).unwrap()
}

/// A path where a layer can be made, in a directory that goes with the test: each has a thread of its own.
pub(crate) fn new_directory() -> PathBuf {
    thread_local! {
        static DIRECTORY: TempDir = tempfile::tempdir().unwrap();
    }
    static NEXT: AtomicU32 = AtomicU32::new(0);
    DIRECTORY.with(|directory| directory.path().join(NEXT.fetch_add(1, Ordering::Relaxed).to_string()))
}

/// Store and log of a layer, in files that go with it.
pub(super) fn storage(lower: Arc<Lower>, budget: u64) -> Arc<Storage> {
    let directory = tempfile::tempdir().unwrap();
    let options = LayerOptions { budget, ..LayerOptions::default() };
    let journal = Journal::create(directory.path().join("log"), LogHeader::new(1, lower.identity())).unwrap();
    Arc::new(Storage { lower, store: BlockStore::new(tempfile::tempfile().unwrap(), options), journal })
}

/// A lower layer with one file of `size` patterned bytes: the layer, the file's number, its bytes.
pub(crate) fn one_file_lower(size: usize) -> (Arc<Lower>, Ino, Vec<u8>) {
    let data: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
    let lower = TarBuilder::new().file("file", &data).index().unwrap();
    let ino = lower.lookup(Ino::ROOT, b"file").unwrap();
    (Arc::new(lower), ino, data)
}

/// The files of a layer in use as a kill would leave them, in a directory of their own.
pub(crate) fn killed(from: &Path) -> PathBuf {
    let copy = new_directory();
    fs::create_dir(&copy).unwrap();
    for name in ["data", "log"] {
        fs::copy(from.join(name), copy.join(name)).unwrap();
    }
    copy
}

/// Everything that can be seen: path, cookie, attributes, data or target.
pub(crate) type Sight = Vec<(String, u32, Attributes, Vec<u8>)>;

pub(crate) fn sight(layer: &Layer) -> Sight {
    let who = Credential::root();
    let mut seen = Vec::new();
    let mut left = vec![(String::new(), Ino::ROOT)];
    while let Some((path, dir)) = left.pop() {
        let mut names = Vec::new();
        layer
            .read_directory(dir, 2, &who, &mut |entry| {
                names.push((String::from_utf8(entry.name.to_vec()).unwrap(), entry.cookie, entry.attributes));
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        for (name, cookie, mut attributes) in names {
            let path = format!("{path}/{name}");
            let content = match attributes.kind {
                Kind::Directory => {
                    left.push((path.clone(), attributes.ino));
                    Vec::new()
                }
                Kind::Regular => {
                    let mut data = vec![0; usize::try_from(attributes.size).unwrap()];
                    layer.read(attributes.ino, 0, &mut data, &who).unwrap();
                    data
                }
                Kind::Symlink => layer.read_link(attributes.ino).unwrap().0,
                _ => Vec::new(),
            };
            // Whether a hole was stored is not for the board to see.
            attributes.used = 0;
            seen.push((path, cookie, attributes, content));
        }
    }
    seen
}

/// Makes `levels` directories `d`, one in the other, and a file `file` in the last.
pub(crate) fn tree_of_depth(layer: &Layer, levels: usize) {
    let root = Credential::root();
    let last = (0..levels).fold(Ino::ROOT, |dir, _| {
        let made = layer.make_node(dir, b"d", NewNode::Directory, &SetAttributes::with_mode(0o755), &root);
        made.unwrap().object.ino
    });
    layer.create(last, b"file", CreateMode::Guarded(SetAttributes::with_mode(0o644)), &root).unwrap();
}
