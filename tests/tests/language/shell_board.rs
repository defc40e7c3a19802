//! A board whose console is a shell of this PC, and jobs for it.

use testbench::harness::Testbench;

/// A console: a shell on a terminal, in which `WHO` is `name`, after `before` has run.
pub(crate) fn shell(name: &str, before: &str) -> String {
    let command = format!("{before}; WHO={name} PS1='root@{name}:# ' exec sh -i");
    format!("{:?}", ["script", "-qfc", &command, "/dev/null"])
}

/// A bench with such a board.
pub(crate) fn bench() -> Testbench {
    Testbench::new().console(&shell("first", "true"))
}

/// A job with these actions, whose tests are in the bench's directory.
pub(crate) fn job(bench: &Testbench, actions: &str) -> String {
    format!(
        "\
job_name: language
device_type: fake-board
timeouts: {{job: {{minutes: 2}}, action: {{minutes: 1}}, connection: {{minutes: 1}}}}
context: {{lava_test_results_dir: {}/tmp/lava-%s}}
actions:
{actions}",
        bench.path().display()
    )
}

/// The action that boots the board.
pub(crate) const BOOT: &str = "- boot: {method: minimal, prompts: ['root@first:']}\n";

/// A test action with one inline definition, and further keys of the action.
pub(crate) fn test(keys: &str, name: &str, steps: &[&str]) -> String {
    // JSON is YAML.
    let steps = serde_json::Value::from(steps);
    format!(
        "\
- test:
    {keys}
    definitions:
    - from: inline
      name: {name}
      path: inline.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: {name}}}
        run: {{steps: {steps}}}
"
    )
}
