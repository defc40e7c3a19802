//! Whether file data is in memory, so that reading it waits for no disk.

use std::fs::File;
use std::io::IoSliceMut;

use rustix::io::{Errno, ReadWriteFlags};

/// Whether byte `at` of `file` is in the kernel's page cache. A file system that cannot tell is believed to be fast.
pub(super) fn holds(file: &File, at: u64) -> bool {
    let mut byte = [0];
    let read = rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
    read != Err(Errno::AGAIN)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rustix::fs::Advice;

    use super::*;

    /// The magic number of file systems that are nothing but memory (statfs(2)).
    const TMPFS: i64 = 0x0102_1994;
    /// How long the kernel may take to drop what nobody uses.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn what_was_written_is_held_until_it_is_dropped() {
        let file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut &file, &[1; 1 << 20]).unwrap();
        assert!(holds(&file, 0) && holds(&file, (1 << 20) - 1));
        file.sync_all().unwrap();
        let in_memory_alone = rustix::fs::fstatfs(&file).unwrap().f_type == TMPFS;
        let started = Instant::now();
        let dropped = loop {
            // A page that another processor has in hand stays.
            rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).unwrap();
            let dropped = !holds(&file, (1 << 20) - 1);
            if dropped || in_memory_alone || started.elapsed() > PATIENCE {
                break dropped;
            }
            std::thread::yield_now();
        };
        assert_ne!(dropped, in_memory_alone, "after {:?}", started.elapsed());
    }
}
