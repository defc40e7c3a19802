//! Sockets with abstract names (unix(7)), by which processes of this PC know of each other. A name can be bound once,
//! whoever the user is, and the kernel frees it with the process, in whatever way that ends. The names belong to the
//! network namespace.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use sha2::{Digest as _, Sha256};

/// The name of what `parts` say, for a use that `kind` says: of a fixed length, whatever the lengths of the parts.
pub(crate) fn name_of(kind: &str, parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let digits: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("host-runner/{kind}-{digits}")
}

/// Takes `name`, with a socket that is not waited for.
///
/// # Errors
/// [`io::ErrorKind::AddrInUse`] where a process has it.
pub(crate) fn listen(name: &str) -> io::Result<UnixListener> {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other_and_a_name_is_short() {
        let names = [
            name_of("board", &[b"ab", b"c"]),
            name_of("board", &[b"a", b"bc"]),
            name_of("board", &[b"abc"]),
            name_of("queue", &[b"abc"]),
            name_of("board", &[&[b'a'; 5000]]),
        ];
        let unique: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        // What is put behind it must fit as well: 107 bytes, of which the first says that it is abstract.
        assert!(names.iter().all(|name| name.starts_with("host-runner/") && name.len() < 64));
    }

    #[test]
    fn a_name_is_taken_as_long_as_its_socket_is_open() {
        let name = name_of("test", &[b"taken", &std::process::id().to_be_bytes()]);
        let first = listen(&name).unwrap();
        assert_eq!(listen(&name).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        listen(&name).unwrap();
    }
}
