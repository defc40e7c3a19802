//! LZ4 as the kernel unpacks it: the older of LZ4's file formats, `lz4 -l`.
//!
//! A number, and blocks that are packed on their own: each with its length before it, least significant byte first. All but
//! the last one have 8 MiB when they are unpacked. Source: LZ4, doc/lz4_Frame_format.md, "Legacy frame"; Linux,
//! lib/decompress_unlz4.c.

use std::io::{self, Write};

/// What a file begins with.
pub(super) const MAGIC: [u8; 4] = 0x184c_2102_u32.to_le_bytes();

/// Bytes of a block when it is unpacked.
const BLOCK: usize = 8 << 20;

/// Why LZ4 data cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lz4Error {
    /// It is damaged or cut off at this byte.
    Damaged { at: usize },
    /// It is larger than the limit.
    TooLarge,
}

/// Unpacks `packed`, which begins with [`MAGIC`], to at most `limit` bytes.
///
/// # Errors
/// [`Lz4Error`]
pub(super) fn unpack(packed: &[u8], limit: u64) -> Result<Vec<u8>, Lz4Error> {
    let (mut plain, mut block, mut at) = (Vec::new(), vec![0; BLOCK], 0);
    while let Some((length, rest)) = packed.get(at..).and_then(<[u8]>::split_first_chunk) {
        if *length == MAGIC {
            // The kernel goes on with another file behind this one.
            at += MAGIC.len();
            continue;
        }
        let size = u32::from_le_bytes(*length) as usize;
        if size == 0 {
            break;
        }
        let data = rest.get(..size).ok_or(Lz4Error::Damaged { at })?;
        let unpacked = lz4_flex::block::decompress_into(data, &mut block);
        let unpacked = unpacked.map_err(|_| Lz4Error::Damaged { at })?;
        plain.extend_from_slice(block.get(..unpacked).unwrap_or_default());
        if plain.len() as u64 > limit {
            return Err(Lz4Error::TooLarge);
        }
        at += MAGIC.len() + size;
    }
    // What fills up the last sector.
    match packed.get(at..).unwrap_or_default().iter().all(|byte| *byte == 0) {
        true => Ok(plain),
        false => Err(Lz4Error::Damaged { at }),
    }
}

/// Packs what is written to it.
#[derive(Debug)]
pub(super) struct Encoder<W> {
    out: W,
    block: Vec<u8>,
}

impl<W: Write> Encoder<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of `out`.
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        Ok(Self { out, block: Vec::with_capacity(BLOCK) })
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// Those of the output.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.write_block()
    }

    fn write_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let data = lz4_flex::block::compress(&self.block);
        self.block.clear();
        // A block grows by less than a hundredth when nothing can be saved.
        self.out.write_all(&(data.len() as u32).to_le_bytes())?;
        self.out.write_all(&data)
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.block.len() == BLOCK {
            self.write_block()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(plain: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        let mut encoder = Encoder::new(&mut packed).unwrap();
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap();
        packed
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    #[test]
    fn what_is_packed_is_unpacked_again_in_blocks_of_every_length() {
        for length in [0, 1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7] {
            let plain = noise(length);
            assert!(unpack(&pack(&plain), 1 << 30).unwrap() == plain, "{length} bytes");
        }
    }

    #[test]
    fn two_files_and_filling_are_one() {
        let both = [pack(b"first "), pack(b"second"), vec![0; 509]].concat();
        assert_eq!(unpack(&both, 100).unwrap(), b"first second");
    }

    #[test]
    fn damage_and_too_much_are_errors() {
        let whole = pack(&noise(5000));
        for length in (5..whole.len()).step_by(97) {
            assert!(unpack(&whole[..length], 10_000).is_err(), "cut off at {length}");
        }
        assert_eq!(unpack(&pack(&vec![7; 3 * BLOCK]), BLOCK as u64), Err(Lz4Error::TooLarge));
        let rubbish = [pack(b"data"), vec![0, 0, 0, 0, 1]].concat();
        assert_eq!(unpack(&rubbish, 100), Err(Lz4Error::Damaged { at: 13 }));
    }
}
