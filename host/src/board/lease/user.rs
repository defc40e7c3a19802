//! Processes and their users, as people know them.

use std::fmt;

use nix::unistd::{Uid, User};

/// A process that is known by its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// User id.
    pub user: u32,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of user {}", self.pid, user_name(self.user))
    }
}

/// The name of a user of this PC; the number where there is none, as of a user who was removed.
pub(crate) fn user_name(user: u32) -> String {
    let known = User::from_uid(Uid::from_raw(user));
    known.ok().flatten().map_or_else(|| user.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_unless_nobody_knows_them() {
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(3_999_999_999), "3999999999");
    }
}
