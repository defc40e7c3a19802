//! Numbers and addresses as text, without the weight of `core::fmt`.

use core::net::{Ipv4Addr, Ipv6Addr};

use heapless::String;

/// Longest text of an address: eight groups of four digits and what is between them.
pub(crate) const MAX_ADDRESS: usize = 39;

/// Writes a number in decimal digits.
pub(crate) fn decimal(mut number: u32) -> String<10> {
    let mut digits = [0; 10];
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
        // A u32 has at most the 10 digits that fit.
        let _ = text.push(char::from(*digit));
    }
    text
}

/// Writes an IPv4 address.
pub(crate) fn ipv4(address: Ipv4Addr) -> String<MAX_ADDRESS> {
    let mut text = String::new();
    for octet in address.octets() {
        // Four octets fit, with what is between them.
        let _ = if text.is_empty() { Ok(()) } else { text.push('.') };
        let _ = text.push_str(&decimal(octet.into()));
    }
    text
}

/// Writes an IPv6 address, with `::` for its first longest run of at least two zero groups (RFC 5952 §4).
pub(crate) fn ipv6(address: Ipv6Addr) -> String<MAX_ADDRESS> {
    let groups = address.segments();
    let (mut longest, mut run) = (0..0, 0..0);
    for (index, group) in groups.iter().enumerate() {
        if *group == 0 {
            run.end = index + 1;
        } else {
            run = index + 1..index + 1;
        }
        if run.len() > longest.len().max(1) {
            longest = run.clone();
        }
    }
    let mut text = String::new();
    for (index, group) in groups.iter().enumerate() {
        // Eight groups fit, with what is between them.
        if longest.contains(&index) {
            let _ = if index == longest.start { text.push_str("::") } else { Ok(()) };
            continue;
        }
        let _ = if index == 0 || index == longest.end { Ok(()) } else { text.push(':') };
        let digits = [12, 8, 4, 0].into_iter().skip_while(|shift| *shift > 0 && group >> shift == 0);
        for digit in digits.filter_map(|shift| char::from_digit(u32::from(group >> shift & 0xf), 16)) {
            let _ = text.push(digit);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_standard_library_does() {
        for address in ["0.0.0.0", "10.77.0.2", "255.255.255.255"] {
            assert_eq!(ipv4(address.parse().expect("an address")).as_str(), address);
        }
        let table = [
            "::",
            "::1",
            "1::",
            "fe80::1",
            "2001:db8::a0:0:1",
            "1:0:2:3:4:5:6:7",
            "0:1:2:3:4:5:6:0",
            "1::2:0:0:3:4",
            "1:2:3:4:5:6:0:8",
            "2001:0:0:1::2",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "0:0:1::",
        ];
        for text in table {
            let address: Ipv6Addr = text.parse().expect("an address");
            assert_eq!(ipv6(address).as_str(), address.to_string());
        }
    }

    #[test]
    fn every_length_of_number_is_written_whole() {
        for number in [0, 7, 10, 4096, u32::MAX] {
            assert_eq!(decimal(number).as_str(), number.to_string());
        }
    }
}
