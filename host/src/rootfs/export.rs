//! A layer with its root filesystem as one tar: pax headers, hard links, devices, extended attributes, holes as zeros.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use super::meta::Meta;
use super::tar_writer::{Body, TarWriter};
use super::{Attributes, Credential, Ino, Kind, Layer};

impl Layer {
    /// Writes everything that the board sees to `out`, as a tar.
    ///
    /// Sockets are left out: a tar has no place for them.
    ///
    /// # Errors
    /// Those of `out`, and of the layer's own files.
    pub fn export_tar(&self, out: impl Write) -> io::Result<()> {
        let mut export = Export { layer: self, tar: TarWriter::new(out), names: HashMap::new() };
        let root = self.attributes(Ino::ROOT).map_err(io::Error::other)?;
        export.member(b"./", &root)?;
        export.directory(b"./", Ino::ROOT)?;
        export.tar.finish()
    }
}

struct Export<'l, W: Write> {
    layer: &'l Layer,
    tar: TarWriter<W>,
    /// The first name of files with several.
    names: HashMap<Ino, Vec<u8>>,
}

impl<W: Write> Export<'_, W> {
    fn directory(&mut self, path: &[u8], dir: Ino) -> io::Result<()> {
        let mut entries: Vec<(Vec<u8>, Attributes)> = Vec::new();
        self.layer
            .read_directory(dir, 2, &Credential::root(), &mut |entry| {
                entries.push((entry.name.to_vec(), entry.attributes));
                ControlFlow::Continue(())
            })
            .map_err(io::Error::other)?;
        entries.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for (name, attributes) in entries {
            let mut path = [path, &name].concat();
            if attributes.kind == Kind::Directory {
                path.push(b'/');
                self.member(&path, &attributes)?;
                self.directory(&path, attributes.ino)?;
            } else {
                self.member(&path, &attributes)?;
            }
        }
        Ok(())
    }

    fn member(&mut self, path: &[u8], is: &Attributes) -> io::Result<()> {
        let meta = Meta {
            kind: is.kind,
            mode: is.mode,
            nlink: is.nlink,
            uid: is.uid,
            gid: is.gid,
            device: is.device,
            atime: is.atime,
            mtime: is.mtime,
            ctime: is.ctime,
        };
        if is.nlink > 1 && is.kind != Kind::Directory {
            if let Some(first) = self.names.get(&is.ino) {
                return self.tar.member(path, &meta, &[], Body::HardLink(first));
            }
            self.names.insert(is.ino, path.to_vec());
        }
        let records: Vec<(&str, &[u8])> = self.layer.extended_attributes(is.ino).collect();
        match is.kind {
            Kind::Regular => {
                let mut data = Data { layer: self.layer, ino: is.ino, offset: 0 };
                self.tar.member(path, &meta, &records, Body::File { size: is.size, data: &mut data })
            }
            Kind::Symlink => {
                let (target, _) = self.layer.read_link(is.ino).map_err(io::Error::other)?;
                self.tar.member(path, &meta, &records, Body::Symlink(&target))
            }
            Kind::Socket => Ok(()),
            _ => self.tar.member(path, &meta, &records, Body::None),
        }
    }
}

/// The data of a file, from its beginning.
struct Data<'l> {
    layer: &'l Layer,
    ino: Ino,
    offset: u64,
}

impl Read for Data<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.layer.read(self.ino, self.offset, buffer, &Credential::root());
        let count = read.map_err(io::Error::other)?.count;
        self.offset += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{TarBuilder, index_bytes, layer_of, new_layer};
    use super::*;
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
        layer
            .make_node(Ino::ROOT, b"far", NewNode::Symlink(target), &SetAttributes::default(), &root)
            .unwrap();
        for name in [&b"far"[..], b"null", b"pipe", b"link"] {
            let ino = layer.lookup(Ino::ROOT, name, &root).unwrap().ino;
            let mtime = SetTime::To(Timestamp { seconds: 7, nanoseconds: 5 });
            layer
                .set_attributes(ino, &SetAttributes { mtime, ..SetAttributes::default() }, None, &root)
                .unwrap();
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
}
