use std::sync::Arc;

use super::{MODE, find, layer, make_dir, make_file, names, read_all, root, user};
use crate::rootfs::testing::{TarBuilder, killed, new_directory};
use crate::rootfs::{
    CreateMode, Credential, FsError, Ino, Kind, Layer, LayerOptions, MAX_LINKS, NewNode, SetAttributes,
    SetTime,
};

#[test]
fn hard_links_of_the_lower_layer_stay_one_file() {
    let layer = layer();
    let file = find(&layer, "etc/passwd");
    assert_eq!((file.nlink, find(&layer, "etc/passwd-").ino), (2, file.ino));
    layer.write(file.ino, 0, b"R", &root()).unwrap();
    assert_eq!(read_all(&layer, find(&layer, "etc/passwd-").ino), b"Root:x:0:0\n");
    layer.remove(find(&layer, "etc").ino, b"passwd", &root()).unwrap();
    assert_eq!(layer.attributes(file.ino).unwrap().nlink, 1);
    layer.remove(find(&layer, "etc").ino, b"passwd-", &root()).unwrap();
    assert_eq!(layer.attributes(file.ino), Err(FsError::Stale));
}

#[test]
fn exclusive_create_is_repeatable_with_its_verifier_only() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    let create = |verifier| layer.create(tmp, b"f", CreateMode::Exclusive(verifier), &user(1));
    let file = create([1; 8]).unwrap().object;
    assert_eq!(create([1; 8]).unwrap().object.ino, file.ino);
    assert_eq!(create([2; 8]), Err(FsError::Exists));
}

#[test]
fn an_exclusive_create_is_repeatable_until_data_or_times_are_set_and_over_a_restart() {
    let directory = new_directory();
    let lower = Arc::new(TarBuilder::new().dir("tmp", 0o1777).index().unwrap());
    let layer = Layer::new(Arc::clone(&lower), directory.clone(), LayerOptions::default()).unwrap();
    let keep = SetAttributes::default();
    let cases: [(&str, bool, SetAttributes, &[u8]); 7] = [
        ("nothing", true, keep, b""),
        ("mode", true, MODE(0o600), b""),
        ("owner", true, SetAttributes { uid: Some(1), gid: Some(1), ..keep }, b""),
        ("size", false, SetAttributes { size: Some(0), ..keep }, b""),
        ("atime", false, SetAttributes { atime: SetTime::Now, ..keep }, b""),
        ("mtime", false, SetAttributes { mtime: SetTime::Now, ..keep }, b""),
        ("data", false, keep, b"data"),
    ];
    let create = |layer: &Layer, name: &str| {
        layer.create(Ino::ROOT, name.as_bytes(), CreateMode::Exclusive([1; 8]), &root())
    };
    for (name, _, change, data) in &cases {
        let file = create(&layer, name).unwrap().object.ino;
        layer.set_attributes(file, change, None, &root()).unwrap();
        layer.write(file, 0, data, &root()).unwrap();
    }
    let assert_repeatable = |layer: &Layer| {
        for (name, repeatable, ..) in &cases {
            assert_eq!(create(layer, name).is_ok(), *repeatable, "{name}");
        }
    };
    assert_repeatable(&layer);
    assert_repeatable(
        &Layer::open(Arc::clone(&lower), killed(&directory), LayerOptions::default()).unwrap().0,
    );
    layer.compact();
    assert_repeatable(&Layer::open(lower, killed(&directory), LayerOptions::default()).unwrap().0);
}

#[test]
fn unchecked_create_cuts_what_is_there() {
    let layer = layer();
    let etc = find(&layer, "etc").ino;
    let cut = CreateMode::Unchecked(SetAttributes { size: Some(0), ..MODE(0o777) });
    let file = layer.create(etc, b"shadow", cut, &root()).unwrap().object;
    assert_eq!((file.size, file.mode), (0, 0o600));
    assert_eq!(layer.create(etc, b"passwd", cut, &user(1)), Err(FsError::AccessDenied));
    assert_eq!(layer.create(Ino::ROOT, b"etc", cut, &root()), Err(FsError::IsDirectory));
    assert_eq!(layer.create(Ino::ROOT, b"etc", CreateMode::Guarded(MODE(0)), &root()), Err(FsError::Exists));
    assert_eq!(layer.create(Ino::ROOT, b"link", cut, &root()), Err(FsError::Exists));
}

#[test]
fn names_are_checked_by_all_that_take_one() {
    let layer = layer();
    let long = "n".repeat(256);
    let make = |name: &str| make_file(&layer, Ino::ROOT, name, 0o644, &root()).map(|file| file.kind);
    assert_eq!(make(&long), Err(FsError::NameTooLong));
    assert_eq!(make(&long[..255]), Ok(Kind::Regular));
    assert_eq!(make(".."), Err(FsError::Exists));
    let top = Ino::ROOT;
    let file = find(&layer, "etc/passwd").ino;
    for name in [&b""[..], b"a/b", b"etc/passwd", b"/", b"a\0"] {
        let of_procedures = [
            layer.lookup(top, name, &root()).map(drop),
            layer.create(top, name, CreateMode::Unchecked(MODE(0o644)), &root()).map(drop),
            layer.make_node(top, name, NewNode::Fifo, &MODE(0o644), &root()).map(drop),
            layer.link(file, top, name, &root()).map(drop),
            layer.remove(top, name, &root()).map(drop),
            layer.remove_directory(top, name, &root()).map(drop),
            layer.rename((top, name), (top, b"new"), &root()).map(drop),
            layer.rename((top, b"etc"), (top, name), &root()).map(drop),
        ];
        assert_eq!(of_procedures, [Err(FsError::AccessDenied); 8], "{name:?}");
    }
    assert_eq!(layer.lookup(Ino::ROOT, long.as_bytes(), &root()), Err(FsError::NameTooLong));
    assert_eq!(layer.lookup(Ino::ROOT, b"..", &root()).unwrap().ino, Ino::ROOT);
}

#[test]
fn special_files_keep_kind_and_numbers() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    let make =
        |name: &str, node, who: &Credential| layer.make_node(tmp, name.as_bytes(), node, &MODE(0o600), who);
    let device = make("null", NewNode::CharacterDevice(1, 3), &root()).unwrap().object;
    assert_eq!((device.kind, device.device), (Kind::CharacterDevice, (1, 3)));
    assert_eq!(make("sda", NewNode::BlockDevice(8, 0), &user(1)), Err(FsError::NotPermitted));
    assert_eq!(make("fifo", NewNode::Fifo, &user(1)).unwrap().object.kind, Kind::Fifo);
    assert_eq!(make("sock", NewNode::Socket, &user(1)).unwrap().object.kind, Kind::Socket);
    let link = make("l", NewNode::Symlink(b"target".to_vec()), &user(1)).unwrap().object;
    assert_eq!((link.mode, link.size), (0o777, 6));
    assert_eq!(layer.read_link(link.ino).unwrap().0, b"target");
    assert_eq!(make("e", NewNode::Symlink(vec![]), &user(1)), Err(FsError::Invalid));
    assert_eq!(make("e", NewNode::Symlink(vec![b'x'; 4096]), &user(1)), Err(FsError::NameTooLong));
    assert_eq!(layer.read(device.ino, 0, &mut [0], &root()).unwrap_err(), FsError::Invalid);
    assert_eq!(layer.read_link(device.ino).unwrap_err(), FsError::Invalid);
}

#[test]
fn links_are_counted_and_directories_get_none() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    let file = find(&layer, "home/mine").ino;
    assert_eq!(layer.link(file, tmp, b"l", &user(1)).unwrap().object.nlink, 2);
    assert_eq!(layer.link(file, tmp, b"l", &user(1)), Err(FsError::Exists));
    assert_eq!(layer.link(tmp, tmp, b"d", &root()), Err(FsError::IsDirectory));
    assert_eq!(find(&layer, "tmp").nlink, 2);
    make_dir(&layer, tmp, "d", 0o755, &root()).unwrap();
    assert_eq!(find(&layer, "tmp").nlink, 3);
}

#[test]
fn removing_tells_files_from_directories() {
    let layer = layer();
    let remove_dir = |name: &[u8]| layer.remove_directory(Ino::ROOT, name, &root()).map(drop);
    let remove = |name: &[u8]| layer.remove(Ino::ROOT, name, &root()).map(drop);
    assert_eq!(remove(b"etc"), Err(FsError::IsDirectory));
    assert_eq!(remove_dir(b"etc"), Err(FsError::NotEmpty));
    assert_eq!(remove_dir(b"link"), Err(FsError::NotDirectory));
    assert_eq!(remove(b"absent"), Err(FsError::NotFound));
    assert_eq!(remove_dir(b"."), Err(FsError::Invalid));
    assert_eq!(remove_dir(b".."), Err(FsError::Exists));
    assert_eq!(remove(b"."), Err(FsError::IsDirectory));
    assert_eq!(remove(b".."), Err(FsError::IsDirectory));
    let (tmp, before) = (find(&layer, "tmp").ino, layer.attributes(Ino::ROOT).unwrap().nlink);
    assert_eq!(remove_dir(b"tmp"), Ok(()));
    assert_eq!(layer.attributes(Ino::ROOT).unwrap().nlink, before - 1);
    assert_eq!(layer.attributes(tmp), Err(FsError::Stale));
    assert_eq!(make_file(&layer, tmp, "f", 0o644, &root()), Err(FsError::Stale));
}

#[test]
fn a_directory_that_has_all_subdirectories_it_can_is_moved_no_other_into() {
    let layer = layer();
    let top = Ino::ROOT;
    let full = make_dir(&layer, top, "full", 0o755, &root()).unwrap().ino;
    make_dir(&layer, full, "first", 0o755, &root()).unwrap();
    for index in layer.attributes(full).unwrap().nlink..MAX_LINKS {
        make_dir(&layer, full, &index.to_string(), 0o755, &root()).unwrap();
    }
    assert_eq!(make_dir(&layer, full, "more", 0o755, &root()), Err(FsError::TooManyLinks));
    make_file(&layer, top, "file", 0o644, &root()).unwrap();
    make_dir(&layer, top, "dir", 0o755, &root()).unwrap();
    let rename = |from: (Ino, &str), to: (Ino, &str)| {
        layer.rename((from.0, from.1.as_bytes()), (to.0, to.1.as_bytes()), &root()).map(drop)
    };
    assert_eq!(rename((top, "dir"), (full, "more")), Err(FsError::TooManyLinks));
    assert_eq!(layer.lookup(top, b"dir", &root()).unwrap().nlink, 2, "it is where it was");
    // These make none more.
    assert_eq!(rename((full, "first"), (full, "renamed")), Ok(()));
    assert_eq!(rename((top, "dir"), (full, "renamed")), Ok(()));
    assert_eq!(rename((top, "file"), (full, "file")), Ok(()));
    assert_eq!(layer.attributes(full).unwrap().nlink, MAX_LINKS);
}

#[test]
fn rename_replaces_what_fits_and_refuses_what_does_not() {
    let layer = layer();
    let top = Ino::ROOT;
    let a = make_dir(&layer, top, "a", 0o755, &root()).unwrap().ino;
    let sub = make_dir(&layer, a, "sub", 0o755, &root()).unwrap().ino;
    make_dir(&layer, top, "empty", 0o755, &root()).unwrap();
    make_file(&layer, top, "f", 0o644, &root()).unwrap();
    let rename = |from: (Ino, &str), to: (Ino, &str)| {
        layer.rename((from.0, from.1.as_bytes()), (to.0, to.1.as_bytes()), &root()).map(drop)
    };
    assert_eq!(rename((top, "a"), (sub, "x")), Err(FsError::Invalid));
    assert_eq!(rename((top, "a"), (a, "x")), Err(FsError::Invalid));
    assert_eq!(rename((top, "empty"), (top, "a")), Err(FsError::NotEmpty));
    assert_eq!(rename((top, "f"), (top, "a")), Err(FsError::IsDirectory));
    assert_eq!(rename((top, "a"), (top, "f")), Err(FsError::NotDirectory));
    assert_eq!(rename((top, "absent"), (top, "f")), Err(FsError::NotFound));
    assert_eq!(rename((top, "."), (top, "x")), Err(FsError::Invalid));
    let links = layer.attributes(top).unwrap().nlink;
    assert_eq!(rename((top, "a"), (top, "empty")), Ok(()));
    assert_eq!(layer.attributes(top).unwrap().nlink, links - 1);
    assert_eq!(find(&layer, "empty/sub").ino, sub);
    assert_eq!(rename((a, "sub"), (top, "moved")), Ok(()));
    assert_eq!(layer.lookup(sub, b"..", &root()).unwrap().ino, top);
    assert_eq!(layer.attributes(a).unwrap().nlink, 2);
}

#[test]
fn rename_of_two_names_of_one_file_does_nothing() {
    let layer = layer();
    let etc = find(&layer, "etc").ino;
    layer.rename((etc, b"passwd"), (etc, b"passwd-"), &root()).unwrap();
    assert_eq!(find(&layer, "etc/passwd").nlink, 2);
    layer.rename((etc, b"passwd"), (etc, b"shadow"), &root()).unwrap();
    assert_eq!(layer.lookup(etc, b"passwd", &root()), Err(FsError::NotFound));
    assert_eq!(read_all(&layer, find(&layer, "etc/shadow").ino), b"root:x:0:0\n");
}

#[test]
fn listings_go_on_while_names_come_and_go() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    for index in 0..100 {
        make_file(&layer, tmp, &format!("f{index:02}"), 0o644, &root()).unwrap();
    }
    let (first, complete) = names(&layer, tmp, 0, 50);
    assert!(!complete);
    assert_eq!(first[0], (1, ".".into()));
    assert_eq!(first[1], (2, "..".into()));
    for index in (0..100).step_by(2) {
        layer.remove(tmp, format!("f{index:02}").as_bytes(), &root()).unwrap();
    }
    make_file(&layer, tmp, "new", 0o644, &root()).unwrap();
    let (rest, complete) = names(&layer, tmp, first.last().unwrap().0, 1000);
    assert!(complete);
    let rest: Vec<_> = rest.into_iter().map(|(_, name)| name).collect();
    let expected = (48..100).filter(|index| index % 2 == 1).map(|index| format!("f{index:02}"));
    let expected: Vec<_> = expected.into_iter().chain(["new".to_owned()]).collect();
    assert_eq!(rest, expected);
}

#[test]
fn cookies_of_the_lower_layer_survive_the_first_change() {
    let layer = layer();
    let etc = find(&layer, "etc").ino;
    let (before, _) = names(&layer, etc, 0, 100);
    make_file(&layer, etc, "aaa", 0o644, &root()).unwrap();
    let (after, _) = names(&layer, etc, 0, 100);
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after.last().unwrap().1, "aaa");
    assert_eq!(names(&layer, etc, before[3].0, 100).0, after[4..]);
    assert_eq!(names(&layer, etc, u32::MAX, 100), (vec![], true));
}

#[test]
fn nothing_comes_after_the_last_cookie_there_can_be() {
    let layer = layer();
    let lower = names(&layer, Ino::ROOT, u32::MAX, 10);
    make_file(&layer, Ino::ROOT, "new", 0o644, &root()).unwrap();
    let changed = names(&layer, Ino::ROOT, u32::MAX, 10);
    assert_eq!((lower, changed), ((vec![], true), (vec![], true)));
}

#[test]
fn names_links_and_targets_end_where_the_memory_of_a_layer_does() {
    let layer = layer();
    let limit = 200_000;
    layer.tree.write().unwrap().memory_limit = limit;
    let file = find(&layer, "etc/passwd").ino;
    let link = |name: &str| layer.link(file, Ino::ROOT, name.as_bytes(), &root());
    let count = (0..).find(|index| link(&format!("{index:0>200}")).is_err()).unwrap();
    assert!((400..limit / 200).contains(&count), "{count} names");
    assert_eq!(link(&"n".repeat(200)), Err(FsError::NoSpace));
    let long = NewNode::Symlink(vec![b'x'; 4095]);
    let make =
        |node: &NewNode| layer.make_node(Ino::ROOT, b"s", node.clone(), &SetAttributes::default(), &root());
    assert_eq!(make(&long), Err(FsError::NoSpace));
    assert_eq!(layer.usage().free_inodes, 0);
    // What goes makes room.
    for index in 0..20 {
        layer.remove(Ino::ROOT, format!("{index:0>200}").as_bytes(), &root()).unwrap();
    }
    make(&long).unwrap();
    assert!((1..20).contains(&layer.usage().free_inodes), "{:?}", layer.usage());
}
