use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tar::EntryType;

use super::{FORMAT, HEAD, Saved, Tables};
use crate::rootfs::lower::{LowerContent, LowerInode};
use crate::rootfs::testing::TarBuilder;
use crate::rootfs::{Ino, Lower};

const SHA256: &str = "of the archive";

/// An archive with its index beside it.
struct Saving {
    _directory: tempfile::TempDir,
    tar: PathBuf,
    built: Lower,
}

fn rootfs() -> TarBuilder {
    TarBuilder::new()
        .dir("etc", 0o755)
        .pax(&[("SCHILY.xattr.user.origin", b"a\nb=c\0")])
        .file_as("etc/passwd", 0o640, 1000, b"root:x:0:0\n")
        .hard_link("etc/passwd-", "etc/passwd")
        .symlink("bin", "usr/bin")
        .file("usr/bin/true", &[7; 3000])
        .raw(b"run/fifo", TarBuilder::header(EntryType::Fifo, 0o600), b"")
}

fn saving(tar: TarBuilder) -> Saving {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rootfs");
    fs::write(&path, tar.bytes()).unwrap();
    let built = Lower::from_tar(&path).unwrap();
    fs::write(Lower::index_path(&path), built.to_index(SHA256).unwrap()).unwrap();
    Saving { _directory: directory, tar: path, built }
}

impl Saving {
    fn load(&self) -> Option<Lower> {
        Lower::from_index(&self.tar, SHA256)
    }

    fn index(&self) -> Vec<u8> {
        fs::read(Lower::index_path(&self.tar)).unwrap()
    }

    fn set_index(&self, bytes: &[u8]) {
        fs::write(Lower::index_path(&self.tar), bytes).unwrap();
    }

    /// Saves the index with a change, under a checksum that is right.
    fn saves(&self, change: impl FnOnce(&mut Saved<'_>)) {
        let index = self.index();
        let mut saved: Saved<'_> = postcard::from_bytes(&index[HEAD..]).unwrap();
        change(&mut saved);
        self.set_index(&sealed(postcard::to_extend(&saved, Vec::new()).unwrap()));
    }
}

fn sealed(payload: Vec<u8>) -> Vec<u8> {
    [super::MAGIC.to_vec(), crc32fast::hash(&payload).to_le_bytes().to_vec(), payload].concat()
}

/// Everything but the open file.
fn tables(lower: &Lower) -> String {
    let Lower { file: _, archive, inodes, entries, names, extents, attributes, attribute_bytes, bytes } =
        lower;
    format!(
        "{archive} {inodes:?} {entries:?} {names:?} {extents:?} {attributes:?} {attribute_bytes:?} {bytes}"
    )
}

#[test]
fn a_loaded_index_is_the_one_that_was_built() {
    let saving = saving(rootfs());
    let loaded = saving.load().unwrap();
    assert_eq!(tables(&loaded), tables(&saving.built));
    assert_eq!(loaded.identity(), saving.built.identity());
    let ino = loaded.lookup(Ino::ROOT, b"usr").and_then(|usr| loaded.lookup(usr, b"bin")).unwrap();
    let mut data = [0; 3000];
    loaded.read(loaded.lookup(ino, b"true").unwrap(), 0, &mut data).unwrap();
    assert_eq!(data, [7; 3000]);
}

#[test]
fn an_index_of_another_archive_format_or_length_is_not_believed() {
    let saving = saving(rootfs());
    assert!(Lower::from_index(&saving.tar, "of another").is_none());
    saving.saves(|saved| saved.format = FORMAT + 1);
    assert!(saving.load().is_none());
    saving.saves(|saved| saved.format = FORMAT);
    assert!(saving.load().is_some());
    let mut archive = fs::read(&saving.tar).unwrap();
    archive.push(0);
    fs::write(&saving.tar, archive).unwrap();
    assert!(saving.load().is_none());
}

#[test]
fn a_torn_index_is_not_believed_wherever_it_is_torn() {
    let saving = saving(rootfs());
    let whole = saving.index();
    for length in 0..whole.len() {
        saving.set_index(&whole[..length]);
        assert!(saving.load().is_none(), "{length} bytes of {}", whole.len());
    }
    saving.set_index(&[whole.as_slice(), b"x"].concat());
    assert!(saving.load().is_none());
    fs::remove_file(Lower::index_path(&saving.tar)).unwrap();
    assert!(saving.load().is_none());
}

#[test]
fn numbers_that_lead_astray_are_not_believed_under_a_right_checksum() {
    type Change = fn(&mut Tables<'_>);
    fn inode<'t>(tables: &'t mut Tables<'_>, is: fn(&LowerContent) -> bool) -> &'t mut LowerInode {
        tables.inodes.iter_mut().find(|inode| is(&inode.content)).unwrap()
    }
    fn file<'t>(tables: &'t mut Tables<'_>) -> &'t mut LowerInode {
        inode(tables, |content| matches!(content, LowerContent::Data { .. }))
    }
    let changes: [(&str, Change); 17] = [
        ("no inodes", |tables| tables.inodes.clear()),
        ("data past the archive", |tables| file(tables).size = 1 << 40),
        ("an end that overflows", |tables| file(tables).content = LowerContent::Data { offset: u64::MAX }),
        ("a file with a directory's content", |tables| {
            file(tables).content = LowerContent::Directory { first: 0, count: 0, parent: Ino::ROOT };
        }),
        ("extents that are not there", |tables| {
            file(tables).content = LowerContent::Sparse { first: u32::MAX, count: u32::MAX };
        }),
        ("a size that nothing can address", |tables| {
            let file = file(tables);
            let more = (1 << 63) - file.size;
            file.content = LowerContent::Sparse { first: 0, count: 0 };
            file.size += more;
            tables.bytes += more;
        }),
        ("a link count", |tables| file(tables).meta.nlink += 1),
        ("a mode", |tables| file(tables).meta.mode = 0o10_000),
        ("nanoseconds", |tables| file(tables).meta.mtime.nanoseconds = 1_000_000_000),
        ("a target past the names", |tables| {
            let link = inode(tables, |content| matches!(content, LowerContent::Target(_)));
            if let LowerContent::Target(name) = &mut link.content {
                name.start = u32::MAX;
            }
        }),
        ("names out of order", |tables| {
            let (one, two) = (tables.entries[0].name, tables.entries[1].name);
            (tables.entries[0].name, tables.entries[1].name) = (two, one);
        }),
        ("an inode that is not there", |tables| tables.entries[0].ino = Ino::MAX),
        ("a directory in itself", |tables| {
            for entry in &mut tables.entries {
                entry.ino = Ino::ROOT;
            }
        }),
        ("a directory without entries", |tables| tables.entries.clear()),
        ("the sum of sizes", |tables| tables.bytes += 1),
        ("an attribute past the bytes", |tables| tables.attributes[0].value.length = u32::MAX),
        ("an attribute of nobody", |tables| tables.attributes[0].ino = Ino::MAX),
    ];
    for (what, change) in changes {
        let saving = saving(rootfs());
        saving.saves(|saved| change(&mut saved.tables));
        assert!(saving.load().is_none(), "{what}");
    }
}

#[test]
fn an_inode_takes_less_than_300_bytes() {
    let tar = (0..2000).fold(TarBuilder::new(), |tar, number| {
        tar.file(&format!("usr/share/a-directory-{}/and-a-longish-name-{number}.so.1.2.3", number % 50), b"x")
    });
    let saving = saving(tar);
    for lower in [&saving.built, &saving.load().unwrap()] {
        let each = lower.memory() as u64 / lower.inode_count();
        assert!(each < 300, "{each} bytes");
    }
}

proptest! {
    #[test]
    fn whatever_is_in_the_file_nothing_is_read_out_of_bounds(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        seal in any::<bool>(),
    ) {
        let saving = saving(rootfs());
        let mut bytes = saving.index();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if seal {
            bytes = sealed(bytes.split_off(HEAD));
        }
        saving.set_index(&bytes);
        if let Some(lower) = saving.load() {
            prop_assert!(lower.is_sound());
            for number in 0..lower.inode_count() as u32 {
                let ino = Ino::new(number + 2).unwrap();
                if lower.is_file(ino) {
                    let mut data = vec![0; lower.size(ino) as usize];
                    prop_assert_eq!(lower.read(ino, 0, &mut data), Ok(()));
                }
            }
        }
    }
}
