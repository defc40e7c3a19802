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
const EXPECTED: u16 = 8;
/// By how much more often, each time that looking out was in vain: who answers soon, but not soon enough, is a waste.
const DISAPPOINTMENT: u16 = 4;
/// The most that is asked for.
const MOST: u16 = 2048;

/// How soon a peer has come with something of late.
#[derive(Debug)]
pub(crate) struct Pace {
    /// How often in succession it came at once.
    at_once: u16,
    /// How often it takes to be looked out for.
    expected: u16,
}

impl Default for Pace {
    fn default() -> Self {
        Self { at_once: 0, expected: EXPECTED }
    }
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
        if self.at_once >= self.expected {
            while begun.elapsed() < LOOKOUT {
                if let Some(come) = receive(RecvFlags::DONTWAIT)? {
                    self.expected = EXPECTED;
                    return Ok(Some(come));
                }
            }
            self.expected = (self.expected * DISAPPOINTMENT).min(MOST);
            self.at_once = 0;
        }
        let come = receive(RecvFlags::empty())?;
        self.at_once = if begun.elapsed() <= AT_ONCE { (self.at_once + 1).min(MOST) } else { 0 };
        Ok(come)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::thread::sleep;

    use rustix::net::RecvFlags;

    use super::{DISAPPOINTMENT, EXPECTED, LOOKOUT, Pace};

    /// When a call comes.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Comes {
        /// While it is looked out for.
        AtOnce,
        /// Soon, but behind that.
        Behind,
        Late,
    }

    /// Whether `pace` looks out for a call.
    fn looks_out(pace: &mut Pace, comes: Comes) -> bool {
        let mut looked = false;
        let receive = |flags: RecvFlags| {
            let look = flags.contains(RecvFlags::DONTWAIT);
            looked |= look;
            if comes == Comes::Late && !look {
                sleep(100 * LOOKOUT);
            }
            Ok::<_, Infallible>((comes == Comes::AtOnce || !look).then_some(()))
        };
        assert_eq!(pace.wait(receive), Ok(Some(())));
        looked
    }

    /// How many calls it takes until one is looked out for. A machine may be busy for a moment, and begin anew.
    fn calls_until_lookout(pace: &mut Pace, comes: Comes) -> u16 {
        (1..u16::MAX).find(|_| looks_out(pace, comes)).expect("calls at once are noticed")
    }

    #[test]
    fn only_who_calls_at_once_again_and_again_is_looked_out_for() {
        let mut pace = Pace::default();
        assert!((0..2 * EXPECTED).all(|_| !looks_out(&mut pace, Comes::Late)));
        assert!(calls_until_lookout(&mut pace, Comes::AtOnce) > EXPECTED);
        assert!(looks_out(&mut pace, Comes::AtOnce));
        // Who stops is looked out for once more.
        assert!(looks_out(&mut pace, Comes::Late));
        assert!((0..2 * EXPECTED).all(|_| !looks_out(&mut pace, Comes::Late)));
    }

    #[test]
    fn who_comes_behind_every_lookout_is_looked_out_for_more_and_more_rarely() {
        let mut pace = Pace::default();
        let mut rare = EXPECTED;
        for _ in 0..3 {
            assert!(calls_until_lookout(&mut pace, Comes::Behind) >= rare);
            rare *= DISAPPOINTMENT;
        }
        // Until it pays again.
        calls_until_lookout(&mut pace, Comes::AtOnce);
        assert_eq!(pace.expected, EXPECTED);
    }
}
