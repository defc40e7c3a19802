//! Shell scripts of a test definition, and the environment that they share.

use std::fmt::Write as _;

use crate::job::{DefinitionSpec, InstallPart, TestDefinition};
use crate::shell::quote;

/// Directory of a definition below `/lava-<id>`, such as `0/tests/1_smoke-tests`; `stage` is the ordinal of the test
/// step on its node, from 0.
pub fn definition_directory(stage: u32, spec: &DefinitionSpec) -> String {
    format!("{stage}/tests/{}", spec.dir)
}

/// `run.sh`: parameters, then the steps in the definition's directory. To be run with `-e`.
pub fn run_script(spec: &DefinitionSpec, definition: &TestDefinition) -> String {
    let mut script = preamble(spec, definition);
    script.push_str("set -e\nset -x\n");
    push_lines(&mut script, &definition.steps);
    script
}

/// `install.sh`: keys, sources and packages, then the install steps in the definition's directory; `None` if the
/// definition installs nothing. `os` is the target's distribution, whose own packages (`deps-debian`) replace `deps`.
///
/// As in LAVA, only the last step's status decides, so it is to be run without `-e`; keys, sources and packages must all
/// be had.
pub fn install_script(
    spec: &DefinitionSpec,
    definition: &TestDefinition,
    os: Option<&str>,
) -> Option<String> {
    let install = &definition.install;
    let chosen = |part, items: &[String]| if spec.skips(part) { Vec::new() } else { items.to_vec() };
    let by_distro = install.deps_by_distro.iter().find(|(distro, _)| Some(distro.as_str()) == os);
    let keys = chosen(InstallPart::Keys, &install.keys);
    let sources = chosen(InstallPart::Sources, &install.sources);
    let deps = chosen(InstallPart::Deps, by_distro.map_or(&install.deps, |(_, deps)| deps));
    let steps = chosen(InstallPart::Steps, &install.steps);
    if [&keys, &sources, &deps, &steps].iter().all(|items| items.is_empty()) {
        return None;
    }
    let mut script = preamble(spec, definition);
    script.push_str("set -x\n");
    for (helper, items) in [("lava-add-keys", keys), ("lava-add-sources", sources)] {
        push_lines(
            &mut script,
            &items.iter().map(|item| format!("{helper} {item} || exit $?")).collect::<Vec<_>>(),
        );
    }
    if !deps.is_empty() {
        push_lines(&mut script, &[format!("lava-install-packages {} || exit $?", deps.join(" "))]);
    }
    push_lines(&mut script, &steps);
    Some(script)
}

/// `environment`: one `export` a line.
pub fn environment_script(variables: &[(String, String)]) -> String {
    variables.iter().map(|(name, value)| format!("export {name}={}\n", quote(value))).collect()
}

/// `secrets`: one assignment a line, for the tests that source it.
pub fn secrets_script(secrets: &[(String, String)]) -> String {
    secrets.iter().map(|(name, value)| format!("{name}={}\n", quote(value))).collect()
}

/// The shared environment, the parameters (the definition's own first, so that the job's win) and the directory.
fn preamble(spec: &DefinitionSpec, definition: &TestDefinition) -> String {
    // Relative to the script itself: the tree may lie elsewhere, as on a board that was booted otherwise.
    let mut script =
        "#!/bin/sh\ncase $0 in */*) cd \"${0%/*}\" || exit $?;; esac\n. ../../../environment\n".to_owned();
    for (name, value) in definition.params.iter().chain(&spec.params) {
        push_line(&mut script, format_args!("{name}={}", quote(value)));
    }
    push_line(&mut script, format_args!("export TESTRUN_ID={}", quote(&spec.dir)));
    script
}

fn push_lines(script: &mut String, lines: &[String]) {
    for line in lines {
        push_line(script, format_args!("{}", line.trim_end_matches('\n')));
    }
}

fn push_line(script: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(script, "{line}");
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{definition_directory, environment_script, install_script, run_script, secrets_script};
    use crate::diagnostic::Source;
    use crate::job::{DefinitionSource, DefinitionSpec, InstallPart, TestDefinition};

    const DEFINITION: &str = "\
metadata: {name: demo, format: Lava-Test Test Definition 1.0}
install:
  deps: [openssh-server, ntpdate]
  deps-fedora: [openssh]
  steps: [make]
params: {GREETING: it's, COUNT: 010}
run:
  steps:
    - echo \"$GREETING\"
    - |
      for i in 1 2; do
        echo $i
      done
";

    fn definition() -> TestDefinition {
        TestDefinition::parse(&Source::new("demo.yaml", DEFINITION)).unwrap().0
    }

    fn spec(skip_install: Vec<InstallPart>) -> DefinitionSpec {
        DefinitionSpec {
            name: "demo".to_owned(),
            dir: "0_demo".to_owned(),
            source: DefinitionSource::Inline(Box::default()),
            params: vec![("COUNT".to_owned(), "3".to_owned())],
            skip_install,
            expected: None,
            place: String::new(),
        }
    }

    #[test]
    fn the_run_script_has_parameters_directory_and_steps() {
        insta::assert_snapshot!(run_script(&spec(Vec::new()), &definition()), @r#"
        #!/bin/sh
        case $0 in */*) cd "${0%/*}" || exit $?;; esac
        . ../../../environment
        GREETING='it'\''s'
        COUNT='010'
        COUNT='3'
        export TESTRUN_ID='0_demo'
        set -e
        set -x
        echo "$GREETING"
        for i in 1 2; do
          echo $i
        done
        "#);
    }

    #[test]
    fn the_run_script_works_wherever_its_tree_lies() {
        let tree = tempfile::tempdir().unwrap();
        let directory = tree.path().join(definition_directory(0, &spec(Vec::new())));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(tree.path().join("environment"), "export ROLE='host'\n").unwrap();
        let definition = TestDefinition { steps: vec!["echo $ROLE; pwd".to_owned()], ..Default::default() };
        std::fs::write(directory.join("run.sh"), run_script(&spec(Vec::new()), &definition)).unwrap();
        let output = Command::new("/bin/sh")
            .args(["-e", "0/tests/0_demo/run.sh"])
            .current_dir(tree.path())
            .output()
            .unwrap();
        let directory = directory.canonicalize().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("host\n{}\n", directory.display()));
    }

    #[test]
    fn the_install_script_asks_for_the_packages_of_the_distribution() {
        let script = |os| install_script(&spec(Vec::new()), &definition(), os).unwrap();
        assert!(
            script(Some("debian"))
                .contains("\nlava-install-packages openssh-server ntpdate || exit $?\nmake\n")
        );
        assert!(script(Some("fedora")).contains("\nlava-install-packages openssh || exit $?\nmake\n"));
    }

    #[test]
    fn keys_and_sources_that_cannot_be_had_end_the_installation() {
        let text =
            DEFINITION.replace("  steps: [make]\n", "  keys: [7F438280EF8D349F]\n  sources: ['ppa:a/b']\n");
        let (definition, _) = TestDefinition::parse(&Source::new("demo.yaml", text)).unwrap();
        let script = install_script(&spec(vec![InstallPart::Deps]), &definition, None).unwrap();
        let lines = "\nlava-add-keys 7F438280EF8D349F || exit $?\nlava-add-sources ppa:a/b || exit $?\n";
        assert!(script.ends_with(lines), "{script}");
    }

    #[test]
    fn skipped_parts_of_the_installation_are_left_out() {
        let script = install_script(&spec(vec![InstallPart::Deps]), &definition(), None).unwrap();
        assert!(!script.contains("lava-install-packages") && script.contains("\nmake\n"));
        assert_eq!(install_script(&spec(vec![InstallPart::All]), &definition(), None), None);
    }

    #[test]
    fn values_reach_the_shell_unchanged() {
        let value = "a 'quoted' $HOME `id` \\ \"x\"\nsecond line é";
        let script = environment_script(&[("VALUE".to_owned(), value.to_owned())]);
        let output = Command::new("/bin/sh").args(["-c", &format!("{script}printf %s \"$VALUE\"")]).output();
        assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), value);
        assert_eq!(secrets_script(&[("TOKEN".to_owned(), "it's".to_owned())]), "TOKEN='it'\\''s'\n");
    }
}
