//! Regular expressions as Python's users write them, for the `regex` crate.
//!
//! The two agree on nearly all that is used. What differs and has a meaning in both is put into this crate's form; what
//! only Python has (look-around, back-references) stays, and is refused when the expression is compiled.
//!
//! Source: Python's `re`, Regular Expression Syntax; the `regex` crate's documentation, Syntax.

use std::iter::Peekable;
use std::str::Chars;

/// `pattern` in the form of the `regex` crate.
pub(crate) fn from_python(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out),
            '[' => class(&mut chars, &mut out),
            '{' => brace(&mut chars, &mut out),
            _ => out.push(c),
        }
    }
    out
}

fn escape(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    match chars.next() {
        Some('Z') => out.push_str("\\z"),
        // Not the begin and end of a word.
        Some(c @ ('<' | '>')) => out.push(c),
        Some(c) => out.extend(['\\', c]),
        None => out.push('\\'),
    }
}

/// A brace that counts nothing is a brace.
fn brace(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    let ahead: String = chars.clone().take_while(|&c| c.is_ascii_digit() || c == ',').collect();
    let closed = chars.clone().nth(ahead.chars().count()) == Some('}');
    let commas = ahead.matches(',').count();
    let counts = closed && commas < 2 && ahead != "," && !ahead.is_empty();
    match counts {
        true if ahead.starts_with(',') => out.push_str("{0"),
        true => out.push('{'),
        false => out.push_str("\\{"),
    }
}

/// What stands between brackets: a bracket within is one, and there are no differences of classes.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if let Some(negation) = chars.next_if_eq(&'^') {
        out.push(negation);
    }
    if chars.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    while let Some(c) = chars.next() {
        match c {
            ']' => return out.push(c),
            '\\' => escape(chars, out),
            '[' => out.push_str("\\["),
            '&' | '~' => out.extend(['\\', c]),
            '-' if chars.peek() == Some(&'-') => out.push_str("\\-"),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::from_python;

    fn matches(pattern: &str, text: &str) -> bool {
        Regex::new(&from_python(pattern)).unwrap().is_match(text)
    }

    #[test]
    fn what_both_know_stays() {
        for pattern in
            [r"root@debian:~#", r"=> ", r"\[root@[a-z0-9-]+ .*\][$#]", r"(?P<id>\w+){2,3}$", "a{3}b{2,}"]
        {
            assert_eq!(from_python(pattern), pattern);
        }
    }

    #[test]
    fn braces_that_count_nothing_are_braces() {
        assert!(matches("root@{host}#", "root@{host}#"));
        assert!(matches("a{,2}$", "aa"));
        assert!(matches("a{,}", "a{,}"));
        assert!(matches("{", "{"));
    }

    #[test]
    fn brackets_within_brackets_are_brackets() {
        assert!(matches(r"[[a]", "["));
        assert!(matches(r"[]a]", "]"));
        assert!(!matches(r"[^]a]", "]"));
        assert!(matches(r"[a&&b]", "&"));
        assert!(matches(r"[+--]", "-"), "a range from plus to minus");
    }

    #[test]
    fn escapes_have_pythons_meaning() {
        assert!(matches(r"a\Z", "a"));
        assert!(matches(r"\<LAVA\>", "<LAVA>"));
        assert!(Regex::new(&from_python(r"(?=x)")).is_err());
    }
}
