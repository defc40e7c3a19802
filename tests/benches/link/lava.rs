//! What LAVA makes of text signals on a console: a model of its matcher.
//!
//! LAVA's helpers print `<LAVA_SIGNAL_NAME words>`; the dispatcher looks for them in all that the console says with the regular
//! expression below. A test case is dropped when one of its words is no pair, when its result is none of four, or when its
//! measurement is no number (`lava_dispatcher/actions/test/shell.py`, LAVA 2026.07).

use regex::bytes::Regex;

use crate::injection::Case;

/// What the helper prints for a case.
pub(crate) fn signal(case: &Case) -> Vec<u8> {
    let Case { id, result, measurement } = case;
    format!("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={id} RESULT={result} UNITS=s MEASUREMENT={measurement}>\r\n")
        .into_bytes()
}

/// The cases that LAVA reports for what came over the console.
pub(crate) fn cases(console: &[u8]) -> Result<Vec<Case>, regex::Error> {
    let signals = Regex::new(r"(?s-u)<LAVA_SIGNAL_(\S+) ([^>]+)>")?;
    let test_cases = signals.captures_iter(console).filter(|signal| &signal[1] == b"TESTCASE");
    Ok(test_cases.filter_map(|signal| case(&String::from_utf8_lossy(&signal[2]))).collect())
}

/// The case that a signal's words tell; `None` if it is dropped.
fn case(words: &str) -> Option<Case> {
    let (mut id, mut result, mut measurement) = (None, None, None);
    for word in words.split_whitespace() {
        let (key, value) = word.split_once('=').filter(|(_, value)| !value.contains('='))?;
        match key.to_lowercase().as_str() {
            "test_case_id" => id = Some(value),
            "result" => result = Some(value),
            "measurement" => measurement = Some(value),
            _ => {}
        }
    }
    let (result, measurement) = (result?, measurement.unwrap_or_default());
    let is_known = ["pass", "fail", "skip", "unknown"].contains(&result);
    (is_known && measurement.parse::<f64>().is_ok()).then(|| Case {
        id: id.unwrap_or_default().to_owned(),
        result: result.to_owned(),
        measurement: measurement.to_owned(),
    })
}
