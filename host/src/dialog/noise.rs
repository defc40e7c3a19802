//! Whether what came lately is text: with a wrong baud rate, it is not.

/// Bytes after which the share of noise forgets the past.
const MEMORY: usize = 4096;

/// Bytes before which nothing is said about noise.
const ENOUGH: usize = 32;

/// The least share of noise, in percent, that no text has.
const MUCH: usize = 30;

/// Counts what is no text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noise {
    seen: usize,
    noise: usize,
}

impl Noise {
    /// Takes what came.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(MEMORY) {
            self.seen += piece.len();
            self.noise += piece.iter().filter(|byte| is_noise(**byte)).count();
            if self.seen > MEMORY {
                self.seen /= 2;
                self.noise /= 2;
            }
        }
    }

    /// The share of noise in percent, if that is so much that the baud rate must be wrong.
    pub(crate) fn percent(&self) -> Option<usize> {
        let percent = (self.noise * 100).checked_div(self.seen).unwrap_or_default();
        (self.seen >= ENOUGH && percent >= MUCH).then_some(percent)
    }
}

/// A byte that no text of a boot loader has, beside what terminals are steered by.
const fn is_noise(byte: u8) -> bool {
    !matches!(byte, b'\t' | b'\n' | b'\r' | 0x07 | 0x08 | 0x1b | b' '..=b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_told_by_its_share_of_what_came_lately() {
        let mut noise = Noise::default();
        noise.push(&[0xff; 31]);
        assert_eq!(noise.percent(), None, "too little to tell");
        noise.push(b"U-Boot 2023.01\r\n");
        assert_eq!(noise.percent(), Some(65));
        noise.push(&[b'x'; 100]);
        assert_eq!(noise.percent(), None);
        noise.push(&[0x1e; 4 * MEMORY]);
        assert!(noise.percent().is_some_and(|percent| percent > 90), "{noise:?}");
        noise.push(&[b'x'; 4 * MEMORY]);
        assert_eq!(noise.percent(), None);
    }
}
