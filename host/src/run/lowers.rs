//! The lower layers of a run: one index in memory for all nodes with the same root filesystem, one file for all runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::artifact::{Artifact, Cache};
use crate::rootfs::{Lower, RootfsError};

/// Filled by whoever comes first; the others wait for it.
type Slot = Arc<Mutex<Weak<Lower>>>;

/// The root filesystems that are in use, by the SHA-256 of their tars.
#[derive(Debug, Default)]
pub(crate) struct Lowers(Mutex<HashMap<String, Slot>>);

impl Lowers {
    /// The index of a root filesystem: the one in use, else the one that an earlier run left in the cache, else a new
    /// one, which is left there. Blocks while another node makes it.
    ///
    /// # Errors
    /// Those of [`Lower::from_tar`].
    pub(crate) fn open(&self, cache: &Cache, tar: &Artifact) -> Result<Arc<Lower>, RootfsError> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(tar.sha256.clone()).or_default())
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lower) = slot.upgrade() {
            return Ok(lower);
        }
        let save = |lower: &Lower| {
            if let Some(index) = lower.to_index(&tar.sha256) {
                // Without it the next run has more work, and nothing else.
                let _ = cache.keep_derived(tar, Lower::INDEX_SUFFIX, &index);
            }
        };
        let lower = Arc::new(Lower::open(&tar.path, &tar.sha256, save)?);
        *slot = Arc::downgrade(&lower);
        Ok(lower)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::Lowers;
    use crate::artifact::{Artifact, Cache, Mirrors, Request};
    use crate::rootfs::Lower;
    use crate::rootfs::testing::TarBuilder;

    async fn artifact(cache: &Cache, tar: &Path) -> Artifact {
        let request = Request { url: tar.display().to_string(), ..Request::default() };
        let deadline = Instant::now() + Duration::from_secs(60);
        cache.fetch(&request, &Mirrors::default(), deadline, |_, _| ()).await.unwrap()
    }

    #[tokio::test]
    async fn nodes_share_an_index_and_the_next_run_finds_it_in_the_cache() {
        let directory = tempfile::tempdir().unwrap();
        let tar = directory.path().join("rootfs.tar");
        fs::write(&tar, TarBuilder::new().file("etc/hostname", b"board\n").bytes()).unwrap();
        let cache = Cache::open(&directory.path().join("cache")).unwrap();
        let artifact = artifact(&cache, &tar).await;
        let index = Lower::index_path(&artifact.path);

        let lowers = Lowers::default();
        let one = lowers.open(&cache, &artifact).unwrap();
        let inode = fs::metadata(&index).unwrap().ino();
        assert!(Arc::ptr_eq(&one, &lowers.open(&cache, &artifact).unwrap()));

        let next = Lowers::default().open(&cache, &artifact).unwrap();
        assert_eq!(next.inode_count(), one.inode_count());
        assert_eq!(fs::metadata(&index).unwrap().ino(), inode, "it was made again");

        fs::write(&index, b"damaged").unwrap();
        Lowers::default().open(&cache, &artifact).unwrap();
        assert!(Lower::from_index(&artifact.path, &artifact.sha256).is_some());
    }

    #[tokio::test]
    async fn many_at_once_get_the_same_index() {
        let directory = tempfile::tempdir().unwrap();
        let tar = directory.path().join("rootfs.tar");
        fs::write(&tar, TarBuilder::new().file("a", b"a").bytes()).unwrap();
        let cache = Cache::open(&directory.path().join("cache")).unwrap();
        let artifact = artifact(&cache, &tar).await;
        let lowers = Lowers::default();
        let opened: Vec<Arc<Lower>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| lowers.open(&cache, &artifact).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(opened.iter().all(|lower| Arc::ptr_eq(lower, &opened[0])));
    }
}
