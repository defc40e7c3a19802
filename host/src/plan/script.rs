//! Shell scripts of a test definition, and the environment that they share.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use crate::job::testdef::{RunStep, whole_groups};
use crate::job::{DefinitionSpec, InstallPart, TestDefinition};
use crate::limit::Limit;
use crate::shell::quote;

/// A script and the steps that it tells the agent of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The script.
    pub text: String,
    /// Its steps; the first has the number 1.
    pub steps: Vec<ScriptStep>,
}

/// A step of a script: one or several steps of the definition that are whole commands together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptStep {
    /// Its text.
    pub command: String,
    /// How long it may take.
    pub timeout: Option<Limit>,
}

/// Directory of a definition below `/lava-<id>`, such as `0/tests/1_smoke-tests`; `stage` is the ordinal of the test
/// step on its node, from 0.
pub fn definition_directory(stage: u32, spec: &DefinitionSpec) -> String {
    format!("{stage}/tests/{}", spec.dir)
}

/// `run.sh`: parameters, then the steps in the definition's directory. To be run with `-e`.
pub fn run_script(spec: &DefinitionSpec, definition: &TestDefinition) -> Script {
    let mut text = preamble(spec, definition);
    text.push_str("set -e\nset -x\n");
    let escaped = |step: &RunStep| RunStep {
        command: escape_positions(&step.command).into_owned(),
        timeout: step.timeout.clone(),
    };
    Script::new(text, &definition.steps.iter().map(escaped).collect::<Vec<_>>())
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
) -> Option<Script> {
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
    let mut text = preamble(spec, definition);
    text.push_str("set -x\n");
    let helpers = [("lava-add-keys", keys), ("lava-add-sources", sources)];
    let calls = helpers.iter().flat_map(|(helper, items)| {
        items.iter().map(move |item| format!("{helper} {} || exit $?", expanded(item)))
    });
    let packages = (!deps.is_empty()).then(|| format!("lava-install-packages {} || exit $?", deps.join(" ")));
    let steps: Vec<_> =
        calls.chain(packages).chain(steps).map(|command| RunStep { command, timeout: None }).collect();
    Some(Script::new(text, &steps))
}

impl Script {
    /// `text` with `steps` behind it, and in front of each whole command what tells the agent of it.
    fn new(mut text: String, steps: &[RunStep]) -> Self {
        let mut numbered = Vec::new();
        for group in whole_groups(steps.iter().map(|step| step.command.as_str())) {
            let parts = steps.get(group).unwrap_or_default();
            let lines: Vec<_> = parts.iter().map(|step| step.command.trim_end_matches('\n')).collect();
            let command = lines.join("\n");
            let timeout = if let [only] = parts { only.timeout.clone() } else { None };
            // The status of the step before is kept, and ends no script: it is that of a list that `&&` has ended. Nothing
            // of it is seen, neither where steps are shown nor where the script is run by hand. A step may change PATH.
            let number = numbered.len() + 1;
            let seconds =
                timeout.as_ref().map(|limit| format!(" {}", limit.time.as_secs())).unwrap_or_default();
            push_line(
                &mut text,
                format_args!("{{ \"$LAVA_STEP\" {number} $?{seconds} && :; }} 2>/dev/null\n{command}"),
            );
            numbered.push(ScriptStep { command, timeout });
        }
        Self { text, steps: numbered }
    }
}

/// A step that gives a command to `lava-test-case`, with `$1` as `\$1` for the shell that runs it in the end, as in LAVA:
/// in `--shell "awk '{print $1}'"` the field of awk is meant, and no argument of the script, which has none.
fn escape_positions(command: &str) -> Cow<'_, str> {
    static POSITION: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\$(\d+)\b").expect("a constant pattern is valid"));
    let gives_command = ["--shell", "--cmd"].iter().any(|option| command.contains(option));
    if gives_command { POSITION.replace_all(command, r"\$$$1") } else { command.into() }
}

/// `environment`: one `export` a line.
pub fn environment_script(variables: &[(String, String)]) -> String {
    variables.iter().map(|(name, value)| format!("export {name}={}\n", quote(value))).collect()
}

/// `secrets`: one assignment a line, for the tests that source it.
pub fn secrets_script(secrets: &[(String, String)]) -> String {
    secrets.iter().map(|(name, value)| format!("{name}={}\n", quote(value))).collect()
}

/// A word of a key or source: one argument, in which the shell still expands what LAVA's users have there, such as
/// `$(lsb_release -cs)`.
fn expanded(item: &str) -> String {
    format!("\"{}\"", item.replace('"', "\\\""))
}

/// The shared environment, the parameters (the definition's own first, so that the job's win) and the directory.
fn preamble(spec: &DefinitionSpec, definition: &TestDefinition) -> String {
    // Relative to the script itself: the tree may lie elsewhere, as on a board that was booted otherwise.
    let mut script =
        "#!/bin/sh\ncase $0 in */*) cd \"${0%/*}\" || exit $?;; esac\n. ../../../environment\n".to_owned();
    for (name, value) in definition.params.iter().chain(&spec.params) {
        push_line(&mut script, format_args!("{name}={}", quote(value)));
    }
    push_line(&mut script, format_args!("export TESTRUN_ID={} LAVA_RESULT_DIR=\"$PWD\"", quote(&spec.dir)));
    script.push_str("read -r UUID <uuid\nLAVA_STEP=${PWD%/*/*/*}/bin/lava-step\n");
    script
}

fn push_line(script: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(script, "{line}");
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::{definition_directory, environment_script, install_script, run_script, secrets_script};
    use crate::diagnostic::Source;
    use crate::job::testdef::RunStep;
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
            timeout: None,
            place: String::new(),
        }
    }

    #[test]
    fn the_run_script_has_parameters_directory_and_steps() {
        insta::assert_snapshot!(run_script(&spec(Vec::new()), &definition()).text, @r#"
        #!/bin/sh
        case $0 in */*) cd "${0%/*}" || exit $?;; esac
        . ../../../environment
        GREETING='it'\''s'
        COUNT='010'
        COUNT='3'
        export TESTRUN_ID='0_demo' LAVA_RESULT_DIR="$PWD"
        read -r UUID <uuid
        LAVA_STEP=${PWD%/*/*/*}/bin/lava-step
        set -e
        set -x
        { "$LAVA_STEP" 1 $? && :; } 2>/dev/null
        echo "$GREETING"
        { "$LAVA_STEP" 2 $? && :; } 2>/dev/null
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
        std::fs::write(directory.join("uuid"), "7_0_demo\n").unwrap();
        let definition = TestDefinition {
            steps: vec!["echo $ROLE $UUID; cd /; echo $LAVA_RESULT_DIR".into()],
            ..Default::default()
        };
        std::fs::write(directory.join("run.sh"), run_script(&spec(Vec::new()), &definition).text).unwrap();
        let output = Command::new("/bin/sh")
            .args(["-e", "0/tests/0_demo/run.sh"])
            .current_dir(tree.path())
            .output()
            .unwrap();
        let directory = directory.canonicalize().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("host 7_0_demo\n{}\n", directory.display())
        );
    }

    #[test]
    fn fields_of_awk_are_no_arguments_of_the_script() {
        let command = |step: &str| {
            let steps = vec![RunStep::from(step)];
            let script = run_script(&spec(Vec::new()), &TestDefinition { steps, ..Default::default() });
            script.steps[0].command.clone()
        };
        let given = r#"lava-test-case x --shell "awk '{exit $12 != 1}' f""#;
        assert_eq!(command(given), given.replace('$', r"\$"));
        for other in ["set -- a; echo $1", r#"lava-test-case x --shell "echo $1a ${1} $HOME""#] {
            assert_eq!(command(other), other);
        }
    }

    #[test]
    fn steps_have_numbers_and_keep_the_status_of_the_one_before() {
        let tree = tempfile::tempdir().unwrap();
        let directory = tree.path().join(definition_directory(0, &spec(Vec::new())));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(tree.path().join("environment"), "").unwrap();
        std::fs::write(directory.join("uuid"), "7_0_demo\n").unwrap();
        std::fs::create_dir(tree.path().join("bin")).unwrap();
        let helper = tree.path().join("bin/lava-step");
        let text = format!("#!/bin/sh\necho $1 >>'{}/steps'\nexit $2\n", tree.path().display());
        std::fs::write(&helper, text).unwrap();
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let steps = [
            "! true",
            "echo $?",
            "false && true",
            "echo $?",
            "set +e",
            "(exit 7)",
            "echo $?",
            "set -e",
            "false",
            "echo",
        ];
        let steps = steps.map(RunStep::from).to_vec();
        let script = run_script(&spec(Vec::new()), &TestDefinition { steps, ..Default::default() });
        assert_eq!(script.steps.len(), 10);
        std::fs::write(directory.join("run.sh"), script.text).unwrap();
        for shell in [&["dash"][..], &["bash"], &["busybox", "sh"]] {
            let mut command = Command::new(shell[0]);
            let command = command.args(&shell[1..]).args(["-e", "0/tests/0_demo/run.sh"]);
            let output = command.current_dir(tree.path()).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n1\n7\n", "{shell:?}");
            let trace = String::from_utf8_lossy(&output.stderr);
            let shown = trace.lines().filter(|line| !line.starts_with("+ LAVA_STEP=")).collect::<String>();
            assert!(shown.contains("+ echo 7") && !shown.contains("lava-step"), "{shell:?}: {trace}");
            let told = std::fs::read_to_string(tree.path().join("steps")).unwrap();
            assert_eq!(told, "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "{shell:?}");
            std::fs::remove_file(tree.path().join("steps")).unwrap();
        }
    }

    #[test]
    fn the_install_script_asks_for_the_packages_of_the_distribution() {
        let script = |os| install_script(&spec(Vec::new()), &definition(), os).unwrap().text;
        assert!(
            script(Some("debian"))
                .contains("\nlava-install-packages openssh-server ntpdate || exit $?\n{ \"$LAVA_STEP\" 2 $? && :; } 2>/dev/null\nmake\n")
        );
        assert!(script(Some("fedora")).contains("\nlava-install-packages openssh || exit $?\n"));
    }

    #[test]
    fn keys_and_sources_that_cannot_be_had_end_the_installation() {
        let text =
            DEFINITION.replace("  steps: [make]\n", "  keys: [7F438280EF8D349F]\n  sources: ['ppa:a/b']\n");
        let (definition, _) = TestDefinition::parse(&Source::new("demo.yaml", text)).unwrap();
        let script = install_script(&spec(vec![InstallPart::Deps]), &definition, None).unwrap();
        let commands: Vec<_> = script.steps.iter().map(|step| step.command.as_str()).collect();
        let expected =
            ["lava-add-keys \"7F438280EF8D349F\" || exit $?", "lava-add-sources \"ppa:a/b\" || exit $?"];
        assert_eq!(commands, expected);
    }

    #[test]
    fn skipped_parts_of_the_installation_are_left_out() {
        let script = install_script(&spec(vec![InstallPart::Deps]), &definition(), None).unwrap().text;
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
