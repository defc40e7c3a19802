//! Against Debian's own OpenSSH server.
