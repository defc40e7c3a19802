//! `test` blocks: definitions, interactive tests, monitors.

use std::time::Duration;

use super::deploy::ArtifactSpec;
use super::group::GroupRequest;
use crate::diagnostic::Span;
use crate::fault::Class;
use crate::job::testdef::TestDefinition;
use crate::limit::Limit;

/// A run of test definitions.
#[derive(Clone, Debug, PartialEq)]
pub struct TestBlock {
    /// `name`, an older form; only shown.
    pub name: Option<String>,
    /// The definitions, in order; at least one.
    pub definitions: Vec<DefinitionSpec>,
}

/// One test definition of a test block.
#[derive(Clone, Debug, PartialEq)]
pub struct DefinitionSpec {
    /// Its name, unique in the block.
    pub name: String,
    /// `<n>_<name>`, `n` from 0: name of its directory and of its results. The plan counts over all definitions of a node, as
    /// LAVA does; until then it is the number in the block.
    pub dir: String,
    /// Where it comes from.
    pub source: DefinitionSource,
    /// `params` or `parameters` of the job: they win over the definition's own.
    pub params: Vec<(String, String)>,
    /// Parts of `install` that are left out.
    pub skip_install: Vec<InstallPart>,
    /// `expected`: cases that must be reported.
    pub expected: Option<Vec<String>>,
    /// How long its run may take, instead of what the definition says; an extension of LAVA's language.
    pub timeout: Option<Limit>,
    /// `file:line:column` of the definition.
    pub place: String,
}

impl DefinitionSpec {
    /// Whether `part` of the definition's `install` is left out.
    pub fn skips(&self, part: InstallPart) -> bool {
        self.skip_install.iter().any(|&skip| skip == part || skip == InstallPart::All)
    }
}

/// Where a test definition comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum DefinitionSource {
    /// Written in the job.
    Inline(Box<TestDefinition>),
    /// A file of a git repository.
    Git {
        /// The repository.
        url: String,
        /// The branch; the repository's own choice without it.
        branch: Option<String>,
        /// The commit; the branch's newest without it.
        revision: Option<String>,
        /// `recursive`: whether the repository's submodules come with it.
        recursive: bool,
        /// The file within the repository.
        path: String,
    },
    /// A file of a tar.
    Tar {
        /// The tar.
        artifact: Box<ArtifactSpec>,
        /// `strip-components`: leading parts of the names in the tar that are left out.
        strip: u32,
        /// The file within the tar.
        path: String,
    },
    /// A file below a directory of this PC: an extension of LAVA's language.
    Directory {
        /// The directory, relative to the job file.
        directory: String,
        /// The file within the directory.
        path: String,
    },
}

/// A part of a definition's `install`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstallPart {
    /// Package keys.
    Keys,
    /// Package sources.
    Sources,
    /// Packages.
    Deps,
    /// Commands.
    Steps,
    /// Git repositories.
    GitRepos,
    /// All of them.
    All,
}

/// One script of an interactive test: what is typed on a connection, and what must come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractiveScript {
    /// Its name, unique in the block.
    pub name: String,
    /// Prompts after a command: regular expressions that compile, at least one.
    pub prompts: Vec<String>,
    /// `echo: discard`: whether the first line after a command is its echo, in which nothing is looked for.
    pub discard_echo: bool,
    /// `expected`: cases that must be reported.
    pub expected: Option<Vec<String>>,
    /// What is done, in order; at least one step.
    pub steps: Vec<InteractiveStep>,
}

/// One step of an interactive script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractiveStep {
    /// Name of its result. Without it, a failure ends the script.
    pub name: Option<String>,
    /// What is done.
    pub action: InteractiveAction,
    /// `file:line:column`.
    pub place: String,
    /// The same in bytes.
    pub span: Span,
}

/// What a step of an interactive script does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InteractiveAction {
    /// Types something and waits.
    Command(InteractiveCommand),
    /// `delay`: lets time pass.
    Delay(Duration),
    /// `lava-send`, `lava-wait`, `lava-wait-all` or `lava-sync`.
    Group {
        /// Which.
        request: GroupRequest,
        /// The message, and what else stands behind it: `id`, `id key=value …` or `id role=…`. The values of earlier steps
        /// have not been put in.
        words: String,
    },
}

/// A command of an interactive script, and what decides how it went. Texts are regular expressions that compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractiveCommand {
    /// What is typed, with a newline behind it; nothing is typed without it. `{NAME}` stands for a value of an earlier step.
    pub text: Option<String>,
    /// Texts that mean success, instead of the prompt.
    pub successes: Vec<String>,
    /// Texts that mean failure.
    pub failures: Vec<InteractiveFailure>,
    /// Whether the prompt is waited for after one of these texts.
    pub wait_for_prompt: bool,
}

/// A text that means that a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractiveFailure {
    /// The text, a regular expression that compiles.
    pub message: String,
    /// `exception`: whose fault it then is, which ends the job.
    pub class: Option<Class>,
    /// `error`: what that fault is called.
    pub error: Option<String>,
}

/// A test that only listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// Its name, unique in the block.
    pub name: String,
    /// What it begins with, a regular expression.
    pub start: String,
    /// What it ends with, a regular expression.
    pub end: String,
    /// What a result looks like: a regular expression with the named groups `test_case_id`, `result`, `measurement` and
    /// `units`.
    pub pattern: String,
    /// `fixupdict`: words of the test for results.
    pub fixups: Vec<(String, String)>,
    /// `expected`: cases that must be reported.
    pub expected: Option<Vec<String>>,
}
