//! What a plain scalar means to PyYAML, which reads job files for LAVA.
//!
//! PyYAML follows YAML 1.1 with changes of its own: `yes` and `on` are truth values and `y` is text, `010` is eight,
//! `1:30` is ninety, and `1e3` is text because its numbers need a point.
//!
//! Source: PyYAML's `yaml/resolver.py` and `yaml/constructor.py` (facts); measured with PyYAML 6.

use crate::document::node::Value;

/// The value of the plain scalar `text`.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Value::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Value::Text(text.to_owned());
    }
    match integer(text) {
        Some(number) => Value::Integer(number),
        None if is_float(text) || is_timestamp(text) => Value::Other,
        None => Value::Text(text.to_owned()),
    }
}

fn integer(text: &str) -> Option<i128> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let number = if let Some(digits) = rest.strip_prefix("0b") {
        digits_of(digits, 2)?
    } else if let Some(digits) = rest.strip_prefix("0x") {
        digits_of(digits, 16)?
    } else if let Some(digits) = rest.strip_prefix('0').filter(|digits| !digits.is_empty()) {
        // Zeros and underscores alone are zero.
        if digits.bytes().all(|byte| byte == b'_') { 0 } else { digits_of(digits, 8)? }
    } else {
        sixties(rest)?
    };
    Some(sign * number)
}

/// Digits of a base, with underscores anywhere.
fn digits_of(text: &str, base: u32) -> Option<i128> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    if digits.chars().all(|c| c.is_digit(base)) { i128::from_str_radix(&digits, base).ok() } else { None }
}

/// A decimal number, or several to the base of sixty with colons between them.
fn sixties(text: &str) -> Option<i128> {
    let mut parts = text.split(':');
    let first = parts.next().filter(|first| !first.starts_with('_'))?;
    parts.try_fold(digits_of(first, 10)?, |sum, part| {
        let number: i128 = is_sixtieth(part).then(|| part.parse().ok())??;
        sum.checked_mul(60)?.checked_add(number)
    })
}

/// Whether `text` is a number below 60, of one or two digits.
fn is_sixtieth(text: &str) -> bool {
    matches!(text.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
}

/// Whether `text` is a number with a point. An exponent needs a sign.
fn is_float(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() - unsigned.len() > 1 {
        return false;
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, rest)) = unsigned.split_once('.') else { return false };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if let Some((first, sixtieths)) = whole.split_once(':') {
        let starts = first.starts_with(|c: char| c.is_ascii_digit()) && is_digits(first);
        return starts && sixtieths.split(':').all(is_sixtieth) && is_digits(rest);
    }
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (rest, None),
    };
    let exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let begins = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let point_first = whole.is_empty() && text.starts_with('.') && begins(fraction);
    (point_first || begins(whole) && is_digits(whole)) && is_digits(fraction) && exponent
}

/// Whether `text` is a date, with or without a time.
fn is_timestamp(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ', '\t']) {
        Some(index) => (text.get(..index), text.get(index + 1..)),
        None => (Some(text), None),
    };
    let numbers: Vec<&str> = date.unwrap_or_default().split('-').collect();
    let [year, month, day] = numbers.as_slice() else { return false };
    let digits = |text: &str, lengths: &[usize]| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if time.is_none() {
        return digits(year, &[4]) && digits(month, &[2]) && digits(day, &[2]);
    }
    let clock = time.unwrap_or_default().trim_start_matches([' ', '\t']);
    let mut parts = clock.splitn(3, ':');
    let hour = parts.next().is_some_and(|hour| digits(hour, &[1, 2]));
    let minute = parts.next().is_some_and(|minute| digits(minute, &[2]));
    let second = parts.next().and_then(|second| second.get(..2)).is_some_and(|second| digits(second, &[2]));
    let date = digits(year, &[4]) && digits(month, &[1, 2]) && digits(day, &[1, 2]);
    date && hour && minute && second
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crate::document::node::Value;

    #[test]
    fn whole_numbers_are_pyyamls() {
        for (text, value) in [
            ("0", 0),
            ("20", 20),
            ("+20", 20),
            ("-20", -20),
            ("010", 8),
            ("-017", -15),
            ("0_", 0),
            ("0x1F", 31),
            ("0xA_B", 171),
            ("0b11", 3),
            ("1_000", 1000),
            ("1:30", 90),
            ("1:00:05", 3605),
            ("-1:30", -90),
        ] {
            assert_eq!(resolve(text), Value::Integer(value), "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_number_and_is_none_for_pyyaml_is_text() {
        for text in [
            "0o10",
            "08",
            "019",
            "1e3",
            "441e61",
            "1.5e3",
            "12e+3",
            "1:60",
            "1:",
            ":30",
            "0:30:61",
            "_1",
            "+",
            "-",
            ".",
            "+-1",
            "0x",
            "0xG",
            "0b2",
            "1,000",
            "10m",
            "2026-1-2",
            "1.2.3",
            "192.168.1.1",
            "-x",
            "...",
            "0b",
        ] {
            assert_eq!(resolve(text), Value::Text(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn floats_and_dates_are_neither_text_nor_whole() {
        for text in [
            "1.5",
            "1.",
            ".5",
            "-1.5",
            "1.5e+3",
            "1_0.5",
            ".inf",
            "-.INF",
            ".nan",
            "1:30.5",
            "2026-01-02",
            "2026-01-02T03:04:05Z",
            "2026-1-2 3:04:05.6 +1:00",
        ] {
            assert_eq!(resolve(text), Value::Other, "{text}");
        }
    }

    #[test]
    fn truth_values_and_nothing() {
        for text in ["yes", "Yes", "ON", "true", "True"] {
            assert_eq!(resolve(text), Value::Bool(true), "{text}");
        }
        for text in ["no", "OFF", "false"] {
            assert_eq!(resolve(text), Value::Bool(false), "{text}");
        }
        for text in ["", "~", "null", "NULL"] {
            assert_eq!(resolve(text), Value::Null, "{text}");
        }
        for text in ["y", "n", "Y", "N", "yEs", "nUll", "=", "=>", "<<", "none", "None"] {
            assert_eq!(resolve(text), Value::Text(text.to_owned()), "{text}");
        }
    }
}
