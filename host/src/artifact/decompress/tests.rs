use std::io::{Cursor, Write as _};
use std::time::{Duration, Instant};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Budget, Compression, DecompressError, decompress};

const ALL: [Compression; 5] = Compression::ALL;
/// Those of which a file may have several, one after the other.
const STREAMS: [Compression; 4] = [Compression::Gzip, Compression::Bzip2, Compression::Xz, Compression::Zstd];

fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => zstd::encode_all(bytes, 1).unwrap(),
        Compression::Zip => zip(&[("a directory/the file", bytes)]),
    }
}

/// A zip archive; names that end with a slash are those of directories.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        if name.ends_with('/') {
            writer.add_directory(*name, SimpleFileOptions::default()).unwrap();
            continue;
        }
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn run(compression: Compression, input: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    let mut output = Vec::new();
    let budget = Budget::new(Instant::now() + Duration::from_secs(600));
    match decompress(Cursor::new(input), &mut output, compression, limit, &budget, &|_, _| ()) {
        Ok(_) => Ok(output),
        Err(DecompressError::Reason(reason)) => Err(reason.to_string()),
        Err(DecompressError::Output(error)) => panic!("{error}"),
    }
}

#[test]
fn files_of_several_members_are_undone_whole() {
    for compression in STREAMS {
        let both = [compress(compression, b"first "), compress(compression, b"second")].concat();
        assert_eq!(run(compression, &both, 100).unwrap(), b"first second", "{compression}");
    }
}

#[test]
fn damaged_and_cut_files_are_errors() {
    let noise: Vec<u8> = (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for compression in ALL {
        let whole = compress(compression, &noise);
        let cut = &whole[..whole.len() / 2];
        assert_eq!(run(compression, cut, 10_000).unwrap_err(), format!("damaged {compression} file"));
        let mut damaged = whole.clone();
        for byte in &mut damaged[whole.len() / 3..whole.len() / 2] {
            *byte ^= 0x55;
        }
        assert_ne!(run(compression, &damaged, 10_000).ok(), Some(noise.clone()), "{compression}");
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    for compression in ALL {
        let bomb = compress(compression, &vec![0; 1 << 20]);
        let error = run(compression, &bomb, 1000).unwrap_err();
        assert_eq!(error, "it is larger than the limit of 1000 bytes");
    }
}

#[test]
fn what_is_not_compressed_says_how_it_begins() {
    let error = run(Compression::Gzip, b"<html>", 100).unwrap_err();
    assert_eq!(error, "not a valid gzip file: begins with 3c 68 74 6d 6c 3e (\"<html>\")");
    let error = run(Compression::Xz, b"", 100).unwrap_err();
    assert_eq!(error, "not a valid xz file: begins with nothing: the file is empty");
}

#[test]
fn a_zip_archive_is_the_one_file_in_it() {
    assert_eq!(run(Compression::Zip, &zip(&[("deep/file.img", b"content")]), 100).unwrap(), b"content");
    for (names, said) in [
        (&[][..], "none"),
        (&["a", "b"], "2: `a`, `b`"),
        (&["a/", "a/b"], "2: `a/`, `a/b`"),
        (&["a/"], "1: `a/`"),
        (
            &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"],
            "12: `0`, `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8`, `9` and 2 more",
        ),
    ] {
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b""[..])).collect();
        let said = format!("it has to be one file, but the zip archive has {said}");
        assert_eq!(run(Compression::Zip, &zip(&files), 100).unwrap_err(), said);
    }
}

#[test]
fn a_zip_archive_that_is_cut_off_or_damaged_anywhere_is_an_error() {
    let whole = zip(&[("file", b"content")]);
    for length in 4..whole.len() {
        assert!(run(Compression::Zip, &whole[..length], 100).is_err(), "{length}");
    }
    for index in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[index] ^= 0x55;
        if let Ok(content) = run(Compression::Zip, &damaged, 100) {
            assert_eq!(content, b"content", "byte {index}");
        }
    }
}

#[test]
fn a_directory_of_too_many_files_is_not_read() {
    let name = "n".repeat(60_000);
    let names: Vec<String> = (0..300).map(|number| format!("{name}{number}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert_eq!(run(Compression::Zip, &zip(&files), 100).unwrap_err(), "damaged zip file");
}

#[test]
fn to_find_a_large_file_little_is_read() {
    let content = vec![7; 20 << 20];
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("file", SimpleFileOptions::default().compression_method(CompressionMethod::Stored))
        .unwrap();
    writer.write_all(&content).unwrap();
    let archive = writer.finish().unwrap().into_inner();
    assert!(run(Compression::Zip, &archive, 1 << 30).unwrap() == content);
}

#[test]
fn the_end_of_a_name_tells_how_a_file_is_compressed() {
    for (url, compression) in [
        ("https://example.org/rootfs.tar.gz", Some(Compression::Gzip)),
        ("https://example.org/rootfs.TGZ?token=a.zip#b.xz", Some(Compression::Gzip)),
        ("file:///images/board.img.bz2", Some(Compression::Bzip2)),
        ("/images/what?.xz", Some(Compression::Xz)),
        ("modules.txz", Some(Compression::Xz)),
        ("http://example.org/a.zst", Some(Compression::Zstd)),
        ("http://example.org/a.zstd", Some(Compression::Zstd)),
        ("http://example.org/a.zip", Some(Compression::Zip)),
        ("http://example.org/a.gz/zImage", None),
        ("http://example.gz", None),
        ("http://example.gz/a", None),
        ("http://example.org/?file=a.gz", None),
        ("/images/.gz", None),
        ("/images/gz", None),
        ("", None),
    ] {
        assert_eq!(Compression::of_name(url), compression, "{url}");
    }
}

#[test]
fn every_compression_has_a_name_of_its_own_and_is_known_by_its_first_bytes() {
    for compression in ALL {
        assert_eq!(Compression::of(&compress(compression, b"data")), Some(compression));
        assert_eq!(Compression::of_name(&format!("a.{}", compression.name())), Some(compression));
    }
}
