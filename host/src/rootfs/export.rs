//! A layer with its root filesystem as one tar: pax headers, hard links, devices, extended attributes, holes.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::vec;

use super::layer::FileExtent;
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
        export.tree()?;
        export.tar.finish()
    }
}

struct Export<'l, W: Write> {
    layer: &'l Layer,
    tar: TarWriter<W>,
    /// The first name of files with several.
    names: HashMap<Ino, Vec<u8>>,
}

/// Names of a directory that are still to be written, in order.
type Rest = vec::IntoIter<(Vec<u8>, Attributes)>;

impl<W: Write> Export<'_, W> {
    /// Writes everything below the root. A board may nest directories as deep as it likes: neither the stack nor a path a
    /// level grows with them.
    fn tree(&mut self) -> io::Result<()> {
        let mut path = b"./".to_vec();
        // Directories on the way here, and how long their paths are.
        let mut way = vec![(self.names_of(Ino::ROOT)?, path.len())];
        while let Some((rest, length)) = way.last_mut() {
            path.truncate(*length);
            let Some((name, attributes)) = rest.next() else {
                way.pop();
                continue;
            };
            path.extend_from_slice(&name);
            if attributes.kind == Kind::Directory {
                path.push(b'/');
                self.member(&path, &attributes)?;
                way.push((self.names_of(attributes.ino)?, path.len()));
            } else {
                self.member(&path, &attributes)?;
            }
        }
        Ok(())
    }

    fn names_of(&self, dir: Ino) -> io::Result<Rest> {
        let mut names: Vec<(Vec<u8>, Attributes)> = Vec::new();
        self.layer
            .read_directory(dir, 2, &Credential::root(), &mut |entry| {
                names.push((entry.name.to_vec(), entry.attributes));
                ControlFlow::Continue(())
            })
            .map_err(io::Error::other)?;
        names.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        Ok(names.into_iter())
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
                let extents = self.layer.extents(is.ino, is.size).map_err(io::Error::other)?;
                let mut data = Data { layer: self.layer, ino: is.ino, extents: &extents, at: 0 };
                let body = if is.size == 0 || extents == [(0, is.size)] {
                    Body::File { size: is.size, data: &mut data }
                } else {
                    Body::Sparse { size: is.size, extents: &extents, data: &mut data }
                };
                self.tar.member(path, &meta, &records, body)
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

/// The data of a file without its holes.
struct Data<'l> {
    layer: &'l Layer,
    ino: Ino,
    /// What is left of it.
    extents: &'l [FileExtent],
    /// Bytes of the first extent that were read.
    at: u64,
}

impl Read for Data<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(((offset, length), rest)) = self.extents.split_first() {
            if self.at == *length {
                (self.extents, self.at) = (rest, 0);
                continue;
            }
            let wanted =
                usize::try_from(length - self.at).map_or(buffer.len(), |left| left.min(buffer.len()));
            let buffer = buffer.get_mut(..wanted).unwrap_or_default();
            let read = self.layer.read(self.ino, offset + self.at, buffer, &Credential::root());
            let count = read.map_err(io::Error::other)?.count;
            self.at += count as u64;
            return Ok(count);
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests;
