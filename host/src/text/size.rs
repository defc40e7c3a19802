//! Sizes for people.

use std::fmt;

/// Displays a number of bytes in the decimal unit in which it is read at a glance: `17 B`, `1.2 kB`, `12.4 MB`, `53.0 GB`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0..1_000 => return f.pad(&format!("{} B", self.0)),
            // What rounds up to a thousand is one of the next unit.
            1_000..999_950 => (1e3, "kB"),
            999_950..999_950_000 => (1e6, "MB"),
            _ => (1e9, "GB"),
        };
        f.pad(&format!("{:.1} {name}", self.0 as f64 / unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        let shown = [0, 999, 1_000, 999_999, 1_250_000, 999_900_000, 999_960_000, 53_000_000_000]
            .map(|bytes| Size(bytes).to_string());
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "1.0 MB", "1.2 MB", "999.9 MB", "1.0 GB", "53.0 GB"]);
        assert_eq!(format!("{:>9}", Size(1_500)), "   1.5 kB");
    }
}
