//! Files of the cache come whole, stay while they are used, and go when they are not.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::{Artifact, Budget, Cache, Checksums, Reason, remove_if_left};
use crate::artifact::{Mirrors, Request};

fn cache() -> (tempfile::TempDir, Cache) {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::open(&directory.path().join("deep/cache")).unwrap();
    (directory, cache)
}

#[test]
fn a_kept_file_is_found_by_its_sum_and_only_with_its_size() {
    let (_directory, cache) = cache();
    let mut writer = cache.writer(&Checksums::default()).unwrap();
    writer.write_all(b"abc").unwrap();
    let (blob, digests) = cache.keep(writer).unwrap();
    assert_eq!(std::fs::read(&blob.path).unwrap(), b"abc");
    assert!(cache.blob(&digests.sha256, Some(3)).is_some());
    assert!(cache.blob(&digests.sha256, Some(4)).is_none());
    assert_eq!(std::fs::read_dir(cache.directory().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_lock_keeps_others_out_until_their_time_is_over() {
    let (_directory, cache) = cache();
    let budget = Budget::new(Instant::now() + Duration::from_millis(60));
    let held = cache.lock("x", &budget).unwrap();
    assert!(matches!(cache.lock("x", &budget), Err(Reason::Locked { .. })));
    drop(held);
    cache.lock("x", &budget).unwrap();
}

#[test]
fn what_a_killed_run_left_is_removed_but_not_what_is_being_written() {
    let (_directory, cache) = cache();
    let tmp = cache.directory().join("tmp");
    let old = SystemTime::now() - Duration::from_secs(3600);
    let left = File::create(tmp.join("left")).unwrap();
    left.set_modified(old).unwrap();
    drop(left);
    let writer = cache.writer(&Checksums::default()).unwrap();
    File::options().append(true).open(writer.path()).unwrap().set_modified(old).unwrap();
    Cache::open(cache.directory()).unwrap();
    assert!(!tmp.join("left").exists());
    assert!(writer.path().exists());
}

#[test]
fn what_another_run_that_starts_removes_first_is_no_error() {
    let (_directory, cache) = cache();
    let path = cache.tmp().join("left");
    let left = File::create(&path).unwrap();
    left.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    std::fs::remove_file(&path).unwrap();
    remove_if_left(&path, &left).unwrap();
}

#[test]
fn what_is_still_being_written_goes_when_the_cache_is_closed() {
    let (_directory, cache) = cache();
    let mut kept = cache.writer(&Checksums::default()).unwrap();
    kept.write_all(b"abc").unwrap();
    let (kept, _) = cache.keep(kept).unwrap();
    let _open = cache.writer(&Checksums::default()).unwrap();
    cache.close();
    assert_eq!(std::fs::read_dir(cache.directory().join("tmp")).unwrap().count(), 0);
    assert!(kept.path.exists());
    assert!(matches!(cache.writer(&Checksums::default()), Err(Reason::Cancelled)));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let error = Cache::open("/dev/null/cache".as_ref()).unwrap_err();
    assert_eq!(error.to_string(), "cannot use /dev/null/cache/blobs in the cache");
}

/// A file of the cache that was fetched from a local one.
async fn fetched(cache: &Cache, path: &Path, content: &[u8]) -> Artifact {
    std::fs::write(path, content).unwrap();
    let request = Request { url: path.display().to_string(), ..Request::default() };
    let deadline = Instant::now() + Duration::from_secs(60);
    cache.fetch(&request, &Mirrors::default(), deadline, |_, _| ()).await.unwrap()
}

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

/// Numbers of files in the cache: blobs with what was made of them, records, and links of those who need them.
fn counts(cache: &Cache) -> [usize; 3] {
    ["blobs", "records", "kept"].map(|name| cache.entries(name).unwrap().len())
}

#[tokio::test]
async fn what_nobody_uses_is_listed_with_its_origin_and_removed_with_all_that_belongs_to_it() {
    let (directory, cache) = cache();
    let artifact = fetched(&cache, &directory.path().join("zImage"), b"kernel").await;
    cache.keep_derived(&artifact, "index", b"1234").unwrap();
    let found = cache.inventory().unwrap();
    assert_eq!(found.bytes(), 10);
    assert_eq!(found.files[0].from, [directory.path().join("zImage").display().to_string()]);
    assert_eq!(found.files[0].sha256, artifact.sha256);

    let pruned = cache.prune(later(), false).unwrap();
    assert_eq!((pruned.removed.files.len(), pruned.in_use.files.len()), (0, 1), "it is in use");
    drop(artifact);
    let recent = SystemTime::now() - Duration::from_secs(3600);
    assert_eq!(cache.prune(recent, false).unwrap().removed.files.len(), 0, "it was used just now");
    assert_eq!(cache.prune(later(), true).unwrap().removed.files.len(), 1);
    assert_eq!(counts(&cache), [2, 1, 0]);
    assert_eq!(cache.prune(later(), false).unwrap().removed.bytes(), 10);
    assert_eq!(counts(&cache), [0, 0, 0]);
}

#[tokio::test]
async fn what_a_kept_root_filesystem_needs_stays_as_long_as_that() {
    let (directory, cache) = cache();
    let kept = directory.path().join("kept");
    std::fs::create_dir(&kept).unwrap();
    let artifact = fetched(&cache, &directory.path().join("rootfs.tar"), b"tar").await;
    cache.keep_for(&artifact, &kept).unwrap();
    cache.keep_for(&artifact, &kept).unwrap();
    drop(artifact);
    assert_eq!(cache.inventory().unwrap().files[0].kept_for, [kept.as_path()]);
    assert!(cache.prune(later(), false).unwrap().removed.files.is_empty());
    std::fs::remove_dir(&kept).unwrap();
    assert_eq!(cache.prune(later(), false).unwrap().removed.files.len(), 1);
    assert_eq!(counts(&cache), [0, 0, 0]);
}

#[tokio::test]
async fn a_damaged_file_is_found_removed_and_fetched_again() {
    let (directory, cache) = cache();
    let (good, bad) = (directory.path().join("good"), directory.path().join("bad"));
    fetched(&cache, &good, b"good").await;
    let artifact = fetched(&cache, &bad, b"kernel").await;
    let path = artifact.path.clone();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"kernal").unwrap();
    drop(artifact);
    let mut seen = 0;
    let damaged = cache.remove_damaged(&mut |_| seen += 1).unwrap();
    assert_eq!((seen, damaged.removed.files.len(), damaged.in_use.files.len()), (2, 1, 0));
    assert!(!path.exists());
    assert_eq!(counts(&cache), [1, 1, 0]);
    let again = fetched(&cache, &bad, b"kernel").await;
    assert_eq!(std::fs::read(&again.path).unwrap(), b"kernel");
    assert!(cache.remove_damaged(&mut |_| ()).unwrap().removed.files.is_empty());
}
