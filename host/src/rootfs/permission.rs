//! Who may do what with names.

use super::tree::{MAX_NAME, MAX_TARGET, Tree};
use super::{Credential, FsError, Ino, Kind};

impl Tree {
    /// Checks that `who` may search `dir`.
    pub(super) fn may_search(&self, dir: Ino, who: &Credential) -> Result<(), FsError> {
        let meta = self.meta(dir)?;
        if meta.kind != Kind::Directory {
            return Err(FsError::NotDirectory);
        }
        if meta.permitted(who) & 1 == 0 { Err(FsError::AccessDenied) } else { Ok(()) }
    }

    /// Checks that `who` may add and remove names in `dir`.
    pub(super) fn may_change(&self, dir: Ino, who: &Credential) -> Result<(), FsError> {
        let meta = self.meta(dir)?;
        if meta.kind != Kind::Directory {
            return Err(FsError::NotDirectory);
        }
        if meta.permitted(who) & 3 == 3 { Ok(()) } else { Err(FsError::AccessDenied) }
    }

    /// Checks the sticky bit: in such a directory only the owners of file or directory may remove a name.
    pub(super) fn may_unlink(&self, dir: Ino, ino: Ino, who: &Credential) -> Result<(), FsError> {
        let directory = self.meta(dir)?;
        let sticky = directory.mode & 0o1000 != 0;
        if sticky && !directory.owned_by(who) && !self.meta(ino)?.owned_by(who) {
            return Err(FsError::NotPermitted);
        }
        Ok(())
    }
}

/// Checks that there can be such a name in a directory, be it `.` or `..`. What a name cannot hold is denied in every
/// procedure (RFC 1813 §3.2).
pub(super) fn check_component(name: &[u8]) -> Result<(), FsError> {
    if name.len() > MAX_NAME {
        return Err(FsError::NameTooLong);
    }
    if name.is_empty() || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
        return Err(FsError::AccessDenied);
    }
    Ok(())
}

/// Checks that `name` can be a new name in a directory.
pub(super) fn check_name(name: &[u8]) -> Result<(), FsError> {
    check_component(name)?;
    if matches!(name, b"." | b"..") {
        return Err(FsError::Exists);
    }
    Ok(())
}

/// Checks that `target` can be the target of a symbolic link.
pub(super) fn check_target(target: &[u8]) -> Result<(), FsError> {
    if target.is_empty() || target.contains(&0) {
        return Err(FsError::Invalid);
    }
    if target.len() >= MAX_TARGET {
        return Err(FsError::NameTooLong);
    }
    Ok(())
}
