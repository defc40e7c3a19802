//! What a run has for itself alone: the directory of its results, and the time from which the ids on its targets are made.
//!
//! Two runs may begin in the same second. What one of them has chosen and not yet made is known to the other by a socket
//! with an abstract name (unix(7)), as with leases: it goes with the process, in whatever way that ends.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::abstract_socket::{listen, name_of};
use crate::report::file_name;

/// Runs of one name that can begin in a second, and runs that can begin in a millisecond.
const AT_ONCE: i64 = 99;

/// What no other run chooses until this is dropped.
#[derive(Debug)]
pub struct Reserved(#[expect(dead_code, reason = "its name is taken as long as it is open")] UnixListener);

impl Reserved {
    /// Takes `name`; none if another process has it.
    fn take(name: &str) -> io::Result<Option<Self>> {
        match listen(name) {
            Ok(listener) => Ok(Some(Self(listener))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the directory at `path`, which need not be there.
    fn directory(path: &Path) -> io::Result<Option<Self>> {
        let path = std::path::absolute(path)?;
        Self::take(&name_of("results", &[path.as_os_str().as_encoded_bytes()]))
    }
}

/// A directory for results that nobody has named.
#[derive(Debug)]
pub struct OutDirectory {
    /// Its path.
    pub path: PathBuf,
    /// Keeps others from choosing it until it is made.
    pub reserved: Option<Reserved>,
}

/// `<UTC time>-<job name>` in `runs`, with a number behind it where another run has begun in the same second: one that is
/// there, that another process has chosen, or that `is_taken` knows.
pub fn out_directory(
    runs: &Path,
    job_name: &str,
    started: jiff::Timestamp,
    is_taken: impl Fn(&Path) -> bool,
) -> OutDirectory {
    let name = format!("{}-{}", started.strftime("%Y%m%dT%H%M%SZ"), file_name(job_name));
    let first = runs.join(&name);
    let others = (2..=AT_ONCE).map(|number| runs.join(format!("{name}-{number}")));
    let free = std::iter::once(first.clone()).chain(others).find_map(|path| {
        if path.exists() || is_taken(&path) {
            return None;
        }
        match Reserved::directory(&path) {
            Ok(None) => None,
            // Where there are no sockets, whoever makes it second is told that it is there.
            reserved => Some(OutDirectory { path, reserved: reserved.ok().flatten() }),
        }
    });
    // If all are there, whoever makes the first one is told that it is.
    free.unwrap_or(OutDirectory { path: first, reserved: None })
}

/// The time at which a run of this PC begins, in whole milliseconds: `now`, or soon after it where another run that goes on
/// has that. What keeps others from having it must be kept as long as the run goes on.
pub fn start_time(now: jiff::Timestamp) -> (jiff::Timestamp, Option<Reserved>) {
    let begin = now.as_millisecond();
    let free = (begin..begin + AT_ONCE).find_map(|at| {
        let reserved = Reserved::take(&format!("host-runner/start-{at}")).transpose()?;
        Some((jiff::Timestamp::from_millisecond(at).ok()?, reserved.ok()))
    });
    free.unwrap_or((now, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_second_have_directories_of_their_own_that_stay_in_order() {
        let runs = tempfile::tempdir().unwrap();
        let now = jiff::Timestamp::from_second(1_700_000_000).unwrap();
        let choose =
            || out_directory(runs.path(), "my job", now, |path| path.ends_with("20231114T221320Z-my_job-3"));
        let (first, second, fourth) = (choose(), choose(), choose());
        let names =
            [&first, &second, &fourth].map(|out| out.path.file_name().unwrap().to_str().unwrap().to_owned());
        assert_eq!(
            names,
            ["20231114T221320Z-my_job", "20231114T221320Z-my_job-2", "20231114T221320Z-my_job-4"]
        );
        assert!(names.is_sorted());
        std::fs::create_dir(&first.path).unwrap();
        drop((first, second));
        assert!(choose().path.ends_with("20231114T221320Z-my_job-2"), "it was chosen and never made");
    }

    #[test]
    fn runs_of_one_millisecond_have_times_of_their_own() {
        // Names of sockets are this PC's: another process has others.
        let first = 1_600_000_000_000 + 10 * i64::from(std::process::id());
        let now = jiff::Timestamp::from_nanosecond(i128::from(first) * 1_000_000 + 456_789).unwrap();
        let all: Vec<_> = (0..5).map(|_| start_time(now)).collect();
        let times: Vec<_> = all.iter().map(|(at, _)| at.as_nanosecond() / 1_000_000).collect();
        assert_eq!(times, (0..5).map(|more| i128::from(first) + more).collect::<Vec<_>>());
        assert!(
            all.iter().all(|(at, reserved)| at.subsec_nanosecond() % 1_000_000 == 0 && reserved.is_some())
        );
        drop(all);
        assert_eq!(start_time(now).0.as_millisecond(), first);
    }
}
