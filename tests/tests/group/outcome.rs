//! What a run came to, in short: for assertions that say everything at once.

use serde_json::Value;
use testbench::harness::Finished;

/// Results of a run, read for assertions.
pub(crate) struct Results(Value);

impl Results {
    /// Reads them, and asserts what holds for every run whose board was touched: it ends with the power off.
    pub(crate) fn of(run: &Finished) -> Self {
        assert_eq!(run.power(), ["reset", "off"], "{run}");
        Self(run.results())
    }

    /// `class` and message of the fault that decided the run.
    pub(crate) fn fault(&self) -> (&str, &str) {
        fault(&self.0)
    }

    /// Where that was.
    pub(crate) fn place(&self) -> &str {
        self.0["fault"]["where"].as_str().unwrap_or_default()
    }

    /// `class` and message of the fault of a node.
    pub(crate) fn fault_of(&self, node: &str) -> (&str, &str) {
        fault(self.node(node))
    }

    /// `definition/case result` of each test of a node.
    pub(crate) fn tests(&self, node: &str) -> Vec<String> {
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let tests = self.node(node)["tests"].as_array().expect("a list");
        tests
            .iter()
            .map(|test| {
                format!("{}/{} {}", text(test, "definition"), text(test, "case"), text(test, "result"))
            })
            .collect()
    }

    /// `definition outcome reason` of each definition of a node.
    pub(crate) fn definitions(&self, node: &str) -> Vec<String> {
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let definitions = self.node(node)["definitions"].as_array().expect("a list");
        let line = |definition: &Value| {
            let [name, outcome, reason] = ["name", "outcome", "reason"].map(|key| text(definition, key));
            format!("{name} {outcome} {reason}").trim_end().to_owned()
        };
        definitions.iter().map(line).collect()
    }

    fn node(&self, name: &str) -> &Value {
        let nodes = self.0["nodes"].as_array().expect("a list");
        nodes.iter().find(|node| node["name"] == name).unwrap_or_else(|| panic!("no node {name}: {}", self.0))
    }
}

fn fault(value: &Value) -> (&str, &str) {
    let field = |name: &str| value["fault"][name].as_str().unwrap_or_default();
    (field("class"), field("message"))
}
