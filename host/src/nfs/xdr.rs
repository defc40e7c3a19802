//! Decoding of XDR (RFC 4506) from a slice: nothing is copied, and no length is believed before the bytes are there.

/// Why arguments cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum XdrError {
    /// The record ends too early.
    #[error("the record ends {missing} bytes too early")]
    Short {
        /// Bytes that are missing.
        missing: usize,
    },
    /// A variable-length field is longer than the protocol allows.
    #[error("a field of {length} bytes where {limit} are allowed")]
    TooLong {
        /// Its length.
        length: u32,
        /// The limit.
        limit: u32,
    },
    /// A value that the type does not have.
    #[error("{0} is not a value of the type")]
    BadValue(u32),
}

/// What is left of a record.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `record`.
    pub(super) const fn new(record: &'a [u8]) -> Self {
        Self { rest: record }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], XdrError> {
        let missing = count.saturating_sub(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(XdrError::Short { missing })?;
        self.rest = rest;
        Ok(taken)
    }

    /// Opaque data of `N` bytes, a multiple of 4.
    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], XdrError> {
        let missing = N.saturating_sub(self.rest.len());
        let (taken, rest) = self.rest.split_first_chunk().ok_or(XdrError::Short { missing })?;
        self.rest = rest;
        Ok(*taken)
    }

    /// An unsigned integer.
    pub(super) fn u32(&mut self) -> Result<u32, XdrError> {
        self.fixed().map(u32::from_be_bytes)
    }

    /// An unsigned hyper integer.
    pub(super) fn u64(&mut self) -> Result<u64, XdrError> {
        self.fixed().map(u64::from_be_bytes)
    }

    /// A boolean.
    pub(super) fn bool(&mut self) -> Result<bool, XdrError> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(XdrError::BadValue(other)),
        }
    }

    /// Variable-length opaque data or a string, of at most `limit` bytes.
    pub(super) fn opaque(&mut self, limit: u32) -> Result<&'a [u8], XdrError> {
        let length = self.u32()?;
        if length > limit {
            return Err(XdrError::TooLong { length, limit });
        }
        let length = length as usize;
        let data = self.take(length)?;
        self.take(length.next_multiple_of(4) - length)?;
        Ok(data)
    }

    /// Optional data.
    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, XdrError>,
    ) -> Result<Option<T>, XdrError> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_data_is_taken_with_its_padding() {
        let mut reader = Reader::new(b"\0\0\0\x05hello\0\0\0\0\0\0\x07");
        assert_eq!(reader.opaque(5), Ok(&b"hello"[..]));
        assert_eq!(reader.u32(), Ok(7));
        assert_eq!(reader.u32(), Err(XdrError::Short { missing: 4 }));
    }

    #[test]
    fn lengths_are_checked_before_the_bytes() {
        let absurd = b"\xff\xff\xff\xffabcd";
        assert_eq!(Reader::new(absurd).opaque(64), Err(XdrError::TooLong { length: u32::MAX, limit: 64 }));
        assert_eq!(
            Reader::new(absurd).opaque(u32::MAX),
            Err(XdrError::Short { missing: u32::MAX as usize - 4 })
        );
        assert_eq!(Reader::new(b"\0\0\0\x01a").opaque(1), Err(XdrError::Short { missing: 3 }));
        assert_eq!(Reader::new(b"\0\0\0\x02").bool(), Err(XdrError::BadValue(2)));
    }
}
