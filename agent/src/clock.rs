//! The two clocks: one to measure with, one that may be wrong.

use rustix::time::{ClockId, Timespec, clock_settime};

use crate::runtime::clock_gettime;

/// When this program was built, in seconds since 1970: no clock that shows less can be right.
const BUILT_UNIX_S: u64 = parse(env!("AGENT_BUILT_UNIX_S"));

/// How far clocks of two machines may differ before one is plainly wrong: two years.
const PLAUSIBLE_S: u64 = 2 * 365 * 24 * 60 * 60;

/// Returns milliseconds of a clock that never goes back.
pub(crate) fn monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Less than a thousand million nanoseconds.
    unsigned(now.tv_sec) * 1_000 + u64::from(now.tv_nsec as u32 / 1_000_000)
}

/// Returns a time in milliseconds as system calls want it, at most seven weeks: 32-bit processors divide no more at a time.
pub(crate) const fn timespec(ms: u64) -> Timespec {
    let ms = if ms > u32::MAX as u64 { u32::MAX } else { ms as u32 };
    Timespec { tv_sec: (ms / 1_000) as i64, tv_nsec: (ms % 1_000 * 1_000_000) as _ }
}

/// Returns the target's idea of the time, in seconds since 1970.
pub(crate) fn unix_s() -> u64 {
    unsigned(clock_gettime(ClockId::Realtime).tv_sec)
}

/// Returns a number that differs from start to start, and is not 0.
pub(crate) fn start_id() -> u32 {
    let now = clock_gettime(ClockId::Realtime);
    let since_boot = clock_gettime(ClockId::Monotonic);
    let pid = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
    let mixed = unsigned(now.tv_sec) ^ unsigned(now.tv_nsec).rotate_left(20) ^ unsigned(since_boot.tv_nsec);
    // Multiplying by an odd constant spreads the low bits; the upper half is the better one.
    let spread = (mixed ^ u64::from(pid).rotate_left(48)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((spread >> 32) as u32).max(1)
}

/// Sets the target's clock to the runner's if it is plainly wrong.
pub(crate) fn correct(runner_unix_s: u64) {
    if is_plainly_wrong(unix_s(), runner_unix_s) {
        if let Ok(tv_sec) = i64::try_from(runner_unix_s) {
            // Without the right to set it, the clock stays as the target's owner has it.
            let _ = clock_settime(ClockId::Realtime, Timespec { tv_sec, tv_nsec: 0 });
        }
    }
}

/// Whether the target's clock cannot be right, given the runner's. A runner that is before the build knows nothing.
const fn is_plainly_wrong(own_unix_s: u64, runner_unix_s: u64) -> bool {
    runner_unix_s >= BUILT_UNIX_S
        && (own_unix_s < BUILT_UNIX_S || own_unix_s.abs_diff(runner_unix_s) > PLAUSIBLE_S)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

const fn parse(digits: &str) -> u64 {
    let mut bytes = digits.as_bytes();
    let mut number = 0;
    while let [digit, rest @ ..] = bytes {
        number = number * 10 + (*digit - b'0') as u64;
        bytes = rest;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plainly_wrong_clock_is_corrected() {
        let runner = BUILT_UNIX_S + 1_000_000;
        assert!(is_plainly_wrong(0, runner), "no clock battery");
        assert!(is_plainly_wrong(BUILT_UNIX_S - 1, runner), "before the build");
        assert!(is_plainly_wrong(runner + PLAUSIBLE_S + 1, runner), "far in the future");
        assert!(!is_plainly_wrong(runner + 3_600, runner), "an hour off is somebody's choice");
        assert!(!is_plainly_wrong(0, BUILT_UNIX_S - 1), "the runner is wrong itself");
    }

    #[test]
    fn the_day_of_the_build_is_known() {
        assert_eq!(parse("1700000000"), 1_700_000_000);
        assert_eq!(BUILT_UNIX_S.to_string(), env!("AGENT_BUILT_UNIX_S"));
    }
}
