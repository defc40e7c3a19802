//! Any additions to any archive give the tree that they should.

use std::sync::Arc;

use proptest::prelude::*;
use tar::EntryType;

use super::super::{Meta, Ramdisk};
use super::model::{Model, Refused, Thing};
use super::written;
use crate::rootfs::Kind;
use crate::rootfs::testing::index_bytes;

/// One thing that is put into a tree.
#[derive(Clone, Debug)]
enum Addition {
    File(Thing),
    Directory(Thing),
    Link(Thing),
    /// A pipe or a device.
    Node(Thing),
    /// Another name of the file at a path.
    Name(String),
}

/// What is done with a RAM disk.
#[derive(Clone, Debug)]
enum Change {
    File(Thing),
    Directory(Thing),
    Link(String, u32),
    Remove,
    Unpack(Vec<(String, Addition)>),
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "lib"]), 1..4).prop_map(|parts| parts.join("/"))
}

fn target() -> impl Strategy<Value = String> {
    let before = prop::sample::select(vec!["", "/", "../", "./", "../../"]);
    (before, path()).prop_map(|(before, path)| format!("{before}{path}"))
}

fn thing(kind: Kind) -> impl Strategy<Value = Thing> {
    let data = prop::collection::vec(any::<u8>(), 0..9);
    let device = if kind == Kind::CharacterDevice { [5, 1] } else { [0, 0] };
    (0..0o10000_u32, 0..3_u32, 0..3_u32, 1..1000_u32, data).prop_map(move |(mode, uid, gid, mtime, data)| {
        let data = if kind == Kind::Regular { data } else { Vec::new() };
        Thing { kind, mode, uid, gid, mtime, device, data }
    })
}

fn link() -> impl Strategy<Value = Thing> {
    (target(), 1..1000_u32).prop_map(|(target, mtime)| Thing {
        kind: Kind::Symlink,
        mode: 0o777,
        data: target.into_bytes(),
        ..Thing::directory(mtime)
    })
}

fn addition() -> impl Strategy<Value = Addition> {
    prop_oneof![
        3 => thing(Kind::Regular).prop_map(Addition::File),
        3 => thing(Kind::Directory).prop_map(Addition::Directory),
        2 => link().prop_map(Addition::Link),
        1 => thing(Kind::Fifo).prop_map(Addition::Node),
        1 => thing(Kind::CharacterDevice).prop_map(Addition::Node),
        2 => path().prop_map(Addition::Name),
    ]
}

fn additions(count: usize) -> impl Strategy<Value = Vec<(String, Addition)>> {
    prop::collection::vec((path(), addition()), 0..count)
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        thing(Kind::Regular).prop_map(Change::File),
        thing(Kind::Directory).prop_map(Change::Directory),
        (target(), 1..1000_u32).prop_map(|(target, mtime)| Change::Link(target, mtime)),
        Just(Change::Remove),
        additions(8).prop_map(Change::Unpack),
    ]
}

/// A tree of its own: what has no place is left out.
fn tree(additions: &[(String, Addition)]) -> Model {
    let mut model = Model::default();
    for (path, addition) in additions {
        let _ = match addition {
            Addition::Directory(thing) => model.directory(path, thing.clone()).map(drop),
            Addition::Name(other) => match model.names.get(other) {
                Some(number) if model.things[*number].kind == Kind::Regular => model.put(path, *number),
                _ => Err(Refused),
            },
            Addition::File(thing) | Addition::Link(thing) | Addition::Node(thing) => {
                let number = model.add(thing.clone());
                model.put(path, number)
            }
        };
    }
    model
}

fn tar(model: &Model) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, thing, first) in model.sight() {
        let mut header = tar::Header::new_gnu();
        header.set_mode(thing.mode);
        header.set_uid(thing.uid.into());
        header.set_gid(thing.gid.into());
        header.set_mtime(thing.mtime.into());
        header.set_size(0);
        header.set_entry_type(match thing.kind {
            _ if path != first => EntryType::Link,
            Kind::Directory => EntryType::Directory,
            Kind::Symlink => EntryType::Symlink,
            Kind::Fifo => EntryType::Fifo,
            Kind::CharacterDevice => EntryType::Char,
            _ => EntryType::Regular,
        });
        if path != first {
            builder.append_link(&mut header, path, first).unwrap();
            continue;
        }
        match thing.kind {
            Kind::Regular => {
                header.set_size(thing.data.len() as u64);
                builder.append_data(&mut header, path, &*thing.data).unwrap();
            }
            Kind::Symlink => {
                let target = String::from_utf8(thing.data.clone()).unwrap();
                // Not as the crate would have it, which leaves out what is in it without need.
                header.set_link_name_literal(&target).unwrap();
                builder.append_data(&mut header, path, &b""[..]).unwrap();
            }
            _ => {
                header.set_device_major(thing.device[0]).unwrap();
                header.set_device_minor(thing.device[1]).unwrap();
                builder.append_data(&mut header, path, &b""[..]).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

/// Makes `change` at `path` in both; whether it was possible.
fn make(ramdisk: &mut Ramdisk, model: &mut Model, path: &str, change: &Change) -> bool {
    let meta = |thing: &Thing| Meta { mode: thing.mode, uid: thing.uid, gid: thing.gid, mtime: thing.mtime };
    let (real, expected) = match change {
        Change::File(thing) => {
            let number = model.add(thing.clone());
            (ramdisk.put_file(path, meta(thing), thing.data.clone()), model.put(path, number))
        }
        Change::Directory(thing) => {
            (ramdisk.make_directory(path, meta(thing)), model.directory(path, thing.clone()).map(drop))
        }
        Change::Link(target, mtime) => {
            let data = target.clone().into_bytes();
            let link = Thing { kind: Kind::Symlink, mode: 0o777, data, ..Thing::directory(*mtime) };
            let number = model.add(link);
            (ramdisk.put_link(path, target, *mtime), model.put(path, number))
        }
        Change::Remove => (ramdisk.remove(path), model.remove(path)),
        Change::Unpack(additions) => {
            let tree = tree(additions);
            if tree.names.is_empty() {
                return true;
            }
            let archive = Arc::new(index_bytes(&tar(&tree)).unwrap());
            (ramdisk.unpack(&archive, path), model.unpack(&tree, path, 0))
        }
    };
    assert_eq!(real.is_ok(), expected.is_ok(), "{path}: {real:?}, {expected:?}");
    let is_whole = !matches!(change, Change::Unpack(_));
    real.is_ok() || is_whole
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_changes_of_any_archive_give_the_tree_that_they_should(
        base in additions(12),
        changes in prop::collection::vec((path(), change()), 1..6),
        first_has_data in any::<bool>(),
    ) {
        let mut model = tree(&base);
        let mut ramdisk = Ramdisk::parse(model.archive(first_has_data)).unwrap();
        for (path, change) in &changes {
            if !make(&mut ramdisk, &mut model, path, change) {
                // A tar that is unpacked in part leaves what nobody writes.
                return Ok(());
            }
        }
        let image = written(&ramdisk);
        let unpacked = Model::of_archive(&image);
        prop_assert_eq!(unpacked.sight(), model.sight());
        // And what is written is read as what it was.
        prop_assert_eq!(written(&Ramdisk::parse(image.clone()).unwrap()), image);
    }
}
