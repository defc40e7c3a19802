//! What a run came to: the events folded into one value.

use std::time::Duration;

use serde::Serialize;

use crate::event::{Event, EventKind, Outcome, TestCase, TestResult, seconds};
use crate::fault::Fault;

/// What a run came to; `results.json` is this value.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Results {
    /// The job's `job_name`.
    pub job: String,
    /// How the run ended; `None` while it goes on, or when it was cut off.
    pub outcome: Option<Outcome>,
    /// The fault that decided it.
    pub fault: Option<Fault>,
    /// Time from the first event to the last, in seconds.
    #[serde(rename = "duration_s", serialize_with = "seconds::serialize")]
    pub duration: Duration,
    /// The nodes, in the order of the job's roles.
    pub nodes: Vec<NodeResults>,
}

/// What one node came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NodeResults {
    /// Unique name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// The board, or the node that a secondary connection goes to.
    pub board: String,
    /// How it ended; `None` while it goes on.
    pub outcome: Option<Outcome>,
    /// Why, if it did not pass.
    pub fault: Option<Fault>,
    /// Its phases, in order.
    pub phases: Vec<PhaseResult>,
    /// Its test definitions, in order.
    pub definitions: Vec<DefinitionResult>,
    /// Its test cases, in order.
    pub tests: Vec<TestCase>,
}

/// What one phase came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseResult {
    /// Name such as `deploy-tftp`.
    pub name: String,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds::serialize")]
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// What one definition came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DefinitionResult {
    /// Name such as `0_ssh-inline`.
    pub name: String,
    /// How it ended; `None` while it runs, or when it was cut off.
    pub outcome: Option<Outcome>,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds::serialize")]
    pub took: Duration,
    /// Why it did not pass.
    pub reason: Option<String>,
}

impl Results {
    /// Takes the next event into account.
    pub fn add(&mut self, event: &Event) {
        self.duration = event.elapsed;
        match &event.kind {
            EventKind::RunStarted { job, nodes, .. } => {
                self.job.clone_from(job);
                self.nodes = nodes
                    .iter()
                    .map(|node| NodeResults {
                        name: node.name.clone(),
                        role: node.role.clone(),
                        board: node.board.clone(),
                        outcome: None,
                        fault: None,
                        phases: Vec::new(),
                        definitions: Vec::new(),
                        tests: Vec::new(),
                    })
                    .collect();
            }
            EventKind::RunFinished { outcome, fault } => {
                self.outcome = Some(*outcome);
                self.fault.clone_from(fault);
            }
            kind => {
                let node = self.nodes.iter_mut().find(|node| Some(&node.name) == event.node.as_ref());
                if let Some(node) = node {
                    node.add(kind);
                }
            }
        }
    }
}

impl NodeResults {
    fn add(&mut self, kind: &EventKind) {
        match kind {
            EventKind::PhaseFinished { phase, took, outcome } => {
                self.phases.push(PhaseResult { name: phase.clone(), took: *took, outcome: *outcome });
            }
            EventKind::DefinitionStarted { definition } => self.definitions.push(DefinitionResult {
                name: definition.clone(),
                outcome: None,
                took: Duration::ZERO,
                reason: None,
            }),
            EventKind::DefinitionFinished { definition, outcome, took, reason } => {
                // The latest of that name: a definition that is run again starts again.
                if let Some(result) = self.definitions.iter_mut().rev().find(|d| &d.name == definition) {
                    result.outcome = Some(*outcome);
                    result.took = *took;
                    result.reason.clone_from(reason);
                }
            }
            EventKind::TestCase(case) => self.tests.push(case.clone()),
            EventKind::NodeFinished { outcome, fault } => {
                self.outcome = Some(*outcome);
                self.fault.clone_from(fault);
            }
            _ => {}
        }
    }

    /// How many cases had `result`.
    pub fn count(&self, result: TestResult) -> usize {
        self.tests.iter().filter(|test| test.result == result).count()
    }
}
