//! What a run came to: the events folded into one value.

use std::time::Duration;

use serde::Serialize;

use crate::dialog::ComplaintKind;
use crate::event::{Event, EventKind, Outcome, ScriptKind, StepId, TestCase, TestResult, Usage, seconds};
use crate::fault::Fault;

/// Complaints of a kernel that are listed; run.jsonl has all.
const MAX_COMPLAINTS: usize = 1000;

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
    /// What its kernel complained of, the first thousand times.
    pub kernel: Vec<KernelResult>,
    /// How often it complained after that.
    pub more_of_kernel: u64,
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
    /// Its scripts that have ended.
    pub scripts: Vec<ScriptResult>,
    /// The steps that its scripts have begun.
    pub steps: Vec<StepResult>,
}

/// What one script of a definition came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScriptResult {
    /// Which one.
    pub script: ScriptKind,
    /// How it ended, in words.
    pub status: String,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds::serialize")]
    pub took: Duration,
    /// What it used.
    pub usage: Option<Usage>,
}

/// A step that a script has begun.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepResult {
    /// The step.
    #[serde(flatten)]
    pub id: StepId,
    /// What the shell was given.
    pub command: String,
    /// When it began: time since the run started.
    #[serde(rename = "began_s", serialize_with = "seconds::serialize")]
    pub began: Duration,
    /// How long it took, as far as that is known: to the next step or the script's end.
    #[serde(rename = "seconds", serialize_with = "seconds::serialize")]
    pub took: Duration,
}

/// A complaint of a kernel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelResult {
    /// What about.
    pub complaint: ComplaintKind,
    /// Its line.
    pub text: String,
    /// The definition that ran.
    pub definition: Option<String>,
    /// The step that it was in.
    pub step: Option<StepId>,
    /// The test case that ran.
    pub case: Option<String>,
}

impl DefinitionResult {
    /// The step that was begun last ends.
    fn end_step(&mut self, script: ScriptKind, now: Duration) {
        if let Some(step) = self.steps.last_mut().filter(|step| step.id.script == script) {
            step.took = now.saturating_sub(step.began);
        }
    }
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
                        kernel: Vec::new(),
                        more_of_kernel: 0,
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
                    node.add(kind, event.elapsed);
                }
            }
        }
    }
}

impl NodeResults {
    fn add(&mut self, kind: &EventKind, now: Duration) {
        match kind {
            EventKind::PhaseFinished { phase, took, outcome } => {
                self.phases.push(PhaseResult { name: phase.clone(), took: *took, outcome: *outcome });
            }
            EventKind::DefinitionStarted { definition } => self.definitions.push(DefinitionResult {
                name: definition.clone(),
                outcome: None,
                took: Duration::ZERO,
                reason: None,
                scripts: Vec::new(),
                steps: Vec::new(),
            }),
            EventKind::StepStarted { definition, step, command } => {
                if let Some(result) = self.definition(definition) {
                    result.end_step(step.script, now);
                    let (command, took) = (command.clone(), Duration::ZERO);
                    result.steps.push(StepResult { id: *step, command, began: now, took });
                }
            }
            EventKind::ScriptFinished { definition, script, status, took, usage } => {
                if let Some(result) = self.definition(definition) {
                    result.end_step(*script, now);
                    let (status, usage) = (status.clone(), *usage);
                    result.scripts.push(ScriptResult { script: *script, status, took: *took, usage });
                }
            }
            EventKind::Kernel { .. } if self.kernel.len() == MAX_COMPLAINTS => self.more_of_kernel += 1,
            EventKind::Kernel { complaint, text, definition, step, case } => self.kernel.push(KernelResult {
                complaint: *complaint,
                text: text.clone(),
                definition: definition.clone(),
                step: *step,
                case: case.clone(),
            }),
            EventKind::DefinitionFinished { definition, outcome, took, reason } => {
                if let Some(result) = self.definition(definition) {
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

    /// The latest definition of that name: one that is run again starts again.
    fn definition(&mut self, name: &str) -> Option<&mut DefinitionResult> {
        self.definitions.iter_mut().rev().find(|definition| definition.name == name)
    }

    /// How many cases had `result`.
    pub fn count(&self, result: TestResult) -> usize {
        self.tests.iter().filter(|test| test.result == result).count()
    }
}
