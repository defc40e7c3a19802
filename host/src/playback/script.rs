//! What crossed a recorded console, in turns.

use std::time::Duration;

use crate::event::{Direction, Event, EventKind};

/// Bytes of a console that are played at most.
const MAX_BYTES: usize = 64 << 20;

/// One turn of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The board said something.
    Said {
        /// How long after the turn before it, or after the console was opened.
        after: Duration,
        /// What.
        bytes: Vec<u8>,
    },
    /// The runner typed something.
    Typed(Vec<u8>),
}

impl Turn {
    /// What crossed the console.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Said { bytes, .. } | Self::Typed(bytes) => bytes,
        }
    }

    /// As [`Self::bytes`], to be changed.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Said { bytes, .. } | Self::Typed(bytes) => bytes,
        }
    }
}

/// The turns of one node's console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    turns: Vec<Turn>,
    bytes: usize,
    /// Of the last turn, or of what opened the console.
    last: Duration,
}

/// Why a console cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It would have to be kept in memory.
    #[error("more than {} MiB crossed the console", MAX_BYTES >> 20)]
    TooLong,
}

impl Script {
    /// Takes the next event of the node.
    ///
    /// # Errors
    /// [`ScriptError::TooLong`].
    pub fn add(&mut self, event: &Event) -> Result<(), ScriptError> {
        match &event.kind {
            // A console is opened as a phase begins, before the board is switched on.
            EventKind::PhaseStarted { .. } if self.turns.is_empty() => self.last = event.elapsed,
            EventKind::Console { direction, data } => {
                self.bytes = self.bytes.saturating_add(data.0.len());
                if self.bytes > MAX_BYTES {
                    return Err(ScriptError::TooLong);
                }
                let after = event.elapsed.saturating_sub(self.last);
                self.last = event.elapsed;
                self.push(*direction, after, data.0.clone());
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether nothing crossed the console.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// The turns.
    pub(super) fn into_turns(self) -> Vec<Turn> {
        self.turns
    }

    fn push(&mut self, direction: Direction, after: Duration, bytes: Vec<u8>) {
        match (direction, self.turns.last_mut()) {
            (Direction::Tx, Some(Turn::Typed(typed))) => typed.extend(bytes),
            (Direction::Tx, _) => self.turns.push(Turn::Typed(bytes)),
            (Direction::Rx, _) => self.turns.push(Turn::Said { after, bytes }),
        }
    }
}
