//! The text of a job file, for those who want to know later what a run was of.

use super::Job;
use crate::text::MASK;

/// A job file that anybody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobText {
    /// Its path as it was given, or `standard input`.
    pub file: String,
    /// Its text, as it was read, but for the values of its `secrets`.
    pub text: String,
}

impl Job {
    /// The file's text without its secrets: in place of all that is written under `secrets` stand the names alone. YAML
    /// can write a value in more ways than could be looked for.
    pub fn text(&self) -> JobText {
        let text = &*self.source.text;
        let file = self.source.name.clone();
        let Some(at) = self.secrets_at else { return JobText { file, text: text.to_owned() } };
        let end_of_secrets = at.offset + at.len;
        let (before, after) = (text.get(..at.offset), text.get(end_of_secrets..));
        let written = text.get(at.offset..end_of_secrets).unwrap_or_default();
        let names: Vec<_> = self.secrets.iter().map(|(name, _)| format!("\"{name}\": \"{MASK}\"")).collect();
        // Of a mapping in braces, the next key or the end of all is still to come.
        let end = match written.trim_end() {
            written if written.ends_with(',') => ", ",
            written if written.ends_with('}') && text.trim_start().starts_with('{') => "}\n",
            _ => "\n",
        };
        let text = [
            before.unwrap_or_default(),
            "\"secrets\": {",
            &names.join(", "),
            "}",
            end,
            after.unwrap_or_default(),
        ];
        JobText { file, text: text.concat() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    const ACTIONS: &str = "actions: [{deploy: {to: tftp, kernel: {url: \"http://files/zImage\"}}}]\n";

    fn shown(text: &str) -> String {
        Job::parse(&Source::new("job.yaml", text))
            .unwrap_or_else(|problems| panic!("{problems:?}"))
            .text()
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
