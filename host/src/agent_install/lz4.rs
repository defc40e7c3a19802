//! LZ4 as the kernel unpacks it: the older of LZ4's file formats, `lz4 -l`.
//!
//! A number, and blocks that are packed on their own: each with its length before it, least significant byte first. All but
//! the last one have 8 MiB when they are unpacked. Source: LZ4, doc/lz4_Frame_format.md, "Legacy frame"; Linux,
//! lib/decompress_unlz4.c.

use super::error::InstallError;

/// What a file begins with.
pub(super) const MAGIC: [u8; 4] = 0x184c_2102_u32.to_le_bytes();

/// Bytes of a block when it is unpacked.
const BLOCK: usize = 8 << 20;

/// Unpacks `packed`, which begins with [`MAGIC`], to at most `limit` bytes.
///
/// # Errors
/// [`InstallError::Ramdisk`] if it is damaged or becomes larger.
pub(super) fn unpack(packed: &[u8], limit: u64) -> Result<Vec<u8>, InstallError> {
    let problem = |problem: String| InstallError::Ramdisk { problem };
    let damaged = |at: usize| problem(format!("its LZ4 data is damaged or cut off at byte {at}"));
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
        let data = rest.get(..size).ok_or_else(|| damaged(at))?;
        let unpacked = lz4_flex::block::decompress_into(data, &mut block).map_err(|_| damaged(at))?;
        plain.extend_from_slice(block.get(..unpacked).unwrap_or_default());
        if plain.len() as u64 > limit {
            return Err(problem(format!("it is larger than {limit} bytes when unpacked")));
        }
        at += MAGIC.len() + size;
    }
    // What fills up the last sector.
    match packed.get(at..).unwrap_or_default().iter().all(|byte| *byte == 0) {
        true => Ok(plain),
        false => Err(damaged(at)),
    }
}

/// Packs `plain`.
pub(super) fn pack(plain: &[u8]) -> Vec<u8> {
    let mut packed = MAGIC.to_vec();
    for block in plain.chunks(BLOCK) {
        let data = lz4_flex::block::compress(block);
        // A block grows by less than a hundredth when nothing can be saved.
        packed.extend((data.len() as u32).to_le_bytes());
        packed.extend(data);
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let error = unpack(&pack(&vec![7; 3 * BLOCK]), BLOCK as u64).unwrap_err();
        assert_eq!(error.to_string(), format!("it is larger than {BLOCK} bytes when unpacked"));
        let rubbish = [pack(b"data"), vec![0, 0, 0, 0, 1]].concat();
        assert_eq!(
            unpack(&rubbish, 100).unwrap_err().to_string(),
            "its LZ4 data is damaged or cut off at byte 13"
        );
    }
}
