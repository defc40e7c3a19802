//! U-Boot's header before a kernel or a RAM disk (`mkimage -A arm -T ramdisk`), which `bootm` wants.
//!
//! | bytes | |
//! |---|---|
//! | 0, 4 | magic number, CRC-32 of the header with zeros in its place |
//! | 8, 12 | time, size of the data |
//! | 16, 20 | load address, entry point |
//! | 24 | CRC-32 of the data |
//! | 28 to 31 | operating system, architecture, type, compression |
//! | 32 to 63 | name, filled with NULs |
//!
//! All numbers have their most significant byte first. Source: U-Boot, include/image.h, `legacy_img_hdr`.

/// Bytes of the header.
pub const HEADER: usize = 64;

const MAGIC: u32 = 0x2705_1956;
/// `IH_NMLEN`: bytes of the name.
const NAME: usize = 32;
/// `IH_OS_LINUX`.
const LINUX: u8 = 5;
/// `IH_COMP_NONE`: U-Boot does not unpack it. A RAM disk is the kernel's to unpack.
const NOT_COMPRESSED: u8 = 0;

/// What an image is for: `IH_ARCH_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 32-bit Arm.
    Arm,
    /// 64-bit Arm.
    Arm64,
    /// 64-bit PC.
    X86_64,
    /// RISC-V of either width.
    Riscv,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Arm, Self::Arm64, Self::X86_64, Self::Riscv];

    /// Its number in a header.
    pub const fn number(self) -> u8 {
        match self {
            Self::Arm => 2,
            Self::Arm64 => 22,
            Self::X86_64 => 24,
            Self::Riscv => 26,
        }
    }

    /// Its name, as `mkimage -A` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
            Self::Riscv => "riscv",
        }
    }

    /// The one with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|architecture| architecture.name() == name)
    }
}

/// What an image is: `IH_TYPE_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// A kernel.
    Kernel,
    /// A RAM disk.
    Ramdisk,
    /// Anything else, by its number.
    Other(u8),
}

impl ImageKind {
    const fn number(self) -> u8 {
        match self {
            Self::Kernel => 2,
            Self::Ramdisk => 3,
            Self::Other(number) => number,
        }
    }

    const fn of(number: u8) -> Self {
        match number {
            2 => Self::Kernel,
            3 => Self::Ramdisk,
            other => Self::Other(other),
        }
    }
}

/// A header, without what follows from the data: its size and the checksums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// When the image was made, in seconds since 1970.
    pub time: u32,
    /// Where U-Boot copies the data to.
    pub load: u32,
    /// Where a kernel begins to run.
    pub entry: u32,
    /// Number of the operating system; Linux is 5.
    pub os: u8,
    /// Number of the architecture.
    pub architecture: u8,
    /// What it is.
    pub kind: ImageKind,
    /// How U-Boot has to unpack the data; 0 is not at all.
    pub compression: u8,
    /// The name, filled with NULs.
    pub name: [u8; NAME],
}

/// Why an image cannot be read or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// There is no such header.
    #[error("it does not begin with U-Boot's header")]
    NoHeader,
    /// The file ends in the header.
    #[error("U-Boot's header is cut off")]
    CutOff,
    /// The header is damaged.
    #[error("the checksum of U-Boot's header is wrong")]
    HeaderChecksum,
    /// The file ends in the data.
    #[error("it is shorter than U-Boot's header says: {there} of {size} bytes")]
    Short {
        /// Bytes that the header tells of.
        size: u32,
        /// Bytes that are there.
        there: usize,
    },
    /// The data is damaged.
    #[error("the checksum of the data in U-Boot's header is wrong")]
    DataChecksum,
    /// More data than a header can tell of.
    #[error("it is too large for U-Boot's header: {size} bytes")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
}

/// Whether `bytes` begin with a header of U-Boot's.
pub fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC.to_be_bytes())
}

impl Header {
    /// The header of a RAM disk for Linux. The kernel, and not U-Boot, unpacks it.
    ///
    /// Of `name` the first 32 bytes count. The time is 1970, so that the same data makes the same image.
    pub fn ramdisk(architecture: Architecture, name: &str) -> Self {
        Self {
            time: 0,
            load: 0,
            entry: 0,
            os: LINUX,
            architecture: architecture.number(),
            kind: ImageKind::Ramdisk,
            compression: NOT_COMPRESSED,
            name: name_field(name),
        }
    }

    /// The header of a Linux kernel that U-Boot copies to `load` and starts at `entry`; the rest is as for
    /// [`ramdisk`](Self::ramdisk).
    pub fn kernel(architecture: Architecture, name: &str, load: u32, entry: u32) -> Self {
        Self { load, entry, kind: ImageKind::Kernel, ..Self::ramdisk(architecture, name) }
    }

    /// Splits an image into its header and the data behind it, both of which are checked. What comes behind the data is ignored.
    ///
    /// # Errors
    /// [`ImageError`]
    pub fn parse(image: &[u8]) -> Result<(Self, &[u8]), ImageError> {
        let mut fields = Fields { rest: image };
        if !is_image(image) {
            return Err(ImageError::NoHeader);
        }
        let (raw, data) = image.split_first_chunk::<HEADER>().ok_or(ImageError::CutOff)?;
        let _magic = fields.word()?;
        let checksum = fields.word()?;
        if header_checksum(raw) != checksum {
            return Err(ImageError::HeaderChecksum);
        }
        let (time, size) = (fields.word()?, fields.word()?);
        let (load, entry) = (fields.word()?, fields.word()?);
        let data_checksum = fields.word()?;
        let [os, architecture, kind, compression] = fields.take()?;
        let header = Self {
            time,
            load,
            entry,
            os,
            architecture,
            kind: ImageKind::of(kind),
            compression,
            name: fields.take()?,
        };
        let data = data.get(..size as usize).ok_or(ImageError::Short { size, there: data.len() })?;
        match crc32fast::hash(data) == data_checksum {
            true => Ok((header, data)),
            false => Err(ImageError::DataChecksum),
        }
    }

    /// The header's bytes before `data`.
    ///
    /// # Errors
    /// [`ImageError::TooLarge`]
    pub fn for_data(&self, data: &[u8]) -> Result<[u8; HEADER], ImageError> {
        let size = u32::try_from(data.len()).map_err(|_| ImageError::TooLarge { size: data.len() })?;
        let words = [self.time, size, self.load, self.entry, crc32fast::hash(data)];
        let numbers = [self.os, self.architecture, self.kind.number(), self.compression];
        let fields = words.into_iter().flat_map(u32::to_be_bytes).chain(numbers).chain(self.name);
        let bytes = MAGIC.to_be_bytes().into_iter().chain([0; 4]).chain(fields);
        let mut header = [0; HEADER];
        header.iter_mut().zip(bytes).for_each(|(at, byte)| *at = byte);
        let checksum = header_checksum(&header).to_be_bytes();
        header.iter_mut().skip(4).zip(checksum).for_each(|(at, byte)| *at = byte);
        Ok(header)
    }

    /// The name without what fills it up; what is not UTF-8 is replaced.
    pub fn name(&self) -> String {
        let end = self.name.iter().position(|byte| *byte == 0).unwrap_or(NAME);
        String::from_utf8_lossy(self.name.get(..end).unwrap_or_default()).into_owned()
    }
}

/// Reads one field after the other.
struct Fields<'i> {
    rest: &'i [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ImageError> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(ImageError::CutOff)?;
        self.rest = rest;
        Ok(*field)
    }

    fn word(&mut self) -> Result<u32, ImageError> {
        self.take().map(u32::from_be_bytes)
    }
}

/// The CRC-32 of a header as if its own field were zeros.
fn header_checksum(header: &[u8; HEADER]) -> u32 {
    let (magic, rest) = header.split_at(4);
    let (_, fields) = rest.split_at(4);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(magic);
    hasher.update(&[0; 4]);
    hasher.update(fields);
    hasher.finalize()
}

fn name_field(name: &str) -> [u8; NAME] {
    let mut field = [0; NAME];
    field.iter_mut().zip(name.bytes()).for_each(|(field, byte)| *field = byte);
    field
}

#[cfg(test)]
mod tests;
