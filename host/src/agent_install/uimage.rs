//! The header that U-Boot's `bootm` wants before a RAM disk (`mkimage -A arm -T ramdisk`).
//!
//! Source: U-Boot, include/image.h, `legacy_img_hdr`. All numbers have their most significant byte first.

use super::error::InstallError;

/// Bytes of the header.
pub(super) const HEADER: usize = 64;

const MAGIC: u32 = 0x2705_1956;
/// `ih_type`: a RAM disk.
const RAMDISK: u8 = 3;

const HEADER_CRC: usize = 4;
const SIZE: usize = 12;
const DATA_CRC: usize = 24;
const TYPE: usize = 30;

/// Whether `bytes` begin with a header of U-Boot's.
pub(super) fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC.to_be_bytes())
}

/// Splits an image into its header and what is in it.
///
/// # Errors
/// [`InstallError::Ramdisk`] for other images than of RAM disks, and damaged ones.
pub(super) fn parse(bytes: &[u8]) -> Result<(&[u8; HEADER], &[u8]), InstallError> {
    let problem = |problem: &str| InstallError::Ramdisk { problem: problem.to_owned() };
    let (header, rest) =
        bytes.split_first_chunk::<HEADER>().ok_or_else(|| problem("U-Boot's header is cut off"))?;
    let word = |at: usize| {
        header.get(at..at + 4).map_or(0, |word| word.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
    };
    let mut without_crc = *header;
    set(&mut without_crc, HEADER_CRC, 0);
    if crc32fast::hash(&without_crc) != word(HEADER_CRC) {
        return Err(problem("the checksum of U-Boot's header is wrong"));
    }
    if header.get(TYPE) != Some(&RAMDISK) {
        return Err(problem("U-Boot's header is that of another image than a RAM disk"));
    }
    let data =
        rest.get(..word(SIZE) as usize).ok_or_else(|| problem("it is shorter than U-Boot's header says"))?;
    if crc32fast::hash(data) != word(DATA_CRC) {
        return Err(problem("the checksum of the data in U-Boot's header is wrong"));
    }
    Ok((header, data))
}

/// The header for other data.
///
/// # Errors
/// [`InstallError::Ramdisk`] for more data than a header can tell.
pub(super) fn header_for(header: &[u8; HEADER], data: &[u8]) -> Result<[u8; HEADER], InstallError> {
    let size = u32::try_from(data.len());
    let size = size
        .map_err(|_| InstallError::Ramdisk { problem: "it is too large for U-Boot's header".to_owned() })?;
    let mut header = *header;
    set(&mut header, SIZE, size);
    set(&mut header, DATA_CRC, crc32fast::hash(data));
    set(&mut header, HEADER_CRC, 0);
    let crc = crc32fast::hash(&header);
    set(&mut header, HEADER_CRC, crc);
    Ok(header)
}

fn set(header: &mut [u8; HEADER], at: usize, number: u32) {
    if let Some(field) = header.get_mut(at..at + 4) {
        field.copy_from_slice(&number.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf abc > data; mkimage -A arm -O linux -T ramdisk -C none -n board -d data image`, its time set to 0.
    fn image(data: &[u8]) -> Vec<u8> {
        let mut header = [0; HEADER];
        set(&mut header, 0, MAGIC);
        header[28..32].copy_from_slice(&[5, 2, RAMDISK, 0]);
        header[32..37].copy_from_slice(b"board");
        [&header_for(&header, data).unwrap()[..], data].concat()
    }

    #[test]
    fn sums_and_size_follow_the_data() {
        let before = image(b"abc");
        let (header, data) = parse(&before).unwrap();
        assert_eq!(data, b"abc");
        // CRC-32 of "abc", as in every list of test values.
        assert_eq!(&before[DATA_CRC..DATA_CRC + 4], &0x352441c2u32.to_be_bytes());
        let after = [&header_for(header, b"abcd").unwrap()[..], b"abcd"].concat();
        assert_eq!(parse(&after).unwrap().1, b"abcd");
        assert_eq!(after[28..64], before[28..64]);
    }

    #[test]
    fn damage_is_an_error() {
        let whole = image(b"abc");
        for index in 4..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            assert!(parse(&damaged).is_err(), "byte {index}");
        }
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err());
        }
    }
}
