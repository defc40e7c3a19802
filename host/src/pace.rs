//! How soon a client answers or calls again: for who does so at once, a server looks out instead of going to sleep.
//!
//! Waking a processor that sleeps takes longer than most calls do. Where each packet waits for the one before, that is paid
//! twice, once on either side; a server that stays awake for the little while pays neither.

use std::time::{Duration, Instant};

use rustix::net::RecvFlags;

/// How long to look out for what comes next.
const LOOKOUT: Duration = Duration::from_micros(40);
/// What is here after this long came at once, the waking up of both sides included.
const AT_ONCE: Duration = Duration::from_micros(120);
/// How often in succession something must have come at once for the next to be expected to.
const EXPECTED: u8 = 8;
/// What a single one that came late takes away of it.
const DISAPPOINTMENT: u8 = 4;
/// As much as is remembered.
const MOST: u8 = 2 * EXPECTED;

/// How soon a peer has come with something of late.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    at_once: u8,
}

impl Pace {
    /// Waits for something to come with `receive`: without its waiting for a little while if that is likely to be enough,
    /// else, and after that, as long as it waits.
    ///
    /// # Errors
    /// Those of `receive`.
    pub(crate) fn wait<T, E>(
        &mut self,
        mut receive: impl FnMut(RecvFlags) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let begun = Instant::now();
        let mut come = None;
        while come.is_none() && self.at_once >= EXPECTED && begun.elapsed() < LOOKOUT {
            come = receive(RecvFlags::DONTWAIT)?;
        }
        if come.is_none() {
            come = receive(RecvFlags::empty())?;
        }
        self.at_once = if begun.elapsed() <= AT_ONCE {
            (self.at_once + 1).min(MOST)
        } else {
            self.at_once.saturating_sub(DISAPPOINTMENT)
        };
        Ok(come)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::thread::sleep;

    use rustix::net::RecvFlags;

    use super::{EXPECTED, LOOKOUT, MOST, Pace};

    /// Whether `pace` looks out for a call; `late` is whether it comes after that.
    fn looks_out(pace: &mut Pace, late: bool) -> bool {
        let mut looked = false;
        let receive = |flags: RecvFlags| {
            let look = flags.contains(RecvFlags::DONTWAIT);
            looked |= look;
            if late && !look {
                sleep(100 * LOOKOUT);
            }
            Ok::<_, Infallible>((!late || !look).then_some(()))
        };
        assert_eq!(pace.wait(receive), Ok(Some(())));
        looked
    }

    #[test]
    fn only_who_calls_at_once_again_and_again_is_looked_out_for() {
        let mut pace = Pace::default();
        let calls: Vec<_> = (0..2 * MOST).map(|_| looks_out(&mut pace, true)).collect();
        assert!(!calls.contains(&true), "{calls:?}");
        // A machine may be busy for a moment: as many calls as it takes, within reason.
        let call = (1..10_000).find(|_| looks_out(&mut pace, false)).expect("calls at once are noticed");
        assert!(call > i32::from(EXPECTED), "after {call} calls");
        // Who stops is looked out for a few times more, and no longer.
        let calls: Vec<_> = (0..MOST).map(|_| looks_out(&mut pace, true)).collect();
        let looked = calls.iter().take_while(|looked| **looked).count();
        assert!((1..=4).contains(&looked), "{calls:?}");
        assert!(!calls.iter().skip(looked).any(|looked| *looked), "{calls:?}");
    }
}
