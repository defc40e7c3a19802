//! Lava-Test Test Definition 1.0.

use std::ops::Range;

use super::model::GroupRequest;
use crate::diagnostic::Span;
use crate::limit::Limit;
use crate::shell::is_whole;

/// Most steps that are looked at together for the end of a command.
const MAX_TOGETHER: usize = 64;

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
    pub steps: Vec<RunStep>,
    /// What the steps ask of the group.
    pub requests: Requests,
    /// `run: timeout`, an extension of LAVA's language: how long its steps may take together.
    pub timeout: Option<Limit>,
    /// `parse: pattern`: a regular expression with named groups `test_case_id`, `result`, `measurement`, `units`.
    pub pattern: Option<String>,
    /// `parse: fixupdict`: words of the test for results, such as `PASSED` for `pass`.
    pub fixups: Vec<(String, String)>,
    /// `expected`: cases that must be reported.
    pub expected: Option<Vec<String>>,
    /// The definition's own text: YAML (as JSON where it was written inside a job), for `testdef.yaml`.
    pub text: String,
}

/// A step of a definition's run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunStep {
    /// Text for the shell.
    pub command: String,
    /// How long it may take, an extension of LAVA's language.
    pub timeout: Option<Limit>,
}

/// What a definition asks of the group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// What is visible in the steps.
    pub seen: Vec<StepRequest>,
    /// Whether there may be more: in scripts, or in text that becomes one.
    pub may_be_more: bool,
}

/// A request to the group that is written in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRequest {
    /// What is asked.
    pub request: GroupRequest,
    /// The message's id, as it is written: a shell may still expand it.
    pub id: String,
    /// The role of a `lava-wait-all`.
    pub role: Option<String>,
    /// The keys of what a `lava-send` sends with its message; `None` if a shell makes them up.
    pub keys: Option<Vec<String>>,
    /// The step.
    pub span: Span,
}

impl From<&str> for RunStep {
    fn from(command: &str) -> Self {
        Self { command: command.to_owned(), timeout: None }
    }
}

/// Cuts a script's steps into groups that are whole commands, each of one step if that is one by itself. What follows a
/// command that never ends is one group, and so is one that goes over more than 64 steps with all that follows.
pub fn whole_groups<'s>(steps: impl IntoIterator<Item = &'s str>) -> Vec<Range<usize>> {
    let steps: Vec<&str> = steps.into_iter().collect();
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    while start < steps.len() {
        let mut text = String::new();
        let whole = steps.iter().enumerate().skip(start).take(MAX_TOGETHER).find(|(_, step)| {
            text.push_str(step);
            text.push('\n');
            is_whole(text.trim_end_matches('\n'))
        });
        let end = whole.map_or(steps.len(), |(last, _)| last + 1);
        groups.push(start..end);
        start = end;
    }
    groups
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
    use super::{GitRepo, TestDefinition, whole_groups};
    use crate::diagnostic::{Code, Source};
    use crate::limit::Limit;

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
        assert_eq!(definition.steps, ["./run $A".into(), "true".into()]);
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
        assert_eq!(definition.steps, ["echo a".into()]);
        assert_eq!(warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), [Code::UnknownKey]);
    }

    #[test]
    fn a_step_that_is_indented_too_deep_is_told_and_a_block_of_text_is_none() {
        let warnings = |steps: &str| {
            let text = format!("metadata: {{name: x}}\nrun:\n  steps:\n{steps}");
            TestDefinition::parse(&source(&text))
                .unwrap()
                .1
                .into_iter()
                .map(|warning| warning.code)
                .collect::<Vec<_>>()
        };
        assert_eq!(warnings("  - echo\n    - foo\n"), [Code::SurprisingValue]);
        for block in
            ["  - |\n    echo\n    - foo\n", "  - >-\n    echo\n    - foo\n", "  - 'echo\n    - foo'\n"]
        {
            assert_eq!(warnings(block), [], "{block}");
        }
    }

    #[test]
    fn steps_and_the_run_may_have_times_of_their_own() {
        let text = "metadata: {name: x}\nrun:\n  timeout: {minutes: 2}\n  steps:\n  - echo a\n  - {command: make, timeout: {seconds: 90}}\n";
        let (definition, warnings) = TestDefinition::parse(&source(text)).unwrap();
        assert_eq!(warnings, []);
        let limit = |limit: &Option<Limit>| limit.as_ref().map(ToString::to_string);
        assert_eq!(limit(&definition.timeout).unwrap(), "120 s: `timeout` of `run`, tests/full.yaml:3:3");
        assert_eq!(definition.steps[0], "echo a".into());
        assert_eq!(definition.steps[1].command, "make");
        let own = limit(&definition.steps[1].timeout).unwrap();
        assert_eq!(own, "90 s: `timeout` of `steps`, tests/full.yaml:6:21");
    }

    #[test]
    fn the_time_of_what_is_no_command_by_itself_has_no_effect() {
        let text = "metadata: {name: x}\nrun:\n  steps:\n  - while read x; do\n  - {command: echo, timeout: {seconds: 9}}\n  - done\n";
        let (_, warnings) = TestDefinition::parse(&source(text)).unwrap();
        let told: Vec<_> = warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(
            told,
            ["the time of this step has no effect: it is part of a command that goes over several steps"]
        );
    }

    #[test]
    fn steps_are_joined_until_their_commands_end() {
        let steps = ["echo a", "for i in 1 2; do", "echo $i", "done", "cat <<EOF", "EOF", "echo b"];
        assert_eq!(whole_groups(steps), [0..1, 1..4, 4..6, 6..7]);
        assert_eq!(whole_groups(["echo a", "if true; then", "echo b"]), [0..1, 1..3]);
        let endless: Vec<_> = ["("].into_iter().chain(["echo"; 100]).chain([")", "echo"]).collect();
        let groups = whole_groups(endless);
        assert_eq!((groups.len(), groups.first()), (1, Some(&(0..103))));
        assert!(whole_groups([]).is_empty());
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
