//! Numbers as text, without the weight of `core::fmt`.

use heapless::String;

/// Writes a number in decimal digits.
#[must_use]
pub fn decimal(mut number: u64) -> String<20> {
    let mut digits = [0; 20];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        length += 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let mut text = String::new();
    for digit in digits.iter().skip(digits.len() - length) {
        // A u64 has at most the 20 digits that fit.
        let _ = text.push(char::from(*digit));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_of_number_is_written_whole() {
        for number in [0, 7, 10, 4096, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(decimal(number).as_str(), number.to_string());
        }
    }
}
