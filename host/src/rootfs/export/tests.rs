use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::process::Command;

use super::*;
use crate::rootfs::testing::{TarBuilder, index_bytes, layer_of, new_layer, tree_of_depth};
use crate::rootfs::{CreateMode, NewNode, SetAttributes, SetTime, Timestamp};

/// Everything but inode numbers, cookies and the times of changes.
fn sight(layer: &Layer, dir: Ino, path: &str, seen: &mut Vec<String>) {
    let mut entries = Vec::new();
    layer
        .read_directory(dir, 2, &Credential::root(), &mut |entry| {
            entries.push((String::from_utf8_lossy(entry.name).into_owned(), entry.attributes));
            ControlFlow::Continue(())
        })
        .unwrap();
    for (name, is) in entries {
        let path = format!("{path}/{name}");
        let mut data = vec![0; is.size as usize];
        let content = match is.kind {
            Kind::Regular => {
                layer.read(is.ino, 0, &mut data, &Credential::root()).unwrap();
                data
            }
            Kind::Symlink => layer.read_link(is.ino).unwrap().0,
            _ => Vec::new(),
        };
        let (kind, device, mtime) = (is.kind, is.device, is.mtime);
        seen.push(format!(
            "{path} {kind:?} {:o} {}:{} {} {device:?} {mtime:?} {content:?}",
            is.mode, is.uid, is.gid, is.nlink
        ));
        if is.kind == Kind::Directory {
            sight(layer, is.ino, &path, seen);
        }
    }
}

#[test]
fn extended_attributes_are_written_out_again() {
    let capability: &[u8] = b"\x01\0\0\x02\n\x20\0\0";
    let layer = layer_of(
        TarBuilder::new()
            .pax(&[("SCHILY.xattr.security.capability", capability), ("SCHILY.xattr.user.a", b"b=c")])
            .file("ping", b"ping")
            .hard_link("ping4", "ping")
            .pax(&[("SCHILY.xattr.user.kept", b"")])
            .file("changed", b"before")
            .pax(&[("SCHILY.xattr.user.gone", b"x")])
            .file("replaced", b""),
    );
    let root = Credential::root();
    let ino = |layer: &Layer, name: &[u8]| layer.lookup(Ino::ROOT, name, &root).unwrap().ino;
    layer.write(ino(&layer, b"changed"), 0, b"after!", &root).unwrap();
    layer.remove(Ino::ROOT, b"replaced", &root).unwrap();
    layer.write_file("/replaced", 0o644, b"new").unwrap();
    let mut tar = Vec::new();
    layer.export_tar(&mut tar).unwrap();
    let again = new_layer(index_bytes(&tar).unwrap().into());
    let of = |name: &[u8]| {
        let mut all: Vec<_> = again.extended_attributes(ino(&again, name)).collect();
        all.sort_unstable();
        all.into_iter().map(|(key, value)| (key.to_owned(), value.to_vec())).collect::<Vec<_>>()
    };
    let ping = vec![
        ("SCHILY.xattr.security.capability".to_owned(), capability.to_vec()),
        ("SCHILY.xattr.user.a".to_owned(), b"b=c".to_vec()),
    ];
    assert_eq!(of(b"ping"), ping);
    assert_eq!(of(b"ping4"), ping);
    assert_eq!(of(b"changed"), [("SCHILY.xattr.user.kept".to_owned(), Vec::new())]);
    assert_eq!(of(b"replaced"), []);
}

#[test]
fn an_exported_layer_is_the_same_root_filesystem() {
    let layer = layer_of(
        TarBuilder::new()
            .dir("etc", 0o755)
            .file_as("etc/passwd", 0o640, 1000, b"root:x:0:0\n")
            .hard_link("etc/passwd-", "etc/passwd")
            .symlink("link", "etc/passwd"),
    );
    let root = Credential::root();
    let long = "n".repeat(200);
    let made = layer.create(
        Ino::ROOT,
        long.as_bytes(),
        CreateMode::Guarded(SetAttributes::with_mode(0o4755)),
        &root,
    );
    let file = made.unwrap().object.ino;
    layer.write(file, 10_000, b"behind a hole", &root).unwrap();
    let time = SetTime::To(Timestamp { seconds: 1_700_000_000, nanoseconds: 123_456_789 });
    layer
        .set_attributes(file, &SetAttributes { mtime: time, ..SetAttributes::default() }, None, &root)
        .unwrap();
    layer
        .make_node(
            Ino::ROOT,
            b"null",
            NewNode::CharacterDevice(1, 3),
            &SetAttributes::with_mode(0o666),
            &root,
        )
        .unwrap();
    layer.make_node(Ino::ROOT, b"pipe", NewNode::Fifo, &SetAttributes::with_mode(0o600), &root).unwrap();
    let target = "t".repeat(300).into_bytes();
    layer.make_node(Ino::ROOT, b"far", NewNode::Symlink(target), &SetAttributes::default(), &root).unwrap();
    for name in [&b"far"[..], b"null", b"pipe", b"link"] {
        let ino = layer.lookup(Ino::ROOT, name, &root).unwrap().ino;
        let mtime = SetTime::To(Timestamp { seconds: 7, nanoseconds: 5 });
        layer.set_attributes(ino, &SetAttributes { mtime, ..SetAttributes::default() }, None, &root).unwrap();
    }
    let mut tar = Vec::new();
    layer.export_tar(&mut tar).unwrap();
    let again = new_layer(index_bytes(&tar).unwrap().into());
    let (mut one, mut other) = (Vec::new(), Vec::new());
    sight(&layer, Ino::ROOT, "", &mut one);
    sight(&again, Ino::ROOT, "", &mut other);
    one.sort();
    other.sort();
    assert_eq!(one, other);
    assert_eq!(one.len(), 8);
}

/// Counts what it is given, and keeps what holds the longest path.
#[derive(Default)]
struct Counter {
    bytes: usize,
    last: Vec<u8>,
}

impl Write for Counter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.bytes += data.len();
        self.last.extend_from_slice(data);
        if self.last.len() > 1 << 20 {
            self.last.drain(..self.last.len() - (64 << 10));
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_tree_of_20000_levels_is_exported_on_a_small_stack() {
    const LEVELS: usize = 20_000;
    let layer = layer_of(TarBuilder::new().dir("etc", 0o755));
    tree_of_depth(&layer, LEVELS);
    let export = move || {
        let mut out = Counter::default();
        layer.export_tar(&mut out).unwrap();
        out
    };
    // The writer of the tar has a buffer on the stack.
    let exported = std::thread::Builder::new().stack_size(256 << 10).spawn(export).unwrap();
    let exported = exported.join().unwrap();
    assert!(exported.bytes > LEVELS * LEVELS, "each of the paths is there: {}", exported.bytes);
    let deepest = [b"path=./".to_vec(), b"d/".repeat(LEVELS), b"file\n".to_vec()].concat();
    assert!(exported.last.windows(deepest.len()).any(|bytes| bytes == deepest));
}

/// Bytes of a file, and where they are.
type Part = (u64, &'static [u8]);

#[test]
fn holes_stay_holes_for_gnu_tar_and_for_the_index() {
    const SIZE: u64 = 1 << 40;
    let layer = layer_of(TarBuilder::new().file("grown", b"data below"));
    let root = Credential::root();
    let make = |name: &[u8]| {
        layer
            .create(Ino::ROOT, name, CreateMode::Guarded(SetAttributes::with_mode(0o644)), &root)
            .unwrap()
            .object
            .ino
    };
    let resize = |ino, size| {
        let to = SetAttributes { size: Some(size), ..SetAttributes::default() };
        layer.set_attributes(ino, &to, None, &root).unwrap();
    };
    let pieces = make(b"pieces");
    layer.write(pieces, 3 << 30, &[b'a'; 5000], &root).unwrap();
    layer.write(pieces, 7 << 35, &[b'b'; 8192], &root).unwrap();
    resize(pieces, SIZE);
    resize(make(b"hole"), 1 << 30);
    resize(layer.lookup(Ino::ROOT, b"grown", &root).unwrap().ino, 1 << 31);

    let mut tar = Vec::new();
    layer.export_tar(&mut tar).unwrap();
    assert!(tar.len() < 64 << 10, "{} bytes", tar.len());

    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("export.tar");
    fs::write(&archive, &tar).unwrap();
    let extracted = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(out.path()).output().unwrap();
    assert!(extracted.status.success(), "{extracted:?}");
    let expected: [(&str, u64, &[Part]); 3] = [
        ("pieces", SIZE, &[(3 << 30, &[b'a'; 5000]), ((3 << 30) + 5000, &[0; 8]), (7 << 35, &[b'b'; 8192])]),
        ("hole", 1 << 30, &[(12_345, &[0; 100])]),
        ("grown", 1 << 31, &[(0, b"data below"), (10, &[0; 100])]),
    ];
    let again = new_layer(index_bytes(&tar).unwrap().into());
    for (name, size, parts) in expected {
        let file = fs::File::open(out.path().join(name)).unwrap();
        let is = file.metadata().unwrap();
        assert_eq!(is.len(), size, "{name}");
        assert!(is.blocks() * 512 < 256 << 10, "{name} takes {} blocks", is.blocks());
        let indexed = again.lookup(Ino::ROOT, name.as_bytes(), &root).unwrap();
        assert_eq!(indexed.size, size, "{name}");
        for (offset, data) in parts {
            let mut read = vec![1; data.len()];
            file.read_exact_at(&mut read, *offset).unwrap();
            assert_eq!(&read, data, "{name} at {offset}");
            again.read(indexed.ino, *offset, &mut read, &root).unwrap();
            assert_eq!(&read, data, "{name} at {offset} by the index");
        }
    }
}
