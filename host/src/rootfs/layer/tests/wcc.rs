//! Weak cache consistency (RFC 1813 §2.6): what was before an operation is what the one before it has left.

use std::collections::BTreeSet;
use std::thread;

use super::{MODE, find, layer, root};
use crate::rootfs::{FsError, Ino, Layer, Timestamp, WccPair};

/// What four clients that are busy at the same time are told by `operate`, each for 100 operations.
fn told(
    layer: &Layer,
    ino: Ino,
    operate: impl Fn(&Layer, Ino, u64) -> Option<WccPair> + Sync,
) -> Vec<WccPair> {
    let operate = &operate;
    thread::scope(|scope| {
        let clients: [_; 4] = std::array::from_fn(|client| {
            let numbers = (0..100).map(move |number| number * 4 + client as u64);
            scope.spawn(move || numbers.filter_map(|number| operate(layer, ino, number)).collect::<Vec<_>>())
        });
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// That no two operations had the same before them, and each what another one has left.
fn assert_chain(first: Timestamp, pairs: &[WccPair]) {
    let before: BTreeSet<_> = pairs.iter().map(|pair| pair.before.ctime).collect();
    let mut after: BTreeSet<_> = pairs.iter().map(|pair| pair.after.ctime).collect();
    assert_eq!((before.len(), after.len()), (pairs.len(), pairs.len()));
    after.insert(first);
    assert!(before.is_subset(&after), "{:?}", before.difference(&after));
}

#[test]
fn each_of_many_writes_has_before_it_what_another_has_left() {
    let layer = layer();
    let file = find(&layer, "etc/passwd");
    let pairs = told(&layer, file.ino, |layer, ino, number| {
        Some(layer.write(ino, number * 100, &[1; 100], &root()).unwrap())
    });
    assert_eq!(pairs.len(), 400);
    assert_chain(file.ctime, &pairs);
}

#[test]
fn a_guard_lets_one_of_many_through() {
    let layer = layer();
    let file = find(&layer, "etc/passwd");
    let pairs = told(&layer, file.ino, |layer, ino, number| {
        let guard = layer.attributes(ino).unwrap().ctime;
        match layer.set_attributes(ino, &MODE(0o600 + number as u32 % 8), Some(guard), &root()) {
            Err(FsError::NotSync) => None,
            set => Some(set.unwrap()),
        }
    });
    assert!(!pairs.is_empty());
    assert_chain(file.ctime, &pairs);
}
