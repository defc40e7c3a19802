//! A layer that is opened again is what it was: after a kill at any moment, a torn log, a log written anew.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::{find, make_dir, make_file, read_all, root};
use crate::rootfs::layer::check::Repair;
use crate::rootfs::testing::{TarBuilder, killed, new_directory, sight};
use crate::rootfs::{
    CallId, CreateMode, Credential, Durability, FsError, Ino, Kind, Layer, LayerOptions, Lower, NewNode,
    RootfsError, SetAttributes,
};

fn lower() -> Arc<Lower> {
    let tar = TarBuilder::new()
        .dir("etc", 0o755)
        .file("etc/passwd", &[7; 10_000])
        .hard_link("etc/passwd-", "etc/passwd")
        .symlink("link", "etc/passwd")
        .dir("empty", 0o755);
    Arc::new(tar.index().unwrap())
}

fn open(directory: &Path) -> (Layer, Vec<Repair>) {
    Layer::open(lower(), directory.to_owned(), LayerOptions::default()).unwrap()
}

#[test]
fn what_was_answered_outlives_a_kill() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
    let passwd = find(&layer, "etc/passwd").ino;
    layer.write(passwd, 5000, b"changed", &root()).unwrap();
    let cut = SetAttributes { size: Some(6000), ..SetAttributes::default() };
    layer.set_attributes(passwd, &cut, None, &root()).unwrap();
    let etc = find(&layer, "etc").ino;
    let new = make_file(&layer, etc, "new", 0o600, &root()).unwrap().ino;
    layer.write(new, 20_000, b"behind a hole", &root()).unwrap();
    let dir = make_dir(&layer, Ino::ROOT, "dir", 0o1777, &root()).unwrap().ino;
    layer.rename((etc, b"new"), (dir, b"moved"), &root()).unwrap();
    layer.make_node(dir, b"fifo", NewNode::Fifo, &SetAttributes::with_mode(0o640), &root()).unwrap();
    layer
        .make_node(dir, b"zero", NewNode::CharacterDevice(1, 5), &SetAttributes::default(), &root())
        .unwrap();
    layer
        .make_node(dir, b"to", NewNode::Symlink(b"../etc".to_vec()), &SetAttributes::default(), &root())
        .unwrap();
    layer.link(passwd, dir, b"third", &root()).unwrap();
    layer.remove(Ino::ROOT, b"link", &root()).unwrap();
    layer.remove_directory(Ino::ROOT, b"empty", &root()).unwrap();
    layer.create(dir, b"once", CreateMode::Exclusive(*b"verifier"), &root()).unwrap();
    let before = sight(&layer);

    let copy = killed(&directory);
    let (again, repairs) = open(&copy);

    assert_eq!(repairs, []);
    assert_eq!(sight(&again), before);
    assert_eq!((again.id(), again.write_verifier()), (layer.id(), layer.write_verifier()));
    assert_eq!(again.usage().used_bytes, layer.usage().used_bytes);
    again.create(dir, b"once", CreateMode::Exclusive(*b"verifier"), &root()).unwrap();
    let next = make_file(&again, dir, "next", 0o644, &root()).unwrap().ino;
    assert_eq!(next, make_file(&layer, dir, "next", 0o644, &root()).unwrap().ino);
}

#[test]
fn what_was_not_committed_is_written_again_to_the_next_process_where_power_counts() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), POWER).unwrap();
    // The disk of this one may have lost it, and would not say so to the next.
    let (again, _) = Layer::open(lower(), killed(&directory), POWER).unwrap();
    assert_eq!(again.id(), layer.id());
    assert_ne!(again.write_verifier(), layer.write_verifier());
}

/// The layer as a power failure may leave it: the log as long as it was when it was synced, the data as they are.
fn after_power_failure(directory: &Path, synced: u64) -> Layer {
    let copy = killed(directory);
    fs::OpenOptions::new().write(true).open(copy.join("log")).unwrap().set_len(synced).unwrap();
    Layer::open(lower(), copy, POWER).unwrap().0
}

const POWER: LayerOptions = LayerOptions { budget: 8 * 4096, durability: Durability::Power };

#[test]
fn what_was_committed_is_whole_after_a_power_failure_whatever_was_not() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), POWER).unwrap();
    let file = make_file(&layer, Ino::ROOT, "committed", 0o644, &root()).unwrap().ino;
    layer.write(file, 0, &[1; 16_384], &root()).unwrap();
    layer.commit().unwrap();
    let synced = fs::metadata(directory.join("log")).unwrap().len();
    layer.remove(Ino::ROOT, b"committed", &root()).unwrap();
    let other = make_file(&layer, Ino::ROOT, "other", 0o644, &root()).unwrap().ino;
    layer.write(other, 0, &[2; 16_384], &root()).unwrap();
    let again = after_power_failure(&directory, synced);
    assert_eq!(read_all(&again, find(&again, "committed").ino), [1; 16_384]);
    // What waits for the log counts as free, and is taken when nothing else is left.
    assert_eq!(layer.usage().free_bytes, 16_384);
    layer.write(other, 16_384, &[3; 16_384], &root()).unwrap();
    assert_eq!(layer.write(other, 32_768, &[4], &root()), Err(FsError::NoSpace));
    let synced = fs::metadata(directory.join("log")).unwrap().len();
    let again = after_power_failure(&directory, synced);
    assert_eq!(again.lookup(Ino::ROOT, b"committed", &root()), Err(FsError::NotFound));
    assert_eq!(read_all(&again, other), [[2; 16_384], [3; 16_384]].concat());
}

#[test]
fn a_layer_that_is_kept_can_be_opened_and_one_that_is_not_is_gone() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
    make_file(&layer, Ino::ROOT, "kept", 0o644, &root()).unwrap();
    let in_use = Layer::open(lower(), directory.clone(), LayerOptions::default()).unwrap_err();
    assert!(matches!(in_use, RootfsError::InUse { .. }), "{in_use}");
    layer.keep();
    drop(layer);
    let other = Arc::new(TarBuilder::new().file("other", b"").index().unwrap());
    let other = Layer::open(other, directory.clone(), LayerOptions::default()).unwrap_err();
    assert!(matches!(other, RootfsError::OtherLower { .. }), "{other}");
    let (layer, _) = open(&directory);
    find(&layer, "kept");
    drop(layer);
    assert!(!directory.exists());
}

#[test]
fn a_forgotten_inode_number_is_never_given_again() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
    let gone = make_file(&layer, Ino::ROOT, "gone", 0o644, &root()).unwrap().ino;
    layer.remove(Ino::ROOT, b"gone", &root()).unwrap();
    layer.compact();
    layer.keep();
    drop(layer);
    let (layer, _) = open(&directory);
    assert_eq!(layer.attributes(gone), Err(FsError::Stale));
    assert_ne!(make_file(&layer, Ino::ROOT, "new", 0o644, &root()).unwrap().ino, gone);
}

#[test]
fn a_log_that_another_operation_has_written_anew_is_not_written_again() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
    make_file(&layer, Ino::ROOT, "new", 0o644, &root()).unwrap();
    // Held open, so that no other file gets its number.
    let log = fs::File::open(directory.join("log")).unwrap();
    let is_same = || fs::metadata(directory.join("log")).unwrap().ino() == log.metadata().unwrap().ino();
    layer.compact_if_long();
    assert!(is_same(), "it is not long");
    layer.compact();
    assert!(!is_same());
}

#[test]
fn a_log_cut_anywhere_gives_a_whole_tree() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
    let start = fs::metadata(directory.join("log")).unwrap().len();
    let dir = make_dir(&layer, Ino::ROOT, "dir", 0o755, &root()).unwrap().ino;
    for name in ["a", "b"] {
        let file = make_file(&layer, dir, name, 0o644, &root()).unwrap().ino;
        layer.write(file, 0, name.repeat(5000).as_bytes(), &root()).unwrap();
    }
    layer.rename((dir, b"a"), (dir, b"b"), &root()).unwrap();
    let end = fs::metadata(directory.join("log")).unwrap().len();
    let mut torn = 0;
    for cut in start..end {
        let copy = killed(&directory);
        fs::OpenOptions::new().write(true).open(copy.join("log")).unwrap().set_len(cut).unwrap();
        let (layer, repairs) = open(&copy);
        assert!(repairs.iter().all(|repair| matches!(repair, Repair::TornLog { .. })), "{cut}: {repairs:?}");
        torn += usize::from(!repairs.is_empty());
        sight(&layer);
    }
    assert!(torn > 100, "{torn} of {} cuts fell into an operation", end - start);
}

/// The superuser by the call number `xid`.
fn caller(xid: u32) -> Credential {
    Credential { call: Some(CallId { xid, checksum: !xid }), ..root() }
}

fn knows(layer: &Layer, xid: u32) -> bool {
    caller(xid).call.is_some_and(|call| layer.has_carried_out_earlier(call))
}

#[test]
fn a_call_counts_together_with_what_it_changed_or_not_at_all() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
    let start = fs::metadata(directory.join("log")).unwrap().len();
    let etc = find(&layer, "etc").ino;
    let passwd = find(&layer, "etc/passwd").ino;
    let cut = SetAttributes { size: Some(5), ..SetAttributes::with_mode(0o600) };
    layer.set_attributes(passwd, &cut, None, &caller(1)).unwrap();
    layer.create(etc, b"new", CreateMode::Guarded(cut), &caller(2)).unwrap();
    layer.link(passwd, Ino::ROOT, b"third", &caller(3)).unwrap();
    layer.rename((etc, b"new"), (Ino::ROOT, b"link"), &caller(4)).unwrap();
    layer.remove_directory(Ino::ROOT, b"empty", &caller(5)).unwrap();
    layer.remove(Ino::ROOT, b"missing", &caller(6)).unwrap_err();
    let end = fs::metadata(directory.join("log")).unwrap().len();
    let mut known_at_cuts = std::collections::BTreeSet::new();
    for cut in start..=end {
        let copy = killed(&directory);
        fs::OpenOptions::new().write(true).open(copy.join("log")).unwrap().set_len(cut).unwrap();
        let (layer, _) = open(&copy);
        let there = |dir, name: &[u8]| layer.lookup(dir, name, &root()).is_ok();
        let carried_out = [
            layer.attributes(passwd).unwrap().mode == 0o600,
            there(etc, b"new") || layer.attributes(find(&layer, "link").ino).unwrap().kind == Kind::Regular,
            there(Ino::ROOT, b"third"),
            find(&layer, "link").kind == Kind::Regular,
            !there(Ino::ROOT, b"empty"),
            false,
        ];
        let known = [1, 2, 3, 4, 5, 6].map(|xid| knows(&layer, xid));
        assert_eq!(known, carried_out, "cut at {cut} of {end}");
        known_at_cuts.insert(known);
    }
    assert_eq!(known_at_cuts.len(), 6, "none of five, one after the other, all");
}

#[test]
fn a_call_is_known_after_the_log_was_written_anew() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
    for xid in 0..1030 {
        make_dir(&layer, Ino::ROOT, &format!("d{xid}"), 0o755, &caller(xid)).unwrap();
    }
    layer.compact();
    layer.remove_directory(Ino::ROOT, b"d0", &caller(2000)).unwrap();
    let (again, _) = open(&killed(&directory));
    assert!((7..1030).chain([2000]).all(|xid| knows(&again, xid)));
    assert!(!(0..7).any(|xid| knows(&again, xid)), "1024 are remembered");
    assert!(
        !again.has_carried_out_earlier(CallId { xid: 2000, checksum: 0 }),
        "another call with the same number"
    );
}

#[test]
fn a_call_that_must_not_be_carried_out_twice_costs_at_most_eleven_bytes_of_the_log() {
    let directory = new_directory();
    let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
    let length = || fs::metadata(directory.join("log")).unwrap().len();
    let start = length();
    make_dir(&layer, Ino::ROOT, "a", 0o755, &root()).unwrap();
    let plain = length() - start;
    make_dir(&layer, Ino::ROOT, "b", 0o755, &caller(u32::MAX / 2)).unwrap();
    let added = length() - start - 2 * plain;
    assert!((1..=11).contains(&added), "{added} bytes more than {plain}");
}

#[derive(Clone, Debug)]
enum Step {
    File(u8),
    Dir(u8, u8),
    Write(u8, u16, u16),
    Cut(u8, u16),
    Rename(u8, u8),
    Link(u8, u8),
    Remove(u8),
    Compact,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u8>().prop_map(Step::File),
        (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Step::Dir(a, b)),
        (any::<u8>(), 0..30_000u16, 0..9000u16).prop_map(|(a, b, c)| Step::Write(a, b, c)),
        (any::<u8>(), 0..30_000u16).prop_map(|(a, b)| Step::Cut(a, b)),
        (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Step::Rename(a, b)),
        (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Step::Link(a, b)),
        any::<u8>().prop_map(Step::Remove),
        Just(Step::Compact),
        Just(Step::Kill),
    ]
}

/// The path that `number` stands for: one of eight names in the root or in one of four directories.
fn place(layer: &Layer, number: u8) -> (Ino, String) {
    let name = format!("n{}", number % 8);
    let dir = match number / 8 % 5 {
        0 => None,
        dir => layer.lookup(Ino::ROOT, format!("n{dir}").as_bytes(), &root()).ok(),
    };
    (dir.filter(|dir| dir.kind == Kind::Directory).map_or(Ino::ROOT, |dir| dir.ino), name)
}

/// Carries out one step; what cannot be done is refused, and must leave nothing.
fn carry_out(layer: &Layer, step: &Step, who: &Credential) -> Result<(), FsError> {
    let at = |number: u8| place(layer, number);
    let file = |number: u8| {
        let (dir, name) = at(number);
        layer.lookup(dir, name.as_bytes(), &root()).map(|found| found.ino)
    };
    match *step {
        Step::File(a) => drop(make_file(layer, at(a).0, &at(a).1, 0o644, who)?),
        Step::Dir(a, mode) => drop(make_dir(layer, Ino::ROOT, &at(a).1, u32::from(mode), who)?),
        Step::Write(a, offset, count) => {
            let data = vec![a | 1; usize::from(count)];
            layer.write(file(a)?, offset.into(), &data, who)?;
        }
        Step::Cut(a, size) => {
            let cut = SetAttributes { size: Some(size.into()), ..SetAttributes::default() };
            layer.set_attributes(file(a)?, &cut, None, who)?;
        }
        Step::Rename(a, b) => {
            layer.rename((at(a).0, at(a).1.as_bytes()), (at(b).0, at(b).1.as_bytes()), who)?;
        }
        Step::Link(a, b) => drop(layer.link(file(a)?, at(b).0, at(b).1.as_bytes(), who)?),
        Step::Remove(a) => {
            let (dir, name) = at(a);
            let removed = layer.remove(dir, name.as_bytes(), who);
            removed.or_else(|_| layer.remove_directory(dir, name.as_bytes(), who))?;
        }
        Step::Compact => layer.compact(),
        Step::Kill => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_history_with_kills_leaves_what_was_answered(steps in prop::collection::vec(step(), 1..60)) {
        let mut directory = new_directory();
        let mut layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
        let mut known = Vec::new();
        for (xid, step) in (0..).zip(steps.iter().chain([&Step::Kill])) {
            // A step that is refused changes nothing, and that is checked with the next kill.
            let done = carry_out(&layer, step, &caller(xid)).is_ok();
            known.push(done && !matches!(step, Step::Compact | Step::Kill));
            if matches!(step, Step::Kill) {
                let copy = killed(&directory);
                let before = (sight(&layer), layer.usage().used_bytes);
                let (again, repairs) = open(&copy);
                prop_assert_eq!(repairs, []);
                prop_assert_eq!((sight(&again), again.usage().used_bytes), before);
                for (xid, known) in (0..).zip(&known) {
                    prop_assert_eq!(knows(&again, xid), *known);
                }
                (layer, directory) = (again, copy);
            }
        }
    }
}
