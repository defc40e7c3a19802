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
        }
        drop(file);
        prop_assert_eq!(storage.store.usage().0, 0);
    }
}
