use std::ops::ControlFlow;

use super::{MODE, find, layer, make_dir, make_file, root, user};
use crate::rootfs::{
    CreateMode, Credential, DirectoryEntry, FsError, Ino, NewNode, Permissions, SetAttributes, SetTime,
    Timestamp,
};

#[test]
fn permission_is_by_owner_group_and_others() {
    let layer = layer();
    let shadow = find(&layer, "etc/shadow").ino;
    let mut buffer = [0; 4];
    assert_eq!(layer.read(shadow, 0, &mut buffer, &user(1000)).unwrap_err(), FsError::AccessDenied);
    assert_eq!(layer.write(shadow, 0, b"x", &user(1000)).unwrap_err(), FsError::AccessDenied);
    assert_eq!(layer.set_attributes(shadow, &MODE(0o666), None, &user(1000)), Err(FsError::NotPermitted));
    layer.set_attributes(shadow, &SetAttributes { gid: Some(42), ..MODE(0o640) }, None, &root()).unwrap();
    let member = Credential { gids: vec![7, 42], ..user(1000) };
    layer.read(shadow, 0, &mut buffer, &member).unwrap();
    let (permissions, _) = layer.permissions(shadow, &member).unwrap();
    assert_eq!(permissions, Permissions { read: true, write: false, execute: false });
    let (permissions, _) = layer.permissions(shadow, &root()).unwrap();
    assert_eq!(permissions, Permissions { read: true, write: true, execute: false });
}

#[test]
fn an_owner_writes_what_the_mode_forbids_and_execution_implies_reading() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    let file = make_file(&layer, tmp, "f", 0o000, &user(1000)).unwrap();
    layer.write(file.ino, 0, b"x", &user(1000)).unwrap();
    layer.commit_file(file.ino, &user(1000)).unwrap();
    assert_eq!(layer.commit_file(file.ino, &user(1001)), Err(FsError::AccessDenied));
    assert_eq!(layer.read(file.ino, 0, &mut [0; 1], &user(1001)).unwrap_err(), FsError::AccessDenied);
    layer.set_attributes(file.ino, &MODE(0o711), None, &user(1000)).unwrap();
    assert_eq!(layer.read(file.ino, 0, &mut [0; 1], &user(1001)).unwrap().count, 1);
}

#[test]
fn a_directory_without_search_permission_hides_its_names() {
    let layer = layer();
    let dir = make_dir(&layer, Ino::ROOT, "private", 0o700, &root()).unwrap().ino;
    make_file(&layer, dir, "f", 0o644, &root()).unwrap();
    assert_eq!(layer.lookup(dir, b"f", &user(1)), Err(FsError::AccessDenied));
    assert_eq!(layer.remove(dir, b"f", &user(1)), Err(FsError::AccessDenied));
    assert_eq!(make_file(&layer, dir, "g", 0o644, &user(1)), Err(FsError::AccessDenied));
    let mut show = |_: DirectoryEntry<'_>| ControlFlow::Continue(());
    assert_eq!(layer.read_directory(dir, 0, &user(1), &mut show), Err(FsError::AccessDenied));
}

#[test]
fn in_a_sticky_directory_only_owners_remove_and_move() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    make_file(&layer, tmp, "f", 0o666, &user(1)).unwrap();
    make_file(&layer, tmp, "g", 0o666, &user(2)).unwrap();
    assert_eq!(layer.remove(tmp, b"f", &user(2)), Err(FsError::NotPermitted));
    assert_eq!(layer.rename((tmp, b"f"), (tmp, b"h"), &user(2)), Err(FsError::NotPermitted));
    assert_eq!(layer.rename((tmp, b"g"), (tmp, b"f"), &user(2)), Err(FsError::NotPermitted));
    layer.remove(tmp, b"f", &user(1)).unwrap();
    layer.remove(tmp, b"g", &root()).unwrap();
}

#[test]
fn chown_is_the_superusers_and_takes_set_ids_away() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    let file = make_file(&layer, tmp, "f", 0o755, &user(1)).unwrap().ino;
    let to = |uid, gid| SetAttributes { uid, gid, ..SetAttributes::default() };
    assert_eq!(layer.set_attributes(file, &to(Some(2), None), None, &user(1)), Err(FsError::NotPermitted));
    assert_eq!(layer.set_attributes(file, &to(None, Some(9)), None, &user(1)), Err(FsError::NotPermitted));
    layer.set_attributes(file, &MODE(0o6755), None, &user(1)).unwrap();
    let member = Credential { gids: vec![9], ..user(1) };
    let after = layer.set_attributes(file, &to(None, Some(9)), None, &member).unwrap().after;
    assert_eq!((after.gid, after.mode), (9, 0o755));
    layer.set_attributes(file, &to(Some(2), Some(2)), None, &root()).unwrap();
    assert_eq!(layer.attributes(file).unwrap().uid, 2);
}

#[test]
fn writing_takes_set_ids_away_unless_by_root() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    let file = make_file(&layer, tmp, "f", 0o6777, &user(1)).unwrap();
    assert_eq!(file.mode, 0o6777);
    assert_eq!(layer.write(file.ino, 0, b"x", &root()).unwrap().after.mode, 0o6777);
    assert_eq!(layer.write(file.ino, 0, b"x", &user(2)).unwrap().after.mode, 0o777);
    let outside =
        layer.set_attributes(file.ino, &SetAttributes { gid: Some(9), ..MODE(0o755) }, None, &root());
    assert_eq!(outside.unwrap().after.gid, 9);
    assert_eq!(layer.set_attributes(file.ino, &MODE(0o2755), None, &user(1)).unwrap().after.mode, 0o755);
}

#[test]
fn a_set_group_id_directory_hands_its_group_down() {
    let layer = layer();
    let dir = make_dir(&layer, Ino::ROOT, "shared", 0o2777, &root()).unwrap().ino;
    layer.set_attributes(dir, &SetAttributes { gid: Some(50), ..MODE(0o2777) }, None, &root()).unwrap();
    let file = make_file(&layer, dir, "f", 0o2775, &user(1)).unwrap();
    assert_eq!((file.uid, file.gid, file.mode), (1, 50, 0o775));
    let sub = make_dir(&layer, dir, "d", 0o755, &user(1)).unwrap();
    assert_eq!((sub.gid, sub.mode), (50, 0o2755));
}

#[test]
fn who_makes_an_object_gives_it_to_nobody_else_and_to_groups_of_its_own() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    let member = Credential { gids: vec![9], ..user(1) };
    let asked = |uid, gid| SetAttributes { uid: Some(uid), gid: Some(gid), ..MODE(0o640) };
    for (index, (who, uid, gid, given)) in
        [(&member, 2, 3, (1, 1)), (&member, 0, 9, (1, 9)), (&root(), 2, 3, (2, 3))].into_iter().enumerate()
    {
        let file = format!("f{index}");
        let how = CreateMode::Guarded(asked(uid, gid));
        let file = layer.create(tmp, file.as_bytes(), how, who).unwrap().object;
        let dir = format!("d{index}");
        let dir = layer.make_node(tmp, dir.as_bytes(), NewNode::Directory, &asked(uid, gid), who);
        let dir = dir.unwrap().object;
        assert_eq!([(file.uid, file.gid), (dir.uid, dir.gid)], [given; 2]);
        assert_eq!((file.mode, dir.mode), (0o640, 0o640));
    }
}

#[test]
fn times_are_set_by_owner_or_now_by_writer() {
    let layer = layer();
    let file = find(&layer, "home/mine").ino;
    let at = Timestamp { seconds: 5, nanoseconds: 999_999_999 };
    let times = |time| SetAttributes { atime: time, mtime: time, ..SetAttributes::default() };
    let after = layer.set_attributes(file, &times(SetTime::To(at)), None, &user(1000)).unwrap().after;
    assert_eq!((after.atime, after.mtime), (at, at));
    assert!(after.ctime > at);
    assert_eq!(
        layer.set_attributes(file, &times(SetTime::To(at)), None, &user(1)),
        Err(FsError::NotPermitted)
    );
    assert_eq!(layer.set_attributes(file, &times(SetTime::Now), None, &user(1)), Err(FsError::AccessDenied));
    layer.set_attributes(file, &MODE(0o666), None, &user(1000)).unwrap();
    layer.set_attributes(file, &times(SetTime::Now), None, &user(1)).unwrap();
    assert_eq!(layer.set_attributes(file, &MODE(0), Some(at), &root()), Err(FsError::NotSync));
}
