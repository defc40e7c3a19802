use super::*;

/// `printf abc > data; mkimage -A arm -O linux -T ramdisk -C none -n board -d data image`, its time set to 0.
fn image(data: &[u8]) -> Vec<u8> {
    [&Header::ramdisk(Architecture::Arm, "board").for_data(data).unwrap()[..], data].concat()
}

#[test]
fn sums_and_size_follow_the_data() {
    let before = image(b"abc");
    let (header, data) = Header::parse(&before).unwrap();
    assert_eq!((data, header.name().as_str()), (&b"abc"[..], "board"));
    // CRC-32 of "abc", as in every list of test values.
    assert_eq!(&before[24..28], &0x352441c2u32.to_be_bytes());
    let after = [&header.for_data(b"abcd").unwrap()[..], b"abcd"].concat();
    assert_eq!(Header::parse(&after).unwrap(), (header, &b"abcd"[..]));
    assert_eq!(after[28..64], before[28..64]);
}

#[test]
fn what_is_behind_the_data_is_none_of_it() {
    let whole = [image(b"abc"), vec![0; 509]].concat();
    assert_eq!(Header::parse(&whole).unwrap().1, b"abc");
}

#[test]
fn damage_is_an_error() {
    let whole = image(b"abc");
    for index in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[index] ^= 1;
        assert!(Header::parse(&damaged).is_err(), "byte {index}");
    }
    for length in 0..whole.len() {
        assert!(Header::parse(&whole[..length]).is_err());
    }
    assert_eq!(Header::parse(&whole[..65]).unwrap_err(), ImageError::Short { size: 3, there: 1 });
}
