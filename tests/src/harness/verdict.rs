//! Who is ahead of whom, and not by chance.

use std::io::{self, Write};

/// Chance that is put up with.
const LEVEL: f64 = 0.05;

/// Whether the first of a pair is the larger one so often that even odds would bring that about in less than one case of
/// twenty (one-sided sign test; equal ones do not count). Takes five pairs at least, and all of those.
pub fn is_larger(pairs: impl IntoIterator<Item = (f64, f64)>) -> bool {
    let (mut larger, mut smaller) = (0_u32, 0_u32);
    for (one, other) in pairs {
        larger += u32::from(one > other);
        smaller += u32::from(one < other);
    }
    let count = larger + smaller;
    // Binomial coefficients of `count`, from the largest number of successes down.
    let mut ways = 1.0;
    let mut tail = 0.0;
    for failures in 0..=smaller {
        tail += ways;
        ways *= f64::from(count - failures) / f64::from(failures + 1);
    }
    count > 0 && tail / 2_f64.powf(f64::from(count)) < LEVEL
}

/// Says in which columns a peer is ahead.
///
/// # Errors
/// Those of `out`.
pub fn print_verdict(out: &mut impl Write, ahead: &[String]) -> io::Result<()> {
    match ahead {
        [] => writeln!(
            out,
            "\nno peer is ahead in any column, by more than chance (sign test over the rounds, 5 %)"
        ),
        columns => writeln!(
            out,
            "\na peer is ahead in these columns (sign test over the rounds, 5 %):\n  {}",
            columns.join("\n  ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::is_larger;

    /// `larger` pairs whose first is the larger, and `smaller` of the others.
    fn of(larger: usize, smaller: usize) -> bool {
        is_larger([vec![(2.0, 1.0); larger], vec![(1.0, 2.0); smaller], vec![(1.0, 1.0); 3]].concat())
    }

    #[test]
    fn the_levels_are_those_of_the_binomial_distribution() {
        // 1/32 and 10/512 are below 1/20; 1/16, 6/32 and 46/512 are not.
        assert!(of(5, 0) && of(8, 1));
        assert!(!of(4, 0) && !of(4, 1) && !of(7, 2));
        assert!(!of(0, 0) && !of(0, 9));
    }
}
