//! Data of changed files: holes, budget, and any history beside a plain vector.

use proptest::prelude::*;

use super::*;
use crate::rootfs::testing::{self, one_file_lower};

fn storage(budget: u64) -> Arc<Storage> {
    let (lower, ..) = one_file_lower(1);
    testing::storage(lower, budget)
}

fn new_file(storage: &Arc<Storage>) -> UpperFile {
    UpperFile::empty(Ino::new(100).unwrap(), Arc::clone(storage))
}

#[test]
fn holes_read_as_zeros_and_cost_nothing() {
    let storage = storage(1 << 20);
    let file = new_file(&storage);
    file.write(1 << 40, b"far").unwrap();
    assert_eq!(file.size(), (1 << 40) + 3);
    assert_eq!(file.used(), BLOCK);
    let mut buffer = [1; 8];
    assert_eq!(file.read(12_345, &mut buffer).unwrap(), (8, false));
    assert_eq!(buffer, [0; 8]);
    assert_eq!(file.read(1 << 40, &mut buffer).unwrap(), (3, true));
    drop(file);
    assert_eq!(storage.store.usage().0, 0);
}

#[test]
fn of_a_file_of_the_lower_layer_what_shows_and_what_was_written_beyond_counts() {
    let (lower, ino, _) = one_file_lower(10_000);
    let storage = testing::storage(lower, 1 << 20);
    let file = UpperFile::over_lower(ino, Arc::clone(&storage));
    assert_eq!(file.used(), 3 * BLOCK);
    file.truncate(1 << 40).unwrap();
    assert_eq!(file.used(), 3 * BLOCK, "a hole");
    file.write(5000, b"in place").unwrap();
    assert_eq!(file.used(), 3 * BLOCK);
    file.write(3 * BLOCK - 1, &[1; 2]).unwrap();
    file.write(1 << 30, b"far").unwrap();
    assert_eq!(file.used(), 5 * BLOCK);
    let again = UpperFile::over_lower(ino, storage);
    again.restore_extents(file.size(), file.runs()).unwrap();
    again.restore_visible(10_000).unwrap();
    assert_eq!(again.used(), file.used());
    again.give_up(1 << 30 >> 12);
    assert_eq!(again.used(), 4 * BLOCK);
    // Its blocks are the other's.
    again.runs().into_iter().for_each(|(block, _)| again.give_up(block));
    assert_eq!(again.used(), 3 * BLOCK);
    for (size, blocks) in [(1 << 30, 4), (10_000, 3), (5000, 2), (20_000, 2), (0, 0), (20_000, 0)] {
        file.truncate(size).unwrap();
        assert_eq!(file.used(), blocks * BLOCK, "{size}");
    }
}

#[test]
fn the_budget_ends_a_write_and_a_cut_gives_back() {
    let file = new_file(&storage(2 * BLOCK));
    file.write(0, &[7; 8192]).unwrap();
    assert_eq!(file.write(8192, b"x"), Err(FsError::NoSpace));
    assert_eq!(file.size(), 8192);
    file.truncate(100).unwrap();
    file.write(8192, b"x").unwrap();
    assert_eq!(file.write(MAX_FILE_SIZE, b"x"), Err(FsError::FileTooLarge));
}

#[derive(Clone, Debug)]
enum Step {
    Write(u16, u16, u8),
    Cut(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..20_000u16, 0..9_000u16, 1..=255u8).prop_map(|(at, count, value)| Step::Write(at, count, value)),
        (0..20_000u16).prop_map(Step::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn behaves_as_a_plain_vector_of_bytes(steps in prop::collection::vec(step(), 1..20)) {
        let (lower, ino, mut model) = one_file_lower(10_000);
        let storage = testing::storage(lower, 1 << 30);
        let file = UpperFile::over_lower(ino, Arc::clone(&storage));
        for step in steps {
            match step {
                Step::Write(at, count, value) => {
                    let data = vec![value; usize::from(count)];
                    file.write(u64::from(at), &data).unwrap();
                    let end = usize::from(at) + data.len();
                    if !data.is_empty() {
                        if model.len() < end { model.resize(end, 0); }
                        model[usize::from(at)..end].copy_from_slice(&data);
                    }
                }
                Step::Cut(size) => {
                    file.truncate(u64::from(size)).unwrap();
                    model.resize(usize::from(size), 0);
                }
            }
            let mut all = vec![9; model.len() + 10];
            prop_assert_eq!(file.read(0, &mut all).unwrap(), (model.len(), true));
            prop_assert_eq!(&all[..model.len()], &model[..]);
            prop_assert_eq!(file.used(), file.map().blocks() * BLOCK);
        }
        drop(file);
        prop_assert_eq!(storage.store.usage().0, 0);
    }
}
