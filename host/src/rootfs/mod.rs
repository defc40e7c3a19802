//! A root filesystem as data: an index over a tar, and a copy-on-write layer per job.
