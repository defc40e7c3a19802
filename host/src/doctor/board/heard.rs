//! What a board has said since it was last asked for something.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dialog::{Noise, Scan};
use crate::event::Direction;
use crate::link::{Notice, Tap};

/// The begin of what was said that is kept, in bytes.
const KEPT: usize = 64 << 10;

/// What comes on a console, counted and kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    bytes: usize,
    noise: Noise,
    begin: Vec<u8>,
    end: Scan,
    notices: Vec<String>,
}

impl Heard {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Hears what crosses a console.
    pub(crate) fn tap(&self) -> Tap {
        let heard = self.clone();
        Arc::new(move |direction, bytes| {
            if direction == Direction::Rx {
                heard.lock().hear(bytes);
            }
        })
    }

    /// Hears what happens to the line itself.
    pub(crate) fn notice(&self) -> Notice {
        let heard = self.clone();
        Arc::new(move |text| {
            let mut said = heard.lock();
            // An adapter with a loose contact could go on for ever.
            if said.notices.len() < 16 {
                said.notices.push(text.to_owned());
            }
        })
    }

    /// Forgets all that was said.
    pub(crate) fn forget(&self) {
        *self.lock() = Said::default();
    }

    /// Bytes that came.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Bytes of text that came, apart from ends of lines.
    pub(crate) fn letters(&self) -> usize {
        self.lock().begin.iter().filter(|byte| byte.is_ascii_graphic()).count()
    }

    /// The share of noise in percent, if that is so much that the speed must be wrong.
    pub(crate) fn noise(&self) -> Option<usize> {
        self.lock().noise.percent()
    }

    /// The begin of what came, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().begin).into_owned()
    }

    /// The last lines that came, printable.
    pub(crate) fn tail(&self) -> String {
        self.lock().end.tail()
    }

    /// What happened to the line itself.
    pub(crate) fn notices(&self) -> Vec<String> {
        self.lock().notices.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    fn hear(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.noise.push(bytes);
        let room = KEPT.saturating_sub(self.begin.len());
        self.begin.extend(bytes.iter().take(room));
        self.end.push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_told_by_its_share() {
        let heard = Heard::new();
        let tap = heard.tap();
        tap(Direction::Tx, &[0xff; 100]);
        assert_eq!((heard.bytes(), heard.noise()), (0, None));
        tap(Direction::Rx, &[0xff; 31]);
        assert_eq!(heard.noise(), None, "too little to tell");
        tap(Direction::Rx, b"U-Boot 2023.01\r\n");
        assert_eq!(heard.noise(), Some(65));
        tap(Direction::Rx, &[b'x'; 100]);
        assert_eq!(heard.noise(), None);
        heard.forget();
        assert_eq!((heard.bytes(), heard.text().as_str()), (0, ""));
    }

    #[test]
    fn memory_is_bounded() {
        let heard = Heard::new();
        let (tap, notice) = (heard.tap(), heard.notice());
        for _ in 0..100 {
            tap(Direction::Rx, &[b'x'; 4096]);
            notice("unplugged");
        }
        assert_eq!((heard.bytes(), heard.text().len(), heard.notices().len()), (409_600, KEPT, 16));
    }
}
