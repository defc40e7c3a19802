//! The bench's `[[mirror]]` rules: where the bytes of a URL really come from.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use super::error::{ArtifactError, Reason};
use super::url::{Location, percent_decode};

/// Rewrites one prefix of URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The prefix, such as `https://images.validation.linaro.org/`.
    pub from: String,
    /// What stands in its place: another URL's prefix, or an absolute path.
    pub to: String,
}

/// All rules of a bench.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// Longest prefix first.
    rules: Vec<Rule>,
}

impl Mirrors {
    /// Makes a set of rules; of two with the same prefix the first counts.
    pub fn new(mut rules: Vec<Rule>) -> Self {
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.from.len()));
        Self { rules }
    }

    /// Returns where `url` is fetched from: by the rule with the longest matching prefix, or as it is.
    ///
    /// What follows the prefix is percent-decoded if it becomes part of a path.
    pub fn rewrite<'a>(&self, url: &'a str) -> Cow<'a, str> {
        match self.rule(url) {
            Some((rule, rest)) if rule.to.starts_with('/') => {
                Cow::Owned(format!("{}{}", rule.to, percent_decode(rest)))
            }
            Some((rule, rest)) => Cow::Owned(format!("{}{rest}", rule.to)),
            None => Cow::Borrowed(url),
        }
    }

    /// The rule with the longest matching prefix, and what follows the prefix.
    fn rule<'a>(&self, url: &'a str) -> Option<(&Rule, &'a str)> {
        self.rules.iter().find_map(|rule| Some((rule, url.strip_prefix(&rule.from)?)))
    }

    /// Returns the rule that leads `url` to a directory of this PC that is not there, and that directory.
    pub fn missing(&self, url: &str) -> Option<(&Rule, PathBuf)> {
        let (rule, rest) = self.rule(url)?;
        // What is behind the last `/` may be the beginning of a name.
        let to = if rest.is_empty() { &rule.to } else { rule.to.get(..=rule.to.rfind('/')?)? };
        let Location::File(path) = Location::parse(to)? else { return None };
        (!path.exists()).then_some((rule, path))
    }

    /// Returns why the file or repository at `url` cannot be had, if that is one of this PC and is not there.
    pub fn absent(&self, url: &str) -> Option<ArtifactError> {
        let rewritten = self.rewrite(url);
        let Location::File(path) = Location::parse(&rewritten)? else { return None };
        let source = fs::metadata(&path).err()?;
        let mirrored = (rewritten != url).then(|| rewritten.into_owned());
        Some(ArtifactError { url: url.to_owned(), mirrored, reason: Reason::Local { path, source } })
    }

    /// Returns the directory of this PC that `url` leads to, if that is what it leads to.
    pub fn directory(&self, url: &str) -> Option<PathBuf> {
        match Location::parse(&self.rewrite(url))? {
            Location::File(path) => path.is_dir().then_some(path),
            Location::Http(_) | Location::Scp(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mirrors, Rule};

    fn mirrors(rules: &[(&str, &str)]) -> Mirrors {
        Mirrors::new(rules.iter().map(|(from, to)| Rule { from: (*from).into(), to: (*to).into() }).collect())
    }

    #[test]
    fn the_longest_prefix_wins_whatever_the_order() {
        let mirrors =
            mirrors(&[("https://a/", "/all/"), ("https://a/b/", "https://c/"), ("git://g/x.git", "/x")]);
        assert_eq!(mirrors.rewrite("https://a/f"), "/all/f");
        assert_eq!(mirrors.rewrite("https://a/b/f"), "https://c/f");
        assert_eq!(mirrors.rewrite("git://g/x.git"), "/x");
    }

    #[test]
    fn what_no_rule_matches_stays_as_it_is() {
        assert_eq!(mirrors(&[("https://a/", "/all/")]).rewrite("http://a/f"), "http://a/f");
    }

    #[test]
    fn a_rule_that_leads_to_no_directory_is_told() {
        let there = std::env::temp_dir();
        let there = there.display();
        let mirrors = mirrors(&[
            ("https://a/", &format!("{there}/")),
            ("https://b/", "/no/such/directory/"),
            ("https://c/img-", &format!("{there}/img-")),
            ("git://g/x.git", "/no-such-repository"),
            ("https://d/", "https://e/"),
            ("https://f/", "file:///no/such/directory/"),
        ]);
        let missing = |url| Some(mirrors.missing(url)?.1.display().to_string());
        assert_eq!(missing("https://a/absent"), None, "that is a file's fault, and not the rule's");
        assert_eq!(missing("https://b/f").as_deref(), Some("/no/such/directory/"));
        assert_eq!(missing("https://c/img-1"), None);
        assert_eq!(missing("git://g/x.git").as_deref(), Some("/no-such-repository"));
        assert_eq!(missing("https://d/f"), None);
        assert_eq!(missing("https://f/f").as_deref(), Some("/no/such/directory/"));
        assert_eq!(missing("https://nowhere/f"), None);
    }

    #[test]
    fn percent_signs_are_decoded_in_paths_only() {
        let mirrors = mirrors(&[("https://a/", "/all/"), ("https://b/", "https://c/")]);
        assert_eq!(mirrors.rewrite("https://a/x%20y"), "/all/x y");
        assert_eq!(mirrors.rewrite("https://b/x%20y"), "https://c/x%20y");
    }
}
