//! The text of a job file, for those who want to know later what a run was of.

use super::Job;
use crate::artifact::without_secrets;
use crate::diagnostic::{Source, Span};
use crate::document::{Node, Value};
use crate::text::MASK;

/// Stands before a text that is no job any more without what is hidden: an alias is of nothing then.
const NO_JOB: &str = "# Without the values that are left out this is no job file.\n";

/// A job file that anybody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobText {
    /// Its path as it was given, or `standard input`.
    pub file: String,
    /// Its text, as it was read, but for what is not for everybody.
    pub text: String,
}

/// A value of a job file that is not for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Where it is written.
    span: Span,
    /// What it is.
    value: String,
    /// What stands there for everybody; nothing if that is all.
    shown: Option<String>,
}

/// The values that are not for everybody, each once: those of `secrets`, wherever an anchor has put them, those of `headers`,
/// and URLs with a user or a query.
pub(super) fn hidden(job: &Node, source: &Source) -> Vec<Hidden> {
    let mut hidden = Vec::new();
    if let Value::Mapping(entries) = &job.value {
        let secrets = entries.iter().filter(|(key, _)| key.name == "secrets");
        secrets.for_each(|(_, value)| hide_all(value, source, &mut hidden));
    }
    hide(job, source, &mut hidden);
    hidden.sort_by_key(|hidden| hidden.span.offset);
    hidden.dedup_by_key(|hidden| hidden.span.offset);
    hidden
}

fn hide(node: &Node, source: &Source, hidden: &mut Vec<Hidden>) {
    match &node.value {
        Value::Sequence(items) => items.iter().for_each(|item| hide(item, source, hidden)),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                match key.name.as_str() {
                    "headers" => hide_all(value, source, hidden),
                    _ => hide(value, source, hidden),
                }
            }
        }
        // In a text of several words is no URL that is fetched.
        Value::Text(text) if text.contains("://") && !text.contains(char::is_whitespace) => {
            let shown = without_secrets(text);
            if shown != *text {
                hidden.push(Hidden { span: node.span, value: text.clone(), shown: Some(shown) });
            }
        }
        _ => {}
    }
}

/// Hides all scalars in `node`.
fn hide_all(node: &Node, source: &Source, hidden: &mut Vec<Hidden>) {
    match &node.value {
        Value::Sequence(items) => items.iter().for_each(|item| hide_all(item, source, hidden)),
        Value::Mapping(entries) => entries.iter().for_each(|(_, value)| hide_all(value, source, hidden)),
        _ => {
            let value = node.text(source).map(str::to_owned);
            hidden.extend(value.map(|value| Hidden { span: node.span, value, shown: None }));
        }
    }
}

impl Hidden {
    /// What stands in place of `written`.
    fn in_place_of(&self, written: &str) -> String {
        match &self.shown {
            Some(shown) if written.contains(&self.value) => written.replace(&self.value, shown),
            // A block of text ends with its line.
            _ if written.ends_with('\n') => format!("{MASK}\n"),
            _ => format!("\"{MASK}\""),
        }
    }
}

impl Job {
    /// The file's text without what is not for everybody. A header's value that is the name of a token is for everybody:
    /// `is_token` tells.
    ///
    /// In place of all that is written under `secrets` stand the names alone. YAML can write a value in more ways than
    /// could be looked for.
    pub fn text(&self, is_token: impl Fn(&str) -> bool) -> JobText {
        let mut text = self.source.text.to_string();
        let in_secrets = |hidden: &Hidden| {
            self.secrets_at.is_some_and(|at| (at.offset..at.offset + at.len).contains(&hidden.span.offset))
        };
        let is_shown = |hidden: &Hidden| hidden.shown.is_none() && is_token(&hidden.value);
        let hidden = self.hidden.iter().filter(|hidden| !in_secrets(hidden) && !is_shown(hidden));
        let mut replaced: Vec<(Span, String)> = hidden
            .filter_map(|hidden| Some((hidden.span, hidden.in_place_of(written_at(&text, hidden.span)?))))
            .chain(self.secrets_at.and_then(|at| Some((at, self.names_of_secrets(written_at(&text, at)?)))))
            .collect();
        // From the end, so that places before it stay what they are.
        replaced.sort_by_key(|(span, _)| std::cmp::Reverse(span.offset));
        for (Span { offset, len }, shown) in replaced {
            text.replace_range(offset..offset + len, &shown);
        }
        let file = self.source.name.clone();
        if text != *self.source.text && Self::parse(&Source::new(file.clone(), text.clone())).is_err() {
            text.insert_str(0, NO_JOB);
        }
        JobText { file, text }
    }

    /// What stands in place of all that is `written` from `secrets` to the next key: the names alone.
    fn names_of_secrets(&self, written: &str) -> String {
        let names: Vec<_> = self.secrets.iter().map(|(name, _)| format!("\"{name}\": \"{MASK}\"")).collect();
        // Of a mapping in braces, the next key or the end of all is still to come.
        let end = match written.trim_end() {
            written if written.ends_with(',') => ", ",
            written if written.ends_with('}') && self.source.text.trim_start().starts_with('{') => "}\n",
            _ => "\n",
        };
        format!("\"secrets\": {{{}}}{end}", names.join(", "))
    }
}

/// What is written at a place of `text`.
fn written_at(text: &str, Span { offset, len }: Span) -> Option<&str> {
    text.get(offset..offset + len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    const ACTIONS: &str = "actions: [{deploy: {to: tftp, kernel: {url: \"http://files/zImage\"}}}]\n";

    fn shown(text: &str) -> String {
        Job::parse(&Source::new("job.yaml", text))
            .unwrap_or_else(|problems| panic!("{problems:?}"))
            .text(|name| name == "gitlab")
            .text
    }

    fn with(secrets: &str) -> String {
        format!("job_name: j\r\n{secrets}device_type: bbb # t1\ntimeouts: {{job: {{minutes: 5}}}}\n{ACTIONS}")
    }

    #[test]
    fn a_job_without_secrets_is_kept_to_its_last_byte() {
        assert_eq!(shown(&with("# a comment\n")), with("# a comment\n"));
    }

    #[test]
    fn values_are_left_out_however_they_are_written() {
        for value in [
            "s3cret-token",
            "'s3cret''token'",
            "\"s3c\\x72et\"",
            "|-\n    s3\n    cret\n",
            ">\n    s3\n    cret\n",
        ] {
            let text = shown(&with(&format!("secrets:\n  TOKEN: {value}\n  # was s3\n")));
            assert_eq!(text, with("\"secrets\": {\"TOKEN\": \"[secret]\"}\n"), "{value}");
            assert_eq!(shown(&text), text, "it is a job still");
        }
    }

    #[test]
    fn headers_and_urls_show_what_is_for_everybody() {
        let actions = |header: &str, user: &str, query: &str| {
            let url = format!("http://{user}files/zImage{query}");
            let kernel = format!("{{url: \"{url}\", headers: {{PRIVATE-TOKEN: {header}, OTHER: gitlab}}}}");
            with("").replace(ACTIONS, &format!("actions: [{{deploy: {{to: tftp, kernel: {kernel}}}}}]\n"))
        };
        let text = shown(&actions("glpat-s3", "me:s3@", "?sig=s3"));
        assert_eq!(text, actions("\"[secret]\"", "", "?…"));
        assert_eq!(shown(&actions("'glpat-s3'", "", "")), actions("\"[secret]\"", "", ""));
    }

    #[test]
    fn a_secret_is_left_out_where_an_anchor_has_put_it() {
        let with = |environment: &str, secrets: &str| {
            let environment = format!("environment: {{T: &tok {environment}}}\n");
            with(&format!("{environment}{secrets}"))
        };
        let text = shown(&with("\"s3\\x63ret\"", "secrets: {TOKEN: *tok}\n"));
        assert_eq!(text, with("\"[secret]\"", "\"secrets\": {\"TOKEN\": \"[secret]\"}\n"));
    }

    #[test]
    fn what_is_no_job_without_its_secrets_says_so() {
        let text = with("secrets: {A: &tok s3}\nenvironment: {T: *tok}\n");
        let shown = shown(&text);
        assert!(shown.starts_with(NO_JOB) && !shown.contains("s3"), "{shown}");
    }

    #[test]
    fn a_job_in_json_stays_json() {
        let json = |secrets: &str, last: &str| {
            let actions = ACTIONS.replace("actions", "\"actions\"").trim_end().to_owned();
            format!(
                "{{\"job_name\": \"j\", {secrets}\"device_type\": \"bbb\", \"timeouts\": {{\"job\": {{\"minutes\": 5}}}}, \
                 {actions}{last}}}\n"
            )
        };
        let masked = "\"secrets\": {\"A\": \"[secret]\"}";
        assert_eq!(shown(&json("\"secrets\": {\"A\": \"s3\"}, ", "")), json(&format!("{masked}, "), ""));
        assert_eq!(shown(&json("", ", \"secrets\": {\"A\": \"s3\"}")), json("", &format!(", {masked}")));
    }
}
