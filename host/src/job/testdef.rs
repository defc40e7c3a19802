//! Lava-Test Test Definition 1.0.

/// A parsed test definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestDefinition {
    /// `metadata: name`.
    pub name: String,
    /// `metadata: description`.
    pub description: Option<String>,
    /// What is installed before it runs.
    pub install: Install,
    /// `params` or `parameters`: defaults, in the file's order.
    pub params: Vec<(String, String)>,
    /// `run: steps`: shell commands.
    pub steps: Vec<String>,
    /// `parse: pattern`: a regular expression with named groups `test_case_id`, `result`, `measurement`, `units`.
    pub pattern: Option<String>,
    /// `parse: fixupdict`: words of the test for results, such as `PASSED` for `pass`.
    pub fixups: Vec<(String, String)>,
    /// `expected`: cases that must be reported.
    pub expected: Option<Vec<String>>,
    /// The definition's own text: YAML (as JSON where it was written inside a job), for `testdef.yaml`.
    pub text: String,
}

/// `install` of a test definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Install {
    /// Package keys.
    pub keys: Vec<String>,
    /// Package sources.
    pub sources: Vec<String>,
    /// Packages.
    pub deps: Vec<String>,
    /// Packages by distribution (`deps-debian`): they replace `deps` there.
    pub deps_by_distro: Vec<(String, Vec<String>)>,
    /// Git repositories to clone into the definition's directory.
    pub git_repos: Vec<GitRepo>,
    /// Shell commands.
    pub steps: Vec<String>,
}

/// A git repository that a definition wants beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitRepo {
    /// The repository.
    pub url: String,
    /// The branch.
    pub branch: Option<String>,
    /// Name of its directory; the repository's own without it.
    pub destination: Option<String>,
}

impl GitRepo {
    /// Name of its directory: the one that the definition gives, else the last part of the URL, as git chooses it.
    pub fn directory(&self) -> &str {
        let last = self.url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
        let own = match last.strip_suffix(".git").unwrap_or(last) {
            "" | "." | ".." => "repository",
            name => name,
        };
        self.destination.as_deref().unwrap_or(own)
    }
}

#[cfg(test)]
mod tests {
    use super::{GitRepo, TestDefinition};
    use crate::diagnostic::Source;

    const FULL: &str = r"
metadata:
  format: Lava-Test Test Definition 1.0
  name: full
  description: All that a definition can have
  os: [debian]
install:
  keys: ['7C751B3F']
  sources: ['ppa:linaro-maintainers/tools']
  deps: [curl]
  deps-fedora: [libcurl]
  git-repos:
  - https://git.example.org/a.git
  - {url: 'https://git.example.org/b.git', branch: main, destination: b}
  steps: ./configure && make
params: {A: 1}
parameters: {B: yes}
run:
  steps:
  - ./run $A
  - true
parse:
  pattern: '^(?P<test_case_id>\S+): (?P<result>\S+)$'
  fixupdict: {PASSED: pass}
expected: [boot]
";

    fn source(text: &str) -> Source {
        Source::new("tests/full.yaml", text)
    }

    #[test]
    fn a_definition_with_everything_is_read() {
        let (definition, warnings) = TestDefinition::parse(&source(FULL)).unwrap();
        assert_eq!(warnings, []);
        assert_eq!((definition.name.as_str(), definition.text.as_str()), ("full", FULL));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(definition.params, [pair("A", "1"), pair("B", "yes")], "as written, not as YAML sees it");
        assert_eq!(definition.steps, ["./run $A", "true"]);
        assert_eq!(definition.fixups, [pair("PASSED", "pass")]);
        assert!(definition.pattern.is_some());
        assert_eq!(definition.expected.as_deref(), Some(["boot".to_owned()].as_slice()));
        let install = definition.install;
        assert_eq!((install.keys.len(), install.sources.len()), (1, 1));
        assert_eq!(install.steps, ["./configure && make"]);
        assert_eq!(install.deps_by_distro, [("fedora".to_owned(), vec!["libcurl".to_owned()])]);
        let b = GitRepo {
            url: "https://git.example.org/b.git".to_owned(),
            branch: Some("main".to_owned()),
            destination: Some("b".to_owned()),
        };
        assert_eq!((install.git_repos.len(), &install.git_repos[1]), (2, &b));
        assert_eq!((install.git_repos[0].directory(), b.directory()), ("a", "b"));
    }

    #[test]
    fn steps_may_be_one_text_and_unknown_keys_are_no_more_than_a_warning() {
        let text = "metadata: {name: x}\nrun: {steps: 'echo a'}\nsteps: [echo b]\n";
        let (definition, warnings) = TestDefinition::parse(&source(text)).unwrap();
        assert_eq!(definition.steps, ["echo a"]);
        assert_eq!(warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), ["unknown-key"]);
    }

    #[test]
    fn all_problems_of_a_definition_are_told_at_once() {
        let text = "metadata: {description: x}\nparams: {a-b: 1}\nrun: {}\nparse: {pattern: '('}\n\
                    install: {git-repos: [{url: u, destination: ../x}]}\n";
        let problems = TestDefinition::parse(&source(text)).unwrap_err();
        insta::assert_snapshot!(problems, @r"
        tests/full.yaml:1:11: error[missing-key]: `metadata` needs `name`
        tests/full.yaml:2:10: error[invalid-name]: `a-b` cannot be the name of a shell variable
        tests/full.yaml:3:6: error[missing-key]: `run` needs `steps`
        tests/full.yaml:4:18: error[invalid-regex]: `pattern` is not a regular expression: unclosed group (escape characters that have a meaning in regular expressions with `\`)
        tests/full.yaml:5:45: error[invalid-path]: `destination` must be a relative path without `..`
        ");
    }
}
