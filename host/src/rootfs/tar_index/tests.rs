mod faults;
mod formats;
mod mutated;

use tar::EntryType;

use crate::rootfs::error::MemberProblem;
use crate::rootfs::testing::{TarBuilder, index_bytes};
use crate::rootfs::{FsError, Ino, Kind, Lower, RootfsError, Timestamp};

fn find(lower: &Lower, path: &str) -> Ino {
    path.split('/').fold(Ino::ROOT, |dir, name| lower.lookup(dir, name.as_bytes()).unwrap())
}

fn contents(lower: &Lower, path: &str) -> Vec<u8> {
    let ino = find(lower, path);
    let mut bytes = vec![0xff; lower.size(ino) as usize];
    lower.read(ino, 0, &mut bytes).unwrap();
    bytes
}

fn problem(tar: TarBuilder) -> (String, MemberProblem) {
    match tar.index().unwrap_err() {
        RootfsError::Member { member, problem, .. } => (member, problem),
        other => panic!("{other}"),
    }
}

#[test]
fn files_keep_owner_mode_and_data() {
    let lower = TarBuilder::new().file_as("home/user/.profile", 0o4750, 1000, b"hello").index().unwrap();
    assert_eq!(contents(&lower, "home/user/.profile"), b"hello");
    let meta = lower.get(find(&lower, "home/user/.profile")).unwrap().meta;
    assert_eq!((meta.mode, meta.uid, meta.gid, meta.nlink), (0o4750, 1000, 1000, 1));
    let parent = lower.get(find(&lower, "home")).unwrap().meta;
    assert_eq!((parent.kind, parent.mode, parent.uid, parent.nlink), (Kind::Directory, 0o755, 0, 3));
    assert_eq!(lower.inode_count(), 4);
}

#[test]
fn the_root_takes_the_attributes_of_its_own_member() {
    let lower = TarBuilder::new().dir("./", 0o1777).file("./a", b"").index().unwrap();
    assert_eq!(lower.get(Ino::ROOT).unwrap().meta.mode, 0o1777);
    find(&lower, "a");
}

#[test]
fn long_and_strange_names_are_kept() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(255));
    let lower = TarBuilder::new()
        .file(&long, b"long")
        .raw(b"\xff\xfe", TarBuilder::header(EntryType::Regular, 0o644), b"")
        .pax(&[("path", "pax/\u{fc}ber".as_bytes())])
        .file("short", b"pax")
        .index()
        .unwrap();
    assert_eq!(contents(&lower, &long), b"long");
    assert_eq!(contents(&lower, "pax/\u{fc}ber"), b"pax");
    lower.lookup(Ino::ROOT, b"\xff\xfe").unwrap();
    assert_eq!(lower.lookup(Ino::ROOT, b"short"), Err(FsError::NotFound));
}

#[test]
fn pax_times_are_kept_to_the_nanosecond() {
    let lower = TarBuilder::new().pax(&[("mtime", b"1234567890.123456789")]).file("a", b"").index().unwrap();
    let meta = lower.get(find(&lower, "a")).unwrap().meta;
    assert_eq!(meta.mtime, Timestamp { seconds: 1_234_567_890, nanoseconds: 123_456_789 });
    let old = TarBuilder::new().pax(&[("mtime", b"-5.5")]).file("a", b"").index().unwrap();
    assert_eq!(old.get(find(&old, "a")).unwrap().meta.mtime, Timestamp::default());
}

#[test]
fn hard_links_share_an_inode_even_with_a_later_member() {
    let lower = TarBuilder::new()
        .hard_link("early", "dir/file")
        .hard_link("earliest", "early")
        .file("dir/file", b"data")
        .hard_link("late", "./dir/file")
        .index()
        .unwrap();
    let ino = find(&lower, "dir/file");
    for name in ["early", "earliest", "late"] {
        assert_eq!(find(&lower, name), ino, "{name}");
    }
    assert_eq!(lower.get(ino).unwrap().meta.nlink, 4);
}

#[test]
fn hard_links_that_lead_nowhere_are_refused_by_name() {
    let (member, problem_) = problem(TarBuilder::new().hard_link("a", "b").hard_link("b", "a"));
    assert_eq!((member.as_str(), problem_), ("a", MemberProblem::DanglingLink("b".into())));
    let (member, problem_) = problem(TarBuilder::new().dir("d", 0o755).hard_link("l", "d"));
    assert_eq!((member.as_str(), problem_), ("l", MemberProblem::LinkToDirectory));
}

#[test]
fn a_later_member_wins_and_a_directory_keeps_its_names() {
    let lower = TarBuilder::new()
        .dir("d", 0o755)
        .file("d/a", b"first")
        .dir("d", 0o700)
        .file("d/a", b"second")
        .file("was-link", b"")
        .symlink("was-link", "d")
        .index()
        .unwrap();
    assert_eq!(contents(&lower, "d/a"), b"second");
    assert_eq!(lower.get(find(&lower, "d")).unwrap().meta.mode, 0o700);
    assert_eq!(lower.target(find(&lower, "was-link")).unwrap(), b"d");
    assert_eq!(lower.inode_count(), 4);
}

#[test]
fn members_behind_links_land_where_extraction_puts_them() {
    let lower = TarBuilder::new()
        .dir("usr/bin", 0o755)
        .symlink("bin", "/usr/bin")
        .symlink("usr/up", "../bin")
        .file("bin/ls", b"ls")
        .file("usr/up/cp", b"cp")
        .index()
        .unwrap();
    assert_eq!(contents(&lower, "usr/bin/ls"), b"ls");
    assert_eq!(contents(&lower, "usr/bin/cp"), b"cp");
}

#[test]
fn names_that_climb_or_circle_are_refused_by_name() {
    let header = || TarBuilder::header(EntryType::Regular, 0o644);
    let climbing = TarBuilder::new().raw(b"a/../../etc/passwd", header(), b"");
    assert_eq!(problem(climbing), ("a/../../etc/passwd".into(), MemberProblem::ParentComponent));
    let circling = TarBuilder::new().symlink("a", "b").symlink("b", "a").raw(b"a/x", header(), b"");
    assert_eq!(problem(circling), ("a/x".into(), MemberProblem::SymlinkLoop));
    let below = TarBuilder::new().file("a", b"").raw(b"a/x", header(), b"");
    assert_eq!(problem(below), ("a/x".into(), MemberProblem::NotDirectory));
    let link = TarBuilder::new().hard_link("a", "../x");
    assert_eq!(problem(link), ("a".into(), MemberProblem::ParentComponent));
    let long = TarBuilder::new().file(&"n".repeat(256), b"");
    assert_eq!(problem(long).1, MemberProblem::BadName);
}

#[test]
fn devices_and_fifos_are_kept() {
    let mut device = TarBuilder::header(EntryType::Char, 0o666);
    device.set_device_major(1).unwrap();
    device.set_device_minor(3).unwrap();
    let lower = TarBuilder::new()
        .raw(b"dev/null", device, b"")
        .raw(b"run/fifo", TarBuilder::header(EntryType::Fifo, 0o600), b"")
        .index()
        .unwrap();
    let meta = lower.get(find(&lower, "dev/null")).unwrap().meta;
    assert_eq!((meta.kind, meta.device), (Kind::CharacterDevice, (1, 3)));
    assert_eq!(lower.get(find(&lower, "run/fifo")).unwrap().meta.kind, Kind::Fifo);
}

fn sparse(first: (u64, u64), second: (u64, u64), real_size: u64) -> TarBuilder {
    let mut header = TarBuilder::header(EntryType::GNUSparse, 0o644);
    header.set_size(first.1 + second.1);
    let octal = |value: u64| {
        let mut field = [0; 12];
        field[..11].copy_from_slice(format!("{value:011o}").as_bytes());
        field
    };
    let gnu = header.as_gnu_mut().unwrap();
    for (field, (offset, length)) in gnu.sparse.iter_mut().zip([first, second]) {
        field.offset = octal(offset);
        field.numbytes = octal(length);
    }
    gnu.realsize = octal(real_size);
    let data = vec![b'x'; (first.1 + second.1) as usize];
    TarBuilder::new().raw(b"sparse", header, &data)
}

#[test]
fn sparse_members_show_their_holes() {
    let lower = sparse((1024, 512), (10_000, 100), 10_100).file("after", b"after").index().unwrap();
    let bytes = contents(&lower, "sparse");
    let expected: Vec<u8> =
        (0..10_100).map(|at| if (1024..1536).contains(&at) || at >= 10_000 { b'x' } else { 0 }).collect();
    assert!(bytes == expected);
    assert_eq!(contents(&lower, "after"), b"after");
}

#[test]
fn an_overlapping_sparse_map_is_refused() {
    assert!(sparse((1024, 512), (1100, 512), 1612).index().is_err());
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    let noise: Vec<u8> = (0..2048_u32).map(|index| (index % 7 + 40) as u8).collect();
    let error = index_bytes(&noise).unwrap_err();
    assert!(matches!(error, RootfsError::Archive { index: 0, .. }), "{error}");
    assert!(matches!(index_bytes(&[0; 4096]).unwrap_err(), RootfsError::Empty { .. }));
    assert!(matches!(index_bytes(b"").unwrap_err(), RootfsError::Empty { .. }));
    let missing = Lower::from_tar("/nonexistent/rootfs.tar".as_ref()).unwrap_err();
    assert_eq!(missing.to_string(), "cannot open /nonexistent/rootfs.tar");
}

#[test]
fn a_cut_archive_is_refused_with_the_member_it_is_cut_in() {
    let bytes = TarBuilder::new().file("a", b"x").file("big", &[7; 5000]).bytes();
    let error = index_bytes(&bytes[..512 * 5]).unwrap_err();
    assert!(error.to_string().contains("member \"big\""), "{error}");
    assert!(error.to_string().contains("cut off"), "{error}");
}

#[test]
fn lying_sizes_and_endless_headers_are_refused() {
    let mut header = TarBuilder::header(EntryType::Regular, 0o644);
    header.set_size(1 << 60);
    let (_, refused) = problem(TarBuilder::new().raw(b"huge", header, b""));
    assert_eq!(refused, MemberProblem::Truncated { size: 1 << 60 });
    let name = vec![b'n'; 2 << 20];
    let mut header = TarBuilder::header(EntryType::GNULongName, 0o644);
    header.set_size(name.len() as u64);
    let error = TarBuilder::new().raw(b"././@LongLink", header, &name).file("a", b"").index().unwrap_err();
    assert!(matches!(error, RootfsError::Archive { .. }), "{error}");
}
