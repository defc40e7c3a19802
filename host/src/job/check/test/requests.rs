//! What the steps of a definition ask of the group, as far as it can be seen.
//!
//! A shell's text is not run here. What stands where a command can stand is a request; what is written anywhere else, as in
//! a quoted script, and scripts that are called, may ask anything.

use std::sync::LazyLock;

use protocol::helper;
use regex::Regex;

use crate::diagnostic::{Span, nearest};
use crate::job::model::GroupRequest;
use crate::job::testdef::{Requests, StepRequest};

/// Most requests of a definition that are looked at.
const MAX_REQUESTS: usize = 1000;

/// The message of `lava-network broadcast` and `collect`.
const NETWORK: &str = "network_info";

/// A helper where a command can stand, with its first two words.
static REQUEST: LazyLock<Regex> = LazyLock::new(|| {
    let place = r"(?:^|[;&|({!`]|\b(?:do|then|else|elif|if|while|until|time|exec|command|sudo|env)\b|--shell\b|\btimeout[ \t]+\S+)";
    let before = r"\s*(?:\w+=\S*\s+)*(?:[\w./-]*/)?";
    let words = r"[ \t]+([^\s;&|)`]+)(?:[ \t]+([^\s;&|)`]+))?";
    let helper = r"lava-(send|wait-all|wait|sync|network)";
    Regex::new(&format!("(?m){place}{before}{helper}{words}")).expect("a constant pattern is valid")
});

/// What begins like a helper where a command can stand.
static HELPER: LazyLock<Regex> = LazyLock::new(|| {
    let place = r"(?:^|[;&|({!`]|\b(?:do|then|else|elif|if|while|until|time|exec|sudo)\b|--shell\b)";
    Regex::new(&format!(r"(?m){place}[ \t]*(lava-[\w-]+)")).expect("a constant pattern is valid")
});

/// A helper anywhere.
static MENTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\blava-(?:send|wait|sync|network)\b").expect("a constant pattern is valid")
});

/// A script, or text that becomes one, where a command can stand.
static SCRIPT: LazyLock<Regex> = LazyLock::new(|| {
    let place = r"(?:^|[;&|({!]|\b(?:do|then|else|if|while|until|exec|sudo)\b|--shell\b)";
    let script = r"(?:\.{1,2}/|/|\.\s|(?:source|eval|sh|bash|dash|ash|python3?|perl|xargs|make)\b)";
    Regex::new(&format!(r"(?m){place}\s*(?:\w+=\S*\s+)*{script}")).expect("a constant pattern is valid")
});

/// The requests in the steps of a definition, each with its place.
pub(super) fn requests<'s>(steps: impl IntoIterator<Item = (&'s str, Span)>) -> Requests {
    let mut requests = Requests::default();
    for (command, span) in steps {
        let visible = visible(command, &mut requests.may_be_more);
        let before = requests.seen.len();
        let room = MAX_REQUESTS.saturating_sub(before);
        requests.seen.extend(
            REQUEST.captures_iter(&visible).filter_map(|found| request(&found, &visible, span)).take(room),
        );
        let seen = requests.seen.len() - before;
        requests.may_be_more |= MENTION.find_iter(&visible).count() > seen || SCRIPT.is_match(&visible);
    }
    requests
}

/// Whether text that is not looked at as a step may ask something of the group.
pub(super) fn may_ask(text: &str) -> bool {
    MENTION.is_match(text)
}

/// The words where a helper can stand that are none and look like one, each with that.
pub(super) fn misspelt(command: &str) -> Vec<(String, &'static str)> {
    let visible = visible(command, &mut false);
    let words = HELPER.captures_iter(&visible).filter_map(|found| Some(found.get(1)?.as_str()));
    let unknown = words.filter(|word| !helper::NAMES.contains(word));
    // Longer and shorter words may well be programs of the user's own.
    let is_alike = |word: &str, near: &str| word.len().abs_diff(near.len()) <= 1;
    unknown
        .filter_map(|word| {
            Some((word.to_owned(), nearest(word, helper::NAMES).filter(|near| is_alike(word, near))?))
        })
        .take(MAX_REQUESTS)
        .collect()
}

/// The keys of the `key=value` words that `rest` begins with, up to the end of the command; `None` if a shell may make
/// others.
fn keys(rest: &str) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    for word in command_of(rest)?.split_whitespace() {
        let (key, is_pair) = word.split_once('=').map_or((word, false), |(key, _)| (key, true));
        if key.contains(['$', '"', '\'']) {
            return None;
        }
        // What has no `=` is part of a value, or a redirection.
        keys.extend(is_pair.then(|| key.to_owned()));
    }
    Some(keys)
}

/// What `text` begins with up to the end of the command, with `$` for each command in it whose output is put there; `None` if
/// one of these has no end.
pub(super) fn command_of(text: &str) -> Option<String> {
    let mut plain = without_substitutions(text)?;
    let is_end = |index: usize, c: char| match c {
        '\n' | ';' | '|' | ')' => true,
        // Not that of `2>&1`.
        '&' => !plain.get(..index).is_some_and(|before| before.ends_with('>')),
        _ => false,
    };
    let end = plain.char_indices().find(|(index, c)| is_end(*index, *c)).map(|(index, _)| index);
    plain.truncate(end.unwrap_or(plain.len()));
    Some(plain)
}

/// `text` with `$` for each command in it whose output is put there; `None` if one of them has no end.
fn without_substitutions(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("$(").into_iter().chain(rest.find('`')).min() {
        let (before, inner) = rest.split_at(start);
        plain.push_str(before);
        plain.push('$');
        let mut depth = 0_usize;
        let end = match inner.strip_prefix('`') {
            Some(inner) => inner.find('`').map(|end| end + 1),
            None => inner.char_indices().find_map(|(index, c)| {
                depth = if c == '(' { depth + 1 } else { depth.saturating_sub(usize::from(c == ')')) };
                (c == ')' && depth == 0).then_some(index)
            }),
        };
        rest = inner.get(end? + 1..)?;
    }
    plain.push_str(rest);
    Some(plain)
}

fn request(found: &regex::Captures<'_>, visible: &str, span: Span) -> Option<StepRequest> {
    let word = |index| found.get(index).map(|word| word.as_str().to_owned());
    let (first, second) = (word(2)?, word(3));
    let (request, id, role) = match found.get(1)?.as_str() {
        "send" => (GroupRequest::Send, first, None),
        "wait" => (GroupRequest::Wait, first, None),
        "wait-all" => (GroupRequest::WaitAll, first, second),
        "sync" => (GroupRequest::Sync, first, None),
        _ => match first.as_str() {
            "broadcast" => (GroupRequest::Send, NETWORK.to_owned(), None),
            "collect" => (GroupRequest::WaitAll, NETWORK.to_owned(), None),
            _ => return None,
        },
    };
    let rest = found.get(2).and_then(|id| visible.get(id.end()..)).unwrap_or_default();
    let keys = if request == GroupRequest::Send { keys(rest) } else { None };
    Some(StepRequest { request, id, role, keys, span })
}

/// `command` without comments, here-documents and quoted text of several words. Notes whether one of these has a helper.
pub(super) fn visible(command: &str, hidden: &mut bool) -> String {
    let mut visible = String::with_capacity(command.len());
    let mut delimiters = Vec::new();
    let mut rest = command;
    while let Some(c) = rest.chars().next() {
        let behind = rest.get(c.len_utf8()..).unwrap_or_default();
        let begins_word = visible.chars().next_back().is_none_or(|last| " \t\n;&|(".contains(last));
        match c {
            '\'' | '"' => {
                let (text, behind) = quoted(behind, c);
                let is_word = !text.contains([' ', '\t', '\n', ';', '&', '|']);
                *hidden |= !is_word && MENTION.is_match(text);
                visible.push_str(if is_word { text } else { "_" });
                rest = behind;
            }
            '#' if begins_word => {
                rest = behind.find('\n').and_then(|end| behind.get(end..)).unwrap_or_default()
            }
            '\\' if behind.starts_with('\n') => {
                visible.push(' ');
                rest = behind.get(1..).unwrap_or_default();
            }
            '<' if behind.starts_with('<') && !behind.starts_with("<<") => {
                let word = behind.trim_start_matches(['<', '-', ' ']);
                let end = word.find([' ', '\t', '\n', ';', '&', '|', ')']).unwrap_or(word.len());
                let (delimiter, behind) = word.split_at(end);
                delimiters.push(delimiter.replace(['\'', '"', '\\'], ""));
                rest = behind;
            }
            '\n' if !delimiters.is_empty() => {
                visible.push('\n');
                rest = behind;
                for delimiter in delimiters.drain(..) {
                    let (document, behind) = here_document(rest, &delimiter);
                    *hidden |= MENTION.is_match(document);
                    rest = behind;
                }
            }
            _ => {
                visible.push(c);
                rest = behind;
            }
        }
    }
    visible
}

/// What is in the quotes that are open at the beginning of `text`, and what is behind them.
fn quoted(text: &str, quote: char) -> (&str, &str) {
    let mut escaped = false;
    let end = text.char_indices().find(|(_, c)| {
        let is_end = *c == quote && !escaped;
        escaped = *c == '\\' && quote == '"' && !escaped;
        is_end
    });
    end.map_or((text, ""), |(end, _)| {
        (text.get(..end).unwrap_or_default(), text.get(end + 1..).unwrap_or_default())
    })
}

/// The here-document that begins with `text`, and what is behind it.
fn here_document<'t>(text: &'t str, delimiter: &str) -> (&'t str, &'t str) {
    let mut len = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end_matches('\n').trim_start_matches('\t') == delimiter {
            return (text.get(..len).unwrap_or_default(), text.get(len + line.len()..).unwrap_or_default());
        }
        len += line.len();
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::{Requests, misspelt, requests};
    use crate::diagnostic::Span;

    fn of(command: &str) -> Requests {
        requests([(command, Span::default())])
    }

    fn seen(command: &str) -> Vec<String> {
        let requests = of(command);
        let written = requests.seen.iter().map(|request| {
            let role = request.role.as_deref().map(|role| format!(" {role}")).unwrap_or_default();
            format!("{} {}{role}", request.request.name(), request.id)
        });
        written.collect()
    }

    #[test]
    fn helpers_are_seen_where_a_command_can_stand() {
        for (command, expected) in [
            ("lava-send ready", "lava-send ready"),
            ("a && lava-wait 'it is' || exit 1", "lava-wait _"),
            ("if true; then lava-sync \"end\"; fi", "lava-sync end"),
            ("for i in 1 2; do lava-wait-all id-$i client; done", "lava-wait-all id-$i client"),
            ("lava-test-case x --shell lava-send ready ip=1", "lava-send ready"),
            ("sudo lava-send ready; true", "lava-send ready"),
            ("timeout 30 lava-wait ready", "lava-wait ready"),
            ("X=1 lava-send ready", "lava-send ready"),
            ("/lava-1/bin/lava-send ready", "lava-send ready"),
            ("x=$(lava-wait ready)", "lava-wait ready"),
            ("true \\\n && lava-send ready", "lava-send ready"),
            ("lava-network broadcast eth0", "lava-send network_info"),
            ("lava-network collect eth0", "lava-wait-all network_info"),
        ] {
            assert_eq!(seen(command), [expected], "{command}");
            assert!(!of(command).may_be_more || command.starts_with('/'), "{command}");
        }
    }

    #[test]
    fn text_is_not_taken_for_a_request_and_scripts_may_ask_anything() {
        for command in [
            "bash -c \"lava-send ready\"",
            "echo 'sent; lava-send ready'",
            "cat > x.sh <<'EOF'\nlava-send ready\nEOF\nchmod +x x.sh",
            "echo lava-send ready",
            "xargs lava-send",
            "./send.sh",
            "cd x; sh send.sh",
            ". /etc/profile",
        ] {
            assert_eq!(seen(command), [""; 0], "{command}");
            assert!(of(command).may_be_more, "{command}");
        }
        for command in ["echo hello # lava-send ready", "echo 'it is well'; uname -a", "cat /proc/version"] {
            assert_eq!(of(command), Requests::default(), "{command}");
        }
    }

    #[test]
    fn keys_of_what_is_sent_are_seen_unless_a_shell_makes_them_up() {
        for (command, expected) in [
            ("lava-send ipv4 ipaddr=$(lava-echo-ipv4 eth0); true", Some(vec!["ipaddr"])),
            ("lava-send x a=1 b='two words' && lava-sync y", Some(vec!["a", "b"])),
            ("lava-send x", Some(vec![])),
            ("lava-send x $key=1", None),
            ("lava-send x mac=$(ip link | head -1; (a)) ip=$(lava-echo-ipv4 eth0)", Some(vec!["mac", "ip"])),
            ("lava-send x mac=`cat a | b` ip=3 2>&1 c=1", Some(vec!["mac", "ip", "c"])),
            ("lava-send x mac=1 $KEYS", None),
            ("lava-send x mac=1 \"$@\"", None),
        ] {
            let keys = of(command).seen[0].keys.clone();
            let expected = expected.map(|keys| keys.into_iter().map(str::to_owned).collect());
            assert_eq!(keys, expected, "{command}");
        }
    }

    #[test]
    fn a_misspelt_helper_is_seen_where_a_command_can_stand() {
        for (command, word, near) in [
            ("true; lava-tset-case x --result pass", "lava-tset-case", "lava-test-case"),
            ("if lava-snyc x; then true; fi", "lava-snyc", "lava-sync"),
        ] {
            assert_eq!(misspelt(command), [(word.to_owned(), near)]);
        }
        for command in [
            "lava-test-case x --result pass",
            "echo lava-tset-case",
            "lava-qemu-images list",
            "lava-tests --list",
        ] {
            assert_eq!(misspelt(command), [], "{command}");
        }
    }

    #[test]
    fn many_requests_are_bounded() {
        let many = of(&"lava-send a;".repeat(5000));
        assert_eq!((many.seen.len(), many.may_be_more), (1000, true));
    }
}
