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
