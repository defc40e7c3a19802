//! The board of a recorded console, without I/O.

use std::time::{Duration, Instant};

use super::id;
use super::script::{Script, Turn};

/// A board that says what it said, when the runner has typed what it typed.
#[derive(Debug)]
pub struct Player {
    turns: Vec<Turn>,
    next: usize,
    /// What was typed, and belongs to no turn yet.
    typed: Vec<u8>,
    /// What the turn before was answered with: a runner that has got no answer types that again.
    before: Vec<u8>,
    /// When the last turn was over.
    since: Instant,
    /// How many times as fast as recorded it speaks; `None`: at once.
    speed: Option<f64>,
}

/// Something else was typed than was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("typed was `{}` where the recording has `{}` (turn {turn} of {of})", typed.escape_ascii(), recorded.escape_ascii())]
pub struct Divergence {
    /// Which turn, from 1.
    pub turn: usize,
    /// How many there are.
    pub of: usize,
    /// What the runner typed.
    pub typed: Vec<u8>,
    /// What it typed in the recording.
    pub recorded: Vec<u8>,
}

impl Player {
    /// A board that is switched on at `now`; it speaks `speed` times as fast as it did, or at once.
    pub fn new(script: Script, speed: Option<f64>, now: Instant) -> Self {
        let turns = script.into_turns();
        Self { turns, next: 0, typed: Vec::new(), before: Vec::new(), since: now, speed }
    }

    /// The runner has typed something.
    ///
    /// # Errors
    /// [`Divergence`] where that is not what was recorded. What it types again, or before the board has come to listen, is
    /// no divergence.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Divergence> {
        // Nobody listens after the last turn.
        if self.next < self.turns.len() {
            self.typed.extend_from_slice(bytes);
        }
        self.listen(now)
    }

    /// What the board says at `now`, if anything is due.
    ///
    /// # Errors
    /// [`Divergence`], as what was typed before it may be for the turn that follows.
    pub fn poll_transmit(&mut self, now: Instant) -> Result<Option<Vec<u8>>, Divergence> {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return Ok(None);
        }
        let Some(Turn::Said { bytes, .. }) = self.turns.get(self.next) else { return Ok(None) };
        let said = bytes.clone();
        self.end_turn(now);
        self.listen(now)?;
        Ok(Some(said))
    }

    /// When the board says something next, if it does not wait for the runner.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.turns.get(self.next) {
            Some(Turn::Said { after, .. }) => {
                Some(self.since + self.speed.map_or(Duration::ZERO, |speed| after.div_f64(speed)))
            }
            _ => None,
        }
    }

    /// What the runner has still to type before the board goes on, or at all.
    pub fn awaited(&self) -> Option<&[u8]> {
        self.turns.iter().skip(self.next).find_map(|turn| match turn {
            Turn::Typed(bytes) => Some(bytes.as_slice()),
            Turn::Said { .. } => None,
        })
    }

    /// Whether nothing has been said nor typed yet.
    pub fn is_fresh(&self) -> bool {
        self.next == 0 && self.typed.is_empty()
    }

    /// Takes what was typed for the turn that waits for it.
    fn listen(&mut self, now: Instant) -> Result<(), Divergence> {
        let Some(Turn::Typed(recorded)) = self.turns.get(self.next) else { return Ok(()) };
        while !self.before.is_empty()
            && !recorded.starts_with(&self.before)
            && self.typed.starts_with(&self.before)
        {
            self.typed.drain(..self.before.len());
        }
        let length = recorded.len().min(self.typed.len());
        let typed = self.typed.get(..length).unwrap_or_default();
        if !id::is_begin(typed, recorded) {
            return Err(Divergence {
                turn: self.next + 1,
                of: self.turns.len(),
                typed: self.typed.clone(),
                recorded: recorded.clone(),
            });
        }
        if length == recorded.len() {
            let exchange = id::exchange(typed, recorded);
            self.before = self.typed.drain(..length).collect();
            if let Some(exchange) = exchange {
                exchange.apply(self.turns.get_mut(self.next..).unwrap_or_default());
            }
            self.end_turn(now);
        }
        Ok(())
    }

    fn end_turn(&mut self, now: Instant) {
        self.next += 1;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Bytes, Direction, Event, EventKind};

    const SECOND: Duration = Duration::from_secs(1);

    fn script(lines: &[(u64, Direction, &str)]) -> Script {
        let mut script = Script::default();
        for (second, direction, text) in lines {
            let data = Bytes(text.as_bytes().to_vec());
            let event = Event {
                seq: 0,
                at: jiff::Timestamp::UNIX_EPOCH,
                elapsed: Duration::from_secs(*second),
                node: Some("board".to_owned()),
                kind: EventKind::Console { direction: *direction, data },
            };
            script.add(&event).unwrap();
        }
        script
    }

    fn boot() -> Script {
        let (rx, tx) = (Direction::Rx, Direction::Tx);
        script(&[
            (2, rx, "autoboot: 2"),
            (3, tx, " "),
            (4, rx, "=> "),
            (5, tx, "ver"),
            (5, tx, "sion\n"),
            (6, rx, "U-Boot"),
        ])
    }

    #[test]
    fn the_board_speaks_in_its_time_and_waits_for_what_was_typed() {
        let start = Instant::now();
        let mut player = Player::new(boot(), Some(2.0), start);
        assert_eq!(player.poll_timeout(), Some(start + SECOND));
        assert_eq!(player.poll_transmit(start), Ok(None));
        assert_eq!(player.poll_transmit(start + SECOND), Ok(Some(b"autoboot: 2".to_vec())));
        assert_eq!((player.poll_timeout(), player.awaited()), (None, Some(&b" "[..])));
        let typed = start + 9 * SECOND;
        player.handle_input(typed, b" ").unwrap();
        assert_eq!(player.poll_timeout(), Some(typed + SECOND / 2));
        assert_eq!(player.poll_transmit(typed + SECOND), Ok(Some(b"=> ".to_vec())));
        for byte in b"version\n" {
            assert!(player.awaited().is_some());
            player.handle_input(typed, &[*byte]).unwrap();
        }
        assert_eq!(player.poll_transmit(typed + SECOND), Ok(Some(b"U-Boot".to_vec())));
        assert_eq!((player.awaited(), player.poll_timeout()), (None, None));
        assert_eq!(player.handle_input(typed, b"anything"), Ok(()));
    }

    #[test]
    fn another_run_has_another_id_and_is_answered_with_it() {
        let (rx, tx) = (Direction::Rx, Direction::Tx);
        let recording = script(&[
            (1, rx, "=> "),
            (2, tx, "tftp 176732304500/zImage\n"),
            (3, rx, "tftp 1767323"),
            (3, rx, "04500/zImage\r\n=> "),
        ]);
        let now = Instant::now();
        let mut player = Player::new(recording, None, now);
        assert_eq!(player.poll_transmit(now), Ok(Some(b"=> ".to_vec())));
        player.handle_input(now, b"tftp 188888888800/zImage\n").unwrap();
        assert_eq!(player.poll_transmit(now), Ok(Some(b"tftp 1888888".to_vec())));
        assert_eq!(player.poll_transmit(now), Ok(Some(b"88800/zImage\r\n=> ".to_vec())));
    }

    #[test]
    fn what_is_typed_again_or_early_is_taken_and_anything_else_is_told() {
        let now = Instant::now();
        let mut player = Player::new(boot(), None, now);
        player.handle_input(now, b"   ver").unwrap();
        assert_eq!(player.poll_transmit(now), Ok(Some(b"autoboot: 2".to_vec())));
        assert_eq!(player.poll_transmit(now), Ok(Some(b"=> ".to_vec())));
        player.handle_input(now, b"sion").unwrap();
        let told = player.handle_input(now, b" x").unwrap_err();
        assert_eq!(
            told.to_string(),
            "typed was `version x` where the recording has `version\\n` (turn 4 of 5)"
        );
    }
}
