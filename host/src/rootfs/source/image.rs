//! Which kind of image a file is: told by its first bytes, never by its name.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use super::{Proceed, SourceError, squashfs};
use crate::rootfs::tar_index;

/// A file system in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// Squashfs 4.0.
    Squashfs,
    /// ext2, ext3 or ext4: recognised, but no library tells enough of its inodes (docs/design/rootfs-layer.md).
    Ext,
}

/// Where ext2 and its successors have their magic number, in bytes (Linux, Documentation/filesystems/ext4/super.rst).
const EXT_MAGIC_OFFSET: usize = 1024 + 0x38;
const EXT_MAGIC: [u8; 2] = 0xef53_u16.to_le_bytes();
/// Bytes that tell the formats from each other.
const BEGIN: usize = EXT_MAGIC_OFFSET + EXT_MAGIC.len();

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Squashfs => "squashfs",
            Self::Ext => "ext4",
        })
    }
}

impl ImageFormat {
    /// Looks at the file at `path`; `None` if it is something else, such as a tar.
    ///
    /// # Errors
    /// Those of the file.
    pub fn detect(path: &Path) -> io::Result<Option<Self>> {
        let mut begin = Vec::new();
        File::open(path)?.take(BEGIN as u64).read_to_end(&mut begin)?;
        if begin.starts_with(squashfs::MAGIC) {
            return Ok(Some(Self::Squashfs));
        }
        // Data in a tar may look like anything.
        let ext = begin.get(EXT_MAGIC_OFFSET..) == Some(&EXT_MAGIC[..]) && !tar_index::begins_tar(&begin);
        Ok(ext.then_some(Self::Ext))
    }

    /// Writes everything in the image at `path` to `out` as a tar; returns what the user should know about it.
    ///
    /// # Errors
    /// [`SourceError`]
    pub fn write_tar(
        self,
        path: &Path,
        out: &mut dyn Write,
        proceed: Proceed<'_>,
    ) -> Result<Vec<String>, SourceError> {
        match self {
            Self::Squashfs => squashfs::write_tar(path, out, proceed),
            Self::Ext => Err(SourceError::Unsupported { format: self }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{EXT_MAGIC, EXT_MAGIC_OFFSET, ImageFormat};
    use crate::rootfs::source::SourceError;
    use crate::rootfs::testing::TarBuilder;

    #[test]
    fn an_ext4_image_is_recognised_and_refused() {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(4 << 20).unwrap();
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image.path()).env("PATH", path).output();
        let made = made.expect("mkfs.ext4 of e2fsprogs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let format = ImageFormat::detect(image.path()).unwrap();
        assert_eq!(format, Some(ImageFormat::Ext));
        let error = ImageFormat::Ext.write_tar(image.path(), &mut Vec::new(), &|| Ok(())).unwrap_err();
        assert!(matches!(error, SourceError::Unsupported { .. }), "{error:?}");
    }

    #[test]
    fn a_tar_is_a_tar_whatever_its_data_looks_like() {
        let mut data = vec![0; 1024];
        data[EXT_MAGIC_OFFSET - 512..][..2].copy_from_slice(&EXT_MAGIC);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), TarBuilder::new().file("a", &data).bytes()).unwrap();
        assert_eq!(ImageFormat::detect(file.path()).unwrap(), None);
        std::fs::write(file.path(), b"hsq").unwrap();
        assert_eq!(ImageFormat::detect(file.path()).unwrap(), None);
    }
}
