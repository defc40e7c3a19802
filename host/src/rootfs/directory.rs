//! The listing of a changed or new directory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{FsError, Ino};

/// Cookies 1 and 2 are `.` and `..`; names start here.
pub(super) const FIRST_COOKIE: u32 = 3;

/// About the memory of a name, in bytes.
pub(super) const fn name_memory(name: &[u8]) -> u64 {
    112 + name.len() as u64
}

/// Names of a directory. A name keeps its cookie while it exists, and no cookie is given twice, so that a listing in
/// pieces shows every name that stays exactly once, whatever else comes and goes.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) parent: Ino,
    by_name: HashMap<Arc<[u8]>, (Ino, u32)>,
    by_cookie: BTreeMap<u32, (Arc<[u8]>, Ino)>,
    next: u32,
}

impl Directory {
    /// An empty directory.
    pub(super) fn new(parent: Ino) -> Self {
        Self::starting_at(parent, FIRST_COOKIE)
    }

    /// An empty directory whose next name gets the cookie `next`.
    pub(super) fn starting_at(parent: Ino, next: u32) -> Self {
        Self { parent, by_name: HashMap::new(), by_cookie: BTreeMap::new(), next }
    }

    /// The cookie of the next name.
    pub(super) const fn next_cookie(&self) -> u32 {
        self.next
    }

    /// About the memory of all names, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.by_name.keys().map(|name| name_memory(name)).sum()
    }

    /// Looks up `name`, which is not `.` or `..`.
    pub(super) fn get(&self, name: &[u8]) -> Option<Ino> {
        self.by_name.get(name).map(|(ino, _)| *ino)
    }

    /// Whether there is no name.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Adds `name`, which must not exist, with a fresh cookie, which is returned.
    ///
    /// # Errors
    /// [`FsError::NoSpace`] once all cookies that 32-bit programs can hold are spent.
    pub(super) fn insert(&mut self, name: &[u8], ino: Ino) -> Result<u32, FsError> {
        let cookie = self.next;
        self.insert_at(cookie, name, ino)?;
        Ok(cookie)
    }

    /// Whether neither `name` nor `cookie` is taken.
    pub(super) fn is_free(&self, cookie: u32, name: &[u8]) -> bool {
        cookie >= FIRST_COOKIE && !self.by_cookie.contains_key(&cookie) && !self.by_name.contains_key(name)
    }

    /// Adds `name`, which must not exist, with a cookie that it had before.
    pub(super) fn insert_at(&mut self, cookie: u32, name: &[u8], ino: Ino) -> Result<(), FsError> {
        if cookie > Ino::MAX.get() {
            return Err(FsError::NoSpace);
        }
        let name: Arc<[u8]> = name.into();
        self.by_name.insert(Arc::clone(&name), (ino, cookie));
        self.by_cookie.insert(cookie, (name, ino));
        self.next = self.next.max(cookie + 1);
        Ok(())
    }

    /// Removes `name`.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Ino> {
        let (ino, cookie) = self.by_name.remove(name)?;
        self.by_cookie.remove(&cookie);
        Some(ino)
    }

    /// Names with cookies above `after`, in the order of the cookies.
    pub(super) fn list(&self, after: u32) -> impl Iterator<Item = (u32, &[u8], Ino)> {
        let from = after.saturating_add(1).max(FIRST_COOKIE);
        self.by_cookie.range(from..).map(|(cookie, (name, ino))| (*cookie, &**name, *ino))
    }
}
