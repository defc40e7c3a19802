//! Files of this PC, and what is remembered of them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::super::super::checksum::name_of;
use super::super::Origin;
use super::{Checksums, Request, bench, request};
use crate::fault::{Chain, Class};

#[tokio::test]
async fn a_local_file_is_read_again_only_when_it_has_changed() {
    let bench = bench();
    let path = bench.file("f", b"first");
    let request = request(path.to_str().unwrap());
    let first = bench.fetch(&request).await.unwrap();
    assert_eq!(
        (fs::read(&first.path).unwrap().as_slice(), first.size, first.from_cache),
        (b"first".as_slice(), 5, false)
    );
    assert!(bench.fetch(&request).await.unwrap().from_cache);
    bench.file("f", b"second");
    let second = bench.fetch(&request).await.unwrap();
    assert!(!second.from_cache);
    assert_eq!(fs::read(&second.path).unwrap(), b"second");
    assert_eq!(fs::read(&first.path).unwrap(), b"first", "what is in use does not change");
}

#[tokio::test]
async fn a_local_file_whose_size_and_time_are_as_before_is_read_again() {
    let bench = bench();
    let path = bench.file("f", b"first");
    let request = request(path.to_str().unwrap());
    bench.fetch(&request).await.unwrap();
    let before = fs::metadata(&path).unwrap();
    let changed = |metadata: &fs::Metadata| (metadata.ctime(), metadata.ctime_nsec());
    // Clocks of file systems may stand still for some milliseconds.
    while changed(&fs::metadata(&path).unwrap()) == changed(&before) {
        fs::write(&path, b"other").unwrap();
        fs::File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(before.modified().unwrap())
            .unwrap();
    }
    let second = bench.fetch(&request).await.unwrap();
    assert_eq!(fs::read(&second.path).unwrap(), b"other");
}

#[tokio::test]
async fn a_local_file_that_changes_while_it_is_copied_is_copied_once_more() {
    for (changes, expected) in [(1, Some("file!")), (2, None)] {
        let bench = bench();
        let path = bench.file("f", b"file");
        let request = request(path.to_str().unwrap());
        let (file, copies) = (path.clone(), AtomicU32::new(0));
        // Told when everything was read, and the copy has not ended.
        let progress = move |_, _| {
            if copies.fetch_add(1, Ordering::SeqCst) < changes {
                fs::File::options().append(true).open(&file).unwrap().write_all(b"!").unwrap();
            }
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        let fetched = bench.cache.fetch(&request, &bench.mirrors, deadline, progress).await;
        let Some(expected) = expected else {
            let text = format!("{} changed each of the 2 times that it was copied", path.display());
            let error = fetched.unwrap_err();
            assert_eq!(error.class(), Class::Infrastructure);
            assert!(Chain(&error).to_string().ends_with(&text), "{error:?}");
            for directory in ["blobs", "tmp", "records"] {
                let entries = fs::read_dir(bench.cache.directory().join(directory)).unwrap();
                assert_eq!(entries.count(), 0, "{directory}");
            }
            continue;
        };
        assert_eq!(fs::read_to_string(fetched.unwrap().path).unwrap(), expected);
        assert!(bench.fetch(&request).await.unwrap().from_cache);
    }
}

#[tokio::test]
async fn a_digest_that_is_made_up_for_is_remembered_beside_the_others() {
    let bench = bench();
    let path = bench.file("f", b"abc");
    let url = path.to_str().unwrap();
    let digests = || bench.cache.record::<Origin>("origin", &name_of(url)).unwrap().digests;
    bench.fetch(&request(url)).await.unwrap();
    assert_eq!((digests().md5, digests().sha512), (None, None));
    let md5 = Some("900150983cd24fb0d6963f7d28e17f72".to_owned());
    let sha512 = Some(
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
            .to_owned(),
    );
    let demanded = [
        Checksums { md5: md5.clone(), ..Checksums::default() },
        Checksums { sha512: sha512.clone(), ..Checksums::default() },
    ];
    for checksums in demanded {
        let fetched = bench.fetch(&Request { checksums, ..request(url) }).await.unwrap();
        assert!(fetched.from_cache);
    }
    assert_eq!((digests().md5, digests().sha512), (md5, sha512));
}

#[tokio::test]
async fn digests_of_a_damaged_file_are_not_remembered() {
    let bench = bench();
    let path = bench.file("f", b"abc");
    let url = path.to_str().unwrap();
    let kept = bench.fetch(&request(url)).await.unwrap();
    let record =
        || fs::read(bench.cache.directory().join(format!("records/origin-{}", name_of(url)))).unwrap();
    let before = record();
    fs::set_permissions(&kept.path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&kept.path, b"abd").unwrap();
    let md5 = Some("900150983cd24fb0d6963f7d28e17f72".to_owned());
    let checksums = Checksums { md5, ..Checksums::default() };
    let (class, text) = bench.failure(&Request { checksums, ..request(url) }).await;
    assert_eq!(class, Class::Infrastructure);
    assert!(text.contains("md5 does not match"), "{text}");
    assert_eq!(record(), before);
}
