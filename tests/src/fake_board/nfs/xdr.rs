//! XDR (RFC 4506): big-endian words, opaque data padded to four bytes.

use std::io;

/// Writes XDR.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn word(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn double(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Fixed-length data.
    pub(super) fn fixed(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Variable-length data.
    pub(super) fn opaque(self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.word(length).fixed(bytes)
    }
}

/// Reads XDR.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn fixed(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(length.next_multiple_of(4))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "short XDR data"))?;
        self.0 = rest;
        Ok(&taken[..length])
    }

    pub(super) fn word(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.fixed(4)?);
        Ok(u32::from_be_bytes(bytes))
    }

    pub(super) fn double(&mut self) -> io::Result<u64> {
        Ok(u64::from(self.word()?) << 32 | u64::from(self.word()?))
    }

    pub(super) fn flag(&mut self) -> io::Result<bool> {
        Ok(self.word()? != 0)
    }

    pub(super) fn opaque(&mut self) -> io::Result<&'a [u8]> {
        let length = self.word()?;
        self.fixed(usize::try_from(length).unwrap_or(usize::MAX / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_padded_and_read_back() {
        let written = Writer::default().opaque(b"lava").opaque(b"board").double(7).0;
        assert_eq!(written.len(), 4 + 4 + 4 + 8 + 8);
        let mut reader = Reader(&written);
        assert_eq!(reader.opaque().unwrap(), b"lava");
        assert_eq!(reader.opaque().unwrap(), b"board");
        assert_eq!(reader.double().unwrap(), 7);
        assert!(reader.word().is_err());
    }
}
