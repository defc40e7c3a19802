//! A log with right checksums and changes that no layer makes: they are left out, and said so.

use std::path::Path;
use std::sync::Arc;

use crate::rootfs::block_store::{BLOCK, Run};
use crate::rootfs::inode::NewContent;
use crate::rootfs::journal::{Change, Journal};
use crate::rootfs::layer::check::Repair;
use crate::rootfs::meta::Meta;
use crate::rootfs::testing::{TarBuilder, new_directory};
use crate::rootfs::{Credential, Ino, Kind, Layer, LayerOptions, Lower};

/// A lower layer, and the numbers of a directory, a file of 10,000 bytes in it, and one more.
fn lower() -> (Arc<Lower>, [Ino; 3]) {
    let tar = TarBuilder::new().dir("etc", 0o755).file("etc/passwd", &[7; 10_000]).file("other", b"");
    let lower = Arc::new(tar.index().unwrap());
    let etc = lower.lookup(Ino::ROOT, b"etc").unwrap();
    let numbers = [etc, lower.lookup(etc, b"passwd").unwrap(), lower.lookup(Ino::ROOT, b"other").unwrap()];
    (lower, numbers)
}

fn open(lower: &Arc<Lower>, directory: &Path) -> (Layer, Vec<Repair>) {
    Layer::open(Arc::clone(lower), directory.to_owned(), LayerOptions::default()).unwrap()
}

/// What opening says when `changes` were the layer's log, and what it says when it is opened once more.
fn repairs_after(lower: &Arc<Lower>, changes: &[Change<'static>]) -> (Layer, Vec<Repair>) {
    let directory = new_directory();
    Layer::new(Arc::clone(lower), directory.clone(), LayerOptions::default()).unwrap().keep();
    let journal = Journal::open(directory.join("log")).unwrap();
    journal.replay(&mut |_| ()).unwrap();
    journal.append(changes.iter().cloned()).unwrap();
    let (layer, repairs) = open(lower, &directory);
    layer.keep();
    drop(layer);
    let (layer, again) = open(lower, &directory);
    assert_eq!(again, [], "{changes:?}");
    (layer, repairs)
}

fn insert(dir: Ino, cookie: u32, name: &[u8], ino: Ino) -> Change<'static> {
    Change::Insert { dir, cookie, name: name.to_vec().into(), ino }
}

fn extents(ino: Ino, block: u64, start: u64, count: u64) -> Change<'static> {
    Change::Extents { ino, size: 10_000, runs: vec![(block, Run { start, count })] }
}

/// Changes, the last of which no layer over [`lower`] makes after the others.
fn unfit([etc, file, other]: [Ino; 3]) -> Vec<(&'static str, Vec<Change<'static>>)> {
    let new = Ino::new(1000).unwrap();
    let root = Ino::ROOT;
    let of_file =
        |meta: Meta| Change::Meta { ino: file, meta: Meta { kind: Kind::Regular, ..meta }, verifier: None };
    let meta = Meta::directory(0o644);
    let mut late = meta;
    late.mtime.nanoseconds = 1_000_000_000;
    let end = u64::MAX / BLOCK;
    vec![
        ("a name with a slash", vec![insert(root, 50, b"a/b", other)]),
        ("no name", vec![insert(root, 50, b"", other)]),
        ("a dot", vec![insert(root, 50, b".", other)]),
        ("a long name", vec![insert(root, 50, &[b'n'; 256], other)]),
        ("a name that is taken", vec![insert(root, 50, b"etc", other)]),
        ("a cookie that is taken", vec![insert(root, 3, b"new", other)]),
        ("the cookie of a dot", vec![insert(root, 1, b"new", other)]),
        ("a cookie beyond all", vec![insert(root, u32::MAX, b"new", other)]),
        ("a name in a file", vec![insert(file, 50, b"new", other)]),
        ("the root forgotten", vec![Change::Forget { ino: root }]),
        ("a new root", vec![Change::New { ino: root, content: NewContent::File }]),
        ("a new inode in another's place", vec![Change::New { ino: file, content: NewContent::None }]),
        ("an empty target", vec![Change::New { ino: new, content: NewContent::Symlink(Box::default()) }]),
        (
            "a directory that is a file",
            vec![Change::Meta { ino: etc, meta: Meta { kind: Kind::Regular, ..meta }, verifier: None }],
        ),
        ("a mode", vec![of_file(Meta { mode: 0o10_000, ..meta })]),
        ("a time", vec![of_file(late)]),
        ("the data of a directory", vec![Change::CopyUp { ino: etc }]),
        ("the listing of a file", vec![Change::Listing { dir: file, parent: root, next_cookie: 3 }]),
        (
            "a listing that ends before it begins",
            vec![Change::Listing { dir: etc, parent: root, next_cookie: 0 }],
        ),
        ("blocks of a file that is not changed", vec![extents(file, 0, 0, 1)]),
        ("no blocks", vec![Change::CopyUp { ino: file }, extents(file, 0, 0, 0)]),
        ("blocks beyond every file", vec![Change::CopyUp { ino: file }, extents(file, end, 0, u64::MAX)]),
        ("blocks beyond every store", vec![Change::CopyUp { ino: file }, extents(file, 0, end, u64::MAX)]),
        ("a block twice", vec![Change::CopyUp { ino: file }, extents(file, 0, 0, 4), extents(file, 3, 9, 1)]),
        ("a size", vec![Change::CopyUp { ino: file }, Change::Truncate { ino: file, size: u64::MAX }]),
        ("more than shows", vec![Change::CopyUp { ino: file }, Change::Visible { ino: file, bytes: 10_001 }]),
    ]
}

#[test]
fn changes_that_no_layer_makes_are_left_out_and_told() {
    let (lower, numbers) = lower();
    for (what, changes) in unfit(numbers) {
        let (layer, repairs) = repairs_after(&lower, &changes);
        assert_eq!(repairs, [Repair::UnfitChanges { count: 1 }], "{what}");
        let file = layer.lookup(numbers[0], b"passwd", &Credential::root()).unwrap();
        assert_eq!((file.kind, file.size), (Kind::Regular, 10_000), "{what}");
    }
}

#[test]
fn what_was_done_to_a_file_that_is_gone_is_no_fault() {
    let (lower, [_, _, other]) = lower();
    let gone = [
        Change::CopyUp { ino: other },
        Change::Remove { dir: Ino::ROOT, name: b"other".into() },
        Change::Forget { ino: other },
        extents(other, 0, 0, 1),
        Change::Truncate { ino: other, size: 3 },
    ];
    let (layer, repairs) = repairs_after(&lower, &gone);
    assert_eq!(repairs, []);
    assert!(layer.attributes(other).is_err());
}
