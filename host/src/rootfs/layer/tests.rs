use std::ops::ControlFlow;

use super::*;
use crate::rootfs::testing::{TarBuilder, layer_of};
use crate::rootfs::{Attributes, Credential, FsError, Ino, Kind, Lower, SetAttributes, SetTime, Timestamp};

const MODE: fn(u32) -> SetAttributes = SetAttributes::with_mode;

fn root() -> Credential {
    Credential::root()
}

fn user(uid: u32) -> Credential {
    Credential { uid, gid: uid, gids: vec![] }
}

fn layer() -> Layer {
    layer_of(
        TarBuilder::new()
            .dir("tmp", 0o1777)
            .dir("etc", 0o755)
            .file("etc/passwd", b"root:x:0:0\n")
            .file_as("etc/shadow", 0o600, 0, b"secret")
            .file_as("home/mine", 0o644, 1000, b"mine")
            .hard_link("etc/passwd-", "etc/passwd")
            .symlink("link", "etc/passwd"),
    )
}

fn find(layer: &Layer, path: &str) -> Attributes {
    let found = |dir: Attributes, name: &str| layer.lookup(dir.ino, name.as_bytes(), &root()).unwrap();
    path.split('/').fold(layer.attributes(Ino::ROOT).unwrap(), found)
}

fn make_file(
    layer: &Layer,
    dir: Ino,
    name: &str,
    mode: u32,
    who: &Credential,
) -> Result<Attributes, FsError> {
    layer.create(dir, name.as_bytes(), CreateMode::Guarded(MODE(mode)), who).map(|created| created.object)
}

fn make_dir(layer: &Layer, dir: Ino, name: &str, mode: u32, who: &Credential) -> Result<Attributes, FsError> {
    layer.make_node(dir, name.as_bytes(), NewNode::Directory, &MODE(mode), who).map(|created| created.object)
}

fn read_all(layer: &Layer, ino: Ino) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let outcome = layer.read(ino, 0, &mut buffer, &root()).unwrap();
    assert!(outcome.eof);
    buffer.truncate(outcome.count);
    buffer
}

fn names(layer: &Layer, dir: Ino, after: u32, max: usize) -> (Vec<(u32, String)>, bool) {
    let mut names = Vec::new();
    let end = layer.read_directory(dir, after, &root(), &mut |entry| {
        if names.len() == max {
            return ControlFlow::Break(());
        }
        names.push((entry.cookie, String::from_utf8_lossy(entry.name).into_owned()));
        ControlFlow::Continue(())
    });
    (names, end.unwrap().complete)
}

#[test]
fn a_write_shows_in_its_layer_and_in_no_other() {
    let lower: std::sync::Arc<Lower> =
        std::sync::Arc::new(TarBuilder::new().file("f", b"lower").index().unwrap());
    let one = Layer::new(lower.clone(), std::env::temp_dir()).unwrap();
    let two = Layer::new(lower, std::env::temp_dir()).unwrap();
    let file = find(&one, "f");
    let pair = one.write(file.ino, 3, b"WER and more", &root()).unwrap();
    assert_eq!((pair.before.size, pair.after.size), (5, 15));
    assert!(pair.after.mtime > pair.before.mtime);
    assert_eq!(read_all(&one, file.ino), b"lowWER and more");
    assert_eq!(read_all(&two, file.ino), b"lower");
}

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
fn exclusive_create_is_repeatable_with_its_verifier_only() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    let create = |verifier| layer.create(tmp, b"f", CreateMode::Exclusive(verifier), &user(1));
    let file = create([1; 8]).unwrap().object;
    assert_eq!(create([1; 8]).unwrap().object.ino, file.ino);
    assert_eq!(create([2; 8]), Err(FsError::Exists));
    layer.set_attributes(file.ino, &MODE(0o600), None, &user(1)).unwrap();
    assert_eq!(create([1; 8]), Err(FsError::Exists));
}

#[test]
fn unchecked_create_cuts_what_is_there() {
    let layer = layer();
    let etc = find(&layer, "etc").ino;
    let cut = CreateMode::Unchecked(SetAttributes { size: Some(0), ..MODE(0o777) });
    let file = layer.create(etc, b"shadow", cut, &root()).unwrap().object;
    assert_eq!((file.size, file.mode), (0, 0o600));
    assert_eq!(layer.create(etc, b"passwd", cut, &user(1)), Err(FsError::AccessDenied));
    assert_eq!(layer.create(Ino::ROOT, b"etc", cut, &root()), Err(FsError::Exists));
    assert_eq!(layer.create(Ino::ROOT, b"link", cut, &root()), Err(FsError::Exists));
}

#[test]
fn names_are_checked() {
    let layer = layer();
    let long = "n".repeat(256);
    let make = |name: &str| make_file(&layer, Ino::ROOT, name, 0o644, &root()).map(|file| file.kind);
    assert_eq!(make(&long), Err(FsError::NameTooLong));
    assert_eq!(make(&long[..255]), Ok(Kind::Regular));
    for (name, error) in [
        ("", FsError::Invalid),
        ("a/b", FsError::Invalid),
        ("a\0", FsError::Invalid),
        ("..", FsError::Exists),
    ] {
        assert_eq!(
            make(name).err(),
            Some(if name.is_empty() { FsError::Invalid } else { error }),
            "{name:?}"
        );
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

#[test]
fn files_are_cut_and_grow_by_holes() {
    let layer = layer();
    let file = find(&layer, "home/mine").ino;
    let size = |size| SetAttributes { size: Some(size), ..SetAttributes::default() };
    layer.set_attributes(file, &size(2), None, &user(1000)).unwrap();
    layer.set_attributes(file, &size(5), None, &user(1000)).unwrap();
    assert_eq!(read_all(&layer, file), b"mi\0\0\0");
    assert_eq!(layer.set_attributes(file, &size(0), None, &user(1)), Err(FsError::AccessDenied));
    assert_eq!(layer.set_attributes(Ino::ROOT, &size(0), None, &root()), Err(FsError::IsDirectory));
    assert_eq!(layer.set_attributes(file, &size(u64::MAX), None, &root()), Err(FsError::FileTooLarge));
    assert_eq!(layer.write(file, u64::MAX, b"xx", &root()), Err(FsError::FileTooLarge));
    assert_eq!(layer.read(file, u64::MAX, &mut [0; 4], &root()).unwrap().count, 0);
    assert_eq!(layer.read(Ino::ROOT, 0, &mut [0; 4], &root()).unwrap_err(), FsError::IsDirectory);
}

#[test]
fn links_are_counted_and_directories_get_none() {
    let layer = layer();
    let tmp = find(&layer, "tmp").ino;
    let file = find(&layer, "home/mine").ino;
    assert_eq!(layer.link(file, tmp, b"l", &user(1)).unwrap().object.nlink, 2);
    assert_eq!(layer.link(file, tmp, b"l", &user(1)), Err(FsError::Exists));
    assert_eq!(layer.link(tmp, tmp, b"d", &root()), Err(FsError::NotPermitted));
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
    let (tmp, before) = (find(&layer, "tmp").ino, layer.attributes(Ino::ROOT).unwrap().nlink);
    assert_eq!(remove_dir(b"tmp"), Ok(()));
    assert_eq!(layer.attributes(Ino::ROOT).unwrap().nlink, before - 1);
    assert_eq!(layer.attributes(tmp), Err(FsError::Stale));
    assert_eq!(make_file(&layer, tmp, "f", 0o644, &root()), Err(FsError::Stale));
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
fn the_budget_and_the_disk_directory_are_given_back() {
    let place = tempfile::tempdir().unwrap();
    let upper = place.path().join("upper/layer");
    let lower = std::sync::Arc::new(TarBuilder::new().file("f", b"x").index().unwrap());
    let layer = Layer::with_budget(lower, upper.clone(), 8192).unwrap();
    let file = make_file(&layer, Ino::ROOT, "big", 0o644, &root()).unwrap().ino;
    layer.write(file, 0, &[1; 8192], &root()).unwrap();
    assert_eq!(layer.write(file, 8192, b"x", &root()), Err(FsError::NoSpace));
    assert_eq!(layer.usage().free_bytes, 0);
    layer.remove(Ino::ROOT, b"big", &root()).unwrap();
    assert_eq!(layer.usage().free_bytes, 8192);
    assert_eq!(std::fs::read_dir(&upper).unwrap().count(), 0);
    drop(layer);
    assert!(!upper.exists());
}

#[test]
fn parallel_writers_of_one_file_lose_nothing() {
    let layer = layer();
    let file = find(&layer, "etc/passwd").ino;
    std::thread::scope(|scope| {
        for index in 0..8_u8 {
            let layer = &layer;
            scope.spawn(move || {
                for step in 0..50_u64 {
                    let at = (step * 8 + u64::from(index)) * 1000;
                    layer.write(file, at, &[index + 1; 1000], &Credential::root()).unwrap();
                }
            });
        }
    });
    let mut bytes = vec![0; 400_000];
    assert_eq!(layer.read(file, 0, &mut bytes, &root()).unwrap().count, 400_000);
    for (place, chunk) in bytes.chunks(1000).enumerate() {
        assert!(chunk.iter().all(|byte| usize::from(*byte) == place % 8 + 1), "{place}");
    }
}
