//! What must not get through: refused by name, or bounded.

use std::io;
use std::path::Path;

use tar::{EntryType, Header};

use super::super::builder::MAX_NODES;
use super::super::header::BLOCK;
use super::super::members::{MAX_MEMBERS, read_members};
use super::super::reader::ReadAt;
use super::{contents, find, problem};
use crate::rootfs::error::MemberProblem;
use crate::rootfs::testing::{TarBuilder, index_bytes};
use crate::rootfs::{FsError, Ino, Kind, RootfsError};

const BLOCK_SIZE: usize = BLOCK as usize;

fn all_kinds() -> Vec<u8> {
    TarBuilder::new()
        .dir("d", 0o755)
        .file("d/file", &[1; 1500])
        .pax(&[("mtime", b"1.5")])
        .file(&format!("d/{}", "n".repeat(200)), &[2; 100])
        .symlink("link", "d/file")
        .hard_link("hard", "d/file")
        .bytes()
}

#[test]
fn an_archive_that_is_cut_off_anywhere_is_refused_with_a_name() {
    let bytes = all_kinds();
    let end = bytes.len() - 2 * BLOCK_SIZE;
    for block in 1..end / BLOCK_SIZE {
        for cut in [block * BLOCK_SIZE, block * BLOCK_SIZE + 1, (block + 1) * BLOCK_SIZE - 1] {
            let error = index_bytes(&bytes[..cut]).unwrap_err();
            let names = ["\"d\"", "\"d/file\"", "\"d/nnn", "\"link\"", "\"hard\""];
            let text = error.to_string();
            assert!(names.iter().any(|name| text.contains(name)), "{cut}: {text}");
        }
    }
    let error = index_bytes(&bytes[..end]).unwrap_err();
    assert!(error.to_string().contains("damaged after member \"hard\""), "{error}");
    assert!(index_bytes(&bytes[..end + BLOCK_SIZE]).is_ok(), "one block of zeros is enough");
}

#[test]
fn a_header_with_a_wrong_checksum_is_refused_with_the_member_before_it() {
    let mut bytes = TarBuilder::new().file("first", b"").file("second", b"").bytes();
    bytes[BLOCK_SIZE + 3] ^= 1;
    match index_bytes(&bytes).unwrap_err() {
        RootfsError::Archive { after, index, source, .. } => {
            assert_eq!((after.as_str(), index), ("first", 1));
            assert_eq!(source.to_string(), "the checksum of a header is wrong");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn absolute_names_stay_inside() {
    let header = TarBuilder::header(EntryType::Regular, 0o644);
    let lower = TarBuilder::new().raw(b"//etc///passwd", header, b"").index().unwrap();
    find(&lower, "etc/passwd");
}

#[test]
fn names_with_a_nul_are_refused() {
    let refused = problem(TarBuilder::new().pax(&[("path", b"a\0b")]).file("x", b""));
    assert_eq!(refused, ("a\0b".into(), MemberProblem::BadName));
    let refused = problem(TarBuilder::new().pax(&[("linkpath", b"a\0b")]).symlink("x", "y"));
    assert_eq!(refused, ("x".into(), MemberProblem::BadName));
    let refused = problem(TarBuilder::new().pax(&[("linkpath", b"a\0b")]).hard_link("x", "y"));
    assert_eq!(refused, ("x".into(), MemberProblem::BadName));
}

#[test]
fn members_of_the_same_name_and_other_kinds_replace_each_other() {
    let lower = TarBuilder::new()
        .dir("a", 0o755)
        .file("a/below", b"gone")
        .file("a", b"now a file")
        .file("b", b"file")
        .dir("b", 0o700)
        .file("b/below", b"there")
        .symlink("c", "b")
        .file("c", b"no link any more")
        .index()
        .unwrap();
    assert!(lower.is_sound());
    assert_eq!(contents(&lower, "a"), b"now a file");
    assert_eq!(contents(&lower, "b/below"), b"there");
    assert_eq!(contents(&lower, "c"), b"no link any more");
    assert_eq!(lower.get(find(&lower, "b")).unwrap().meta.kind, Kind::Directory);
    assert_eq!(lower.inode_count(), 5);
    assert_eq!(lower.lookup(find(&lower, "a"), b"below"), Err(FsError::NotDirectory));
}

#[test]
fn sizes_of_members_without_data_are_not_believed() {
    let mut directory = TarBuilder::header(EntryType::Directory, 0o755);
    directory.set_size(1 << 30);
    let lower = TarBuilder::new().raw(b"d", directory, b"").file("d/a", b"data").index().unwrap();
    assert_eq!(contents(&lower, "d/a"), b"data");
}

#[test]
fn damaged_pax_records_are_refused() {
    for records in
        [&b"99 path=a\n"[..], b"path=a\n", b"9 path=a?", b"8 patha\n", b"12 uid=-100\n", b"13 mtime=1.x\n"]
    {
        let mut header = TarBuilder::header(EntryType::XHeader, 0o644);
        header.set_size(records.len() as u64);
        let (member, refused) = problem(TarBuilder::new().raw(b"x", header, records).file("a", b""));
        assert_eq!(member, "a");
        assert!(matches!(refused, MemberProblem::BadField(_)), "{records:?}: {refused}");
    }
}

#[test]
fn maps_of_sparse_files_that_lie_are_refused() {
    let map = |map: &[u8], data: &[u8]| {
        TarBuilder::new().pax(&[("GNU.sparse.size", b"1000"), ("GNU.sparse.map", map)]).file("sparse", data)
    };
    assert!(map(b"0,4,500,4", b"12345678").index().is_ok());
    let lies: [(&[u8], &[u8]); 7] = [
        (b"0,4,2,4", b"12345678"),
        (b"500,4,0,4", b"12345678"),
        (b"0,4,999,4", b"12345678"),
        (b"0,4", b"12345678"),
        (b"0,9", b"12345678"),
        (b"0,4,500", b"12345678"),
        (b"18446744073709551615,8", b"12345678"),
    ];
    for (lie, data) in lies {
        assert_eq!(problem(map(lie, data)), ("sparse".into(), MemberProblem::BadSparseMap), "{lie:?}");
    }
    let in_data = |data: &[u8]| {
        let records: [(&str, &[u8]); 4] = [
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"its-own"),
            ("GNU.sparse.realsize", b"100"),
        ];
        TarBuilder::new().pax(&records).file("GNUSparseFile.0/its-own", data)
    };
    for data in [&b"1\n"[..], b"", &[b'1'; 600], &[b'\n'; 600], b"-1\n"] {
        assert_eq!(problem(in_data(data)), ("its-own".into(), MemberProblem::BadSparseMap), "{data:?}");
    }
    let endless = [b"99999999999\n".as_slice(), &[b'\n'; 600]].concat();
    assert!(matches!(problem(in_data(&endless)).1, MemberProblem::TooMany { .. }));
}

#[test]
fn links_to_later_members_end_after_a_bounded_number_of_them() {
    let chain = |length: u32| {
        let links = (0..length).fold(TarBuilder::new(), |tar, link| {
            tar.hard_link(&format!("l{link}"), &format!("l{}", link + 1))
        });
        links.file(&format!("l{length}"), b"data")
    };
    let lower = chain(30).index().unwrap();
    assert_eq!(lower.get(find(&lower, "l0")).unwrap().meta.nlink, 31);
    assert_eq!(problem(chain(5000)).1, MemberProblem::LinkChain);
}

#[test]
fn small_members_cannot_make_directories_without_end() {
    let mut bytes = Vec::new();
    for member in 0..MAX_NODES / 1000 {
        let path = format!("{member}/{}", "d/".repeat(1200));
        let mut header = TarBuilder::header(EntryType::GNULongName, 0o644);
        header.set_size(path.len() as u64);
        let directory = TarBuilder::header(EntryType::Directory, 0o755);
        let pair = TarBuilder::new().raw(b"L", header, path.as_bytes()).raw(b"d", directory, b"").bytes();
        bytes.extend_from_slice(&pair[..pair.len() - 2 * BLOCK_SIZE]);
    }
    let error = index_bytes(&bytes).unwrap_err();
    assert!(error.to_string().contains("more than 2000000 files and directories"), "{error}");
}

/// Headers of ten million empty files, made when they are read.
struct TenMillion(Header);

impl ReadAt for TenMillion {
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let mut header = self.0.clone();
        let name = format!("{:08}", position / BLOCK);
        header.as_old_mut().name[..8].copy_from_slice(name.as_bytes());
        header.set_cksum();
        buffer.copy_from_slice(header.as_bytes());
        Ok(())
    }
}

#[test]
fn ten_million_members_are_refused_at_the_limit() {
    let archive = TenMillion(TarBuilder::header(EntryType::Regular, 0o644));
    match read_members(Path::new("many.tar"), &archive, 10_000_000 * BLOCK).unwrap_err() {
        RootfsError::Member { member, problem, .. } => {
            assert_eq!(member, format!("{:08}", MAX_NODES));
            assert_eq!(problem, MemberProblem::TooMany { what: "files and directories", limit: MAX_NODES });
        }
        other => panic!("{other}"),
    }
    let archive = TenMillion(TarBuilder::header(EntryType::new(b'V'), 0o644));
    let error = read_members(Path::new("many.tar"), &archive, 10_000_000 * BLOCK).unwrap_err();
    assert_eq!(error.to_string(), format!("many.tar holds more than {MAX_MEMBERS} members"));
}

#[test]
fn descriptions_without_a_member_are_refused() {
    let whole = TarBuilder::new().file("a", b"").pax(&[("path", b"b")]).file("x", b"").bytes();
    let cut = [&whole[..3 * BLOCK_SIZE], &[0; 2 * BLOCK_SIZE]].concat();
    let error = index_bytes(&cut).unwrap_err();
    assert!(error.to_string().contains("damaged after member \"a\""), "{error}");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("announce a member"));
    let lower = index_bytes(&whole).unwrap();
    assert!(lower.lookup(Ino::ROOT, b"b").is_ok());
}
