//! Jobs as text, so that every test shows what is special about its job and nothing else.

use std::fmt::Write as _;

use super::testbench::ARTIFACTS_URL;

/// A test definition that is part of the job.
#[derive(Clone, Debug)]
pub struct Definition {
    name: String,
    steps: Vec<String>,
}

impl Definition {
    /// The definition `name` with its `run: steps:`.
    pub fn new(name: &str, steps: &[&str]) -> Self {
        Self { name: name.to_owned(), steps: steps.iter().map(|&step| step.to_owned()).collect() }
    }

    /// As an item of `definitions:`, each line indented by `indent` spaces.
    pub fn to_yaml(&self, indent: usize) -> String {
        let name = &self.name;
        let mut text = format!(
            "- repository:\n    metadata:\n      format: Lava-Test Test Definition 1.0\n      name: {name}\n    run:\n      steps:\n"
        );
        for step in &self.steps {
            // A JSON string is a YAML string.
            let _ = writeln!(text, "      - {}", serde_json::Value::from(step.as_str()));
        }
        let _ = write!(text, "  from: inline\n  name: {name}\n  path: inline/{name}.yaml\n");
        indented(&text, indent)
    }
}

/// A job for one board: U-Boot, TFTP, NFS root or RAM disk, one test action.
#[derive(Clone, Debug)]
pub struct Job {
    kernel: Vec<String>,
    nfsrootfs: Vec<String>,
    ramdisk: Vec<String>,
    boot: Vec<String>,
    device_type: String,
    timeouts: Vec<String>,
    tests: Vec<Vec<Definition>>,
}

impl Default for Job {
    fn default() -> Self {
        Self::new()
    }
}

impl Job {
    /// A job that passes on a board without faults: one case, one measurement.
    pub fn new() -> Self {
        Self {
            kernel: vec![format!("url: {ARTIFACTS_URL}zImage"), "type: zimage".to_owned()],
            nfsrootfs: vec![format!("url: {ARTIFACTS_URL}rootfs.tar")],
            ramdisk: Vec::new(),
            boot: Vec::new(),
            device_type: "fake-board".to_owned(),
            timeouts: Vec::new(),
            tests: vec![vec![Definition::new(
                "smoke",
                &[
                    "lava-test-case board-answers --result pass",
                    "lava-test-case speed --result pass --measurement 42.5 --units MB/s",
                ],
            )]],
        }
    }

    /// A job that says `hello from the test`, reports the case `there`, and has its board until it is ended.
    pub fn staying() -> Self {
        let steps = ["echo hello from the test", "lava-test-case there --result pass", "sleep 60"];
        Self::new().definitions(&[Definition::new("stays", &steps)])
    }

    /// Replaces the lines of `deploy: kernel:`.
    #[must_use]
    pub fn kernel(mut self, lines: &[&str]) -> Self {
        self.kernel = lines.iter().map(|&line| line.to_owned()).collect();
        self
    }

    /// Replaces the lines of `deploy: nfsrootfs:`.
    #[must_use]
    pub fn nfsrootfs(mut self, lines: &[&str]) -> Self {
        self.nfsrootfs = lines.iter().map(|&line| line.to_owned()).collect();
        self
    }

    /// Boots from a RAM disk with these lines of `deploy: ramdisk:`, and without a root filesystem over NFS.
    #[must_use]
    pub fn ramdisk(mut self, lines: &[&str]) -> Self {
        self.ramdisk = lines.iter().map(|&line| line.to_owned()).collect();
        self
    }

    /// Adds a line to `boot:`.
    #[must_use]
    pub fn boot(mut self, line: &str) -> Self {
        self.boot.push(line.to_owned());
        self
    }

    /// Gives the action `name` at most `seconds`.
    #[must_use]
    pub fn timeout(mut self, name: &str, seconds: u32) -> Self {
        self.timeouts.push(format!("{name}: {{seconds: {seconds}}}"));
        self
    }

    /// Asks for another device type than the bench's.
    #[must_use]
    pub fn device_type(mut self, name: &str) -> Self {
        name.clone_into(&mut self.device_type);
        self
    }

    /// Replaces the test definitions by those of one test action.
    #[must_use]
    pub fn definitions(mut self, definitions: &[Definition]) -> Self {
        self.tests = vec![definitions.to_vec()];
        self
    }

    /// Adds another test action.
    #[must_use]
    pub fn then(mut self, definitions: &[Definition]) -> Self {
        self.tests.push(definitions.to_vec());
        self
    }

    /// The job file.
    pub fn to_yaml(&self) -> String {
        let lines = |indent, lines: &[String]| indented(&lines.join("\n"), indent);
        let mut timeouts = String::new();
        if !self.timeouts.is_empty() {
            timeouts = format!("  actions:\n{}", lines(4, &self.timeouts));
        }
        let definitions = |definitions: &[Definition]| -> String {
            definitions.iter().map(|definition| definition.to_yaml(4)).collect()
        };
        let tests: String = self
            .tests
            .iter()
            .map(|test| format!("- test:\n    definitions:\n{}", definitions(test)))
            .collect();
        let (root, root_lines, commands) = match self.ramdisk.as_slice() {
            [] => ("nfsrootfs", &self.nfsrootfs, "nfs"),
            _ => ("ramdisk", &self.ramdisk, "ramdisk"),
        };
        format!(
            "\
job_name: one-board
device_type: {device_type}
visibility: public
priority: medium
timeouts:
  job: {{minutes: 2}}
  action: {{minutes: 1}}
  connection: {{minutes: 1}}
{timeouts}actions:
- deploy:
    to: tftp
    os: debian
    kernel:
{kernel}    dtb:
      url: {ARTIFACTS_URL}board.dtb
    {root}:
{root_lines}- boot:
    method: u-boot
    commands: {commands}
    prompts: ['root@debian:']
{boot}{tests}",
            device_type = self.device_type,
            kernel = lines(6, &self.kernel),
            root_lines = lines(6, root_lines),
            boot = lines(4, &self.boot),
        )
    }
}

/// Every line of `text` indented and ended.
fn indented(text: &str, indent: usize) -> String {
    text.lines().map(|line| format!("{:indent$}{line}\n", "")).collect()
}
