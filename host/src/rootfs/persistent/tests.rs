use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::rootfs::testing::{TarBuilder, killed};
use crate::rootfs::{CallId, CreateMode, Durability, FsError, LayerOptions, SetAttributes, remove_kept};

const BOARD: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 7, 2));
const OPTIONS: LayerOptions = LayerOptions { budget: 1 << 20, durability: Durability::Power };

fn lower() -> Arc<Lower> {
    let tar = TarBuilder::new().dir("root", 0o700).dir("etc", 0o755).file("etc/hostname", b"board\n");
    Arc::new(tar.index().unwrap())
}

/// The job whose nodes' ids begin with `id_prefix`, on the tar with this checksum.
fn job(id_prefix: &str, sha256: &str) -> Origin {
    Origin {
        url: format!("https://files.example.org/{sha256}.tar"),
        tar: "/cache/rootfs.tar".into(),
        sha256: sha256.to_owned(),
        board: BOARD,
        export: format!("/{id_prefix}00/rootfs"),
        root: String::new(),
        server: (BOARD, 2049).into(),
        options: OPTIONS,
        id_prefix: id_prefix.to_owned(),
    }
}

/// What the runner writes for the node `id`.
fn write_overlay(layer: &Layer, id: &str) {
    layer.make_dirs(format!("/lava-{id}/bin"), 0o755).unwrap();
    layer.write_file(format!("/lava-{id}/bin/lava-agent"), 0o755, b"agent").unwrap();
    layer.make_dirs("/root/.ssh", 0o700).unwrap();
    layer
        .append_file(AUTHORIZED_KEYS, 0o600, format!("ssh-ed25519 KEY host-runner {id}\n").as_bytes())
        .unwrap();
}

fn names(layer: &Layer) -> Vec<String> {
    let mut names = Vec::new();
    let show = &mut |entry: crate::rootfs::DirectoryEntry<'_>| {
        names.push(String::from_utf8_lossy(entry.name).into_owned());
        ControlFlow::Continue(())
    };
    layer.read_directory(Ino::ROOT, 2, &Credential::root(), show).unwrap();
    names.sort();
    names
}

#[test]
fn the_next_job_finds_what_the_last_has_left_without_what_the_runner_had_put_there() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("build");
    let (layer, _) = job("1700000001", "one").open_persistent(lower(), &directory).unwrap();
    write_overlay(&layer, "170000000100");
    // A guest's, and what is not the runner's.
    write_overlay(&layer, "170000000101");
    layer.make_dirs("/lava-of-the-user", 0o755).unwrap();
    layer.make_dirs("/lava-1700000002", 0o755).unwrap();
    layer.append_file(AUTHORIZED_KEYS, 0o600, b"ssh-ed25519 KEY someone\n").unwrap();
    layer.write_file("/root/result", 0o644, b"left").unwrap();
    let (id, result) = (layer.id(), layer.find("/root/result").unwrap());
    drop(layer);

    let (layer, repairs) = job("1700000005", "one").open_persistent(lower(), &directory).unwrap();
    assert_eq!(repairs, []);
    assert_eq!(names(&layer), ["etc", "lava-1700000002", "lava-of-the-user", "root"]);
    assert_eq!(layer.read_file(AUTHORIZED_KEYS, 1000).unwrap().unwrap(), b"ssh-ed25519 KEY someone\n");
    assert_eq!(layer.read_file("/root/result", 10).unwrap().unwrap(), b"left");
    // The same handles.
    assert_eq!((layer.id(), layer.find("/root/result").unwrap()), (id, result));
    assert_eq!(layer.durability(), Durability::Power);
}

#[test]
fn a_run_that_is_killed_at_any_time_leaves_it_usable() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("build");
    // While it was being made: there is no description yet.
    let (layer, _) = job("1700000001", "one").open_persistent(lower(), &directory).unwrap();
    let half = place.path().join("half");
    fs::create_dir(&half).unwrap();
    fs::rename(killed(&directory.join("layer")), half.join("layer")).unwrap();
    let (made, _) = job("1700000002", "one").open_persistent(lower(), &half).unwrap();
    assert_eq!(names(&made), ["etc", "root"]);
    // While a job was writing.
    write_overlay(&layer, "170000000100");
    layer.write_file("/root/result", 0o644, b"left").unwrap();
    let after = place.path().join("after");
    fs::create_dir(&after).unwrap();
    fs::rename(killed(&directory.join("layer")), after.join("layer")).unwrap();
    fs::copy(directory.join("origin.json"), after.join("origin.json")).unwrap();
    let (again, repairs) = job("1700000003", "one").open_persistent(lower(), &after).unwrap();
    assert_eq!(repairs, []);
    assert_eq!(names(&again), ["etc", "root"]);
    assert_eq!(again.read_file("/root/result", 10).unwrap().unwrap(), b"left");
}

#[test]
fn another_tar_is_refused_and_leaves_it_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("build");
    drop(job("1700000001", "one").open_persistent(lower(), &directory).unwrap());
    let error = job("1700000002", "two").open_persistent(lower(), &directory).unwrap_err();
    let told = error.to_string();
    assert!(told.contains("https://files.example.org/one.tar (SHA-256 one)"), "{told}");
    job("1700000003", "one").open_persistent(lower(), &directory).unwrap();
}

#[test]
fn the_calls_of_the_last_jobs_board_are_forgotten() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("build");
    let call = CallId { xid: 7, checksum: 7 };
    let who = Credential { call: Some(call), ..Credential::root() };
    let (layer, _) = job("1700000001", "one").open_persistent(lower(), &directory).unwrap();
    let how = CreateMode::Guarded(SetAttributes::with_mode(0o644));
    layer.create(Ino::ROOT, b"made", how, &who).unwrap();
    let (copy, _) = Layer::open(lower(), killed(&layer_directory(&directory)), OPTIONS).unwrap();
    assert!(copy.has_carried_out_earlier(call));
    drop(layer);
    let (layer, _) = job("1700000002", "one").open_persistent(lower(), &directory).unwrap();
    assert!(!layer.has_carried_out_earlier(call));
    assert_eq!(layer.create(Ino::ROOT, b"made", how, &who), Err(FsError::Exists));
    drop(layer);
    let (layer, _) = Layer::open(lower(), layer_directory(&directory), OPTIONS).unwrap();
    layer.keep();
    assert!(!layer.has_carried_out_earlier(call), "the log has forgotten it too");
}

#[test]
fn those_that_are_there_are_listed_by_name_and_one_in_use_is_not_removed() {
    let place = tempfile::tempdir().unwrap();
    assert!(list_persistent(&place.path().join("missing")).unwrap().is_empty());
    fs::create_dir(place.path().join("not-one")).unwrap();
    let (layer, _) = job("1700000001", "b").open_persistent(lower(), &place.path().join("b")).unwrap();
    layer.write_file("/root/result", 0o644, &[7; 100_000]).unwrap();
    drop(job("1700000001", "a").open_persistent(lower(), &place.path().join("a")).unwrap());
    let damaged = place.path().join("damaged");
    drop(job("1700000001", "damaged").open_persistent(lower(), &damaged).unwrap());
    fs::remove_dir_all(layer_directory(&damaged)).unwrap();
    fs::write(layer_directory(&damaged), b"no directory").unwrap();
    let list = list_persistent(place.path()).unwrap();
    let shown: Vec<_> = list.iter().map(|one| (one.name.as_str(), one.origin.sha256.as_str())).collect();
    assert_eq!(shown, [("a", "a"), ("b", "b")]);
    assert!(list[1].changed_bytes >= 100_000 && list[0].changed_bytes < 100_000, "{list:?}");
    assert!(list.iter().all(|one| one.used > SystemTime::UNIX_EPOCH));

    let error = remove_kept(&place.path().join("b")).unwrap_err();
    assert!(error.to_string().contains("another process is using"), "{error}");
    drop(layer);
    remove_kept(&place.path().join("b")).unwrap();
    assert!(matches!(remove_kept(&place.path().join("b")), Err(KeptError::Absent { .. })));
    assert_eq!(list_persistent(place.path()).unwrap().len(), 1);
}
