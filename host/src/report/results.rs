//! What a run came to: the events folded into one value.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::dialog::ComplaintKind;
use crate::event::{
    Event, EventKind, Node, Outcome, ScriptKind, StepId, TestCase, TestResult, Usage, UsageSchema, seconds,
};
use crate::fault::Fault;

/// Complaints of a kernel that are listed; run.jsonl has all.
const MAX_COMPLAINTS: usize = 1000;

/// What a run came to; `results.json` is this value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Results {
    /// The job's `job_name`.
    pub job: String,
    /// host-runner's version.
    pub version: String,
    /// When the run started, by the bench PC's clock; `None` before its first event.
    pub started: Option<jiff::Timestamp>,
    /// How the run ended; `None` while it goes on, or when it was cut off.
    pub outcome: Option<Outcome>,
    /// The fault that decided it.
    pub fault: Option<Fault>,
    /// Time from the first event to the last, in seconds.
    #[serde(rename = "duration_s", serialize_with = "seconds::serialize")]
    #[schemars(with = "f64")]
    pub duration: Duration,
    /// The nodes, in the order of the job's roles.
    pub nodes: Vec<NodeResults>,
    /// Reports that could not be written, each with its error.
    #[serde(skip)]
    pub unwritten: Vec<String>,
    /// Whether there is a `job.yaml`: runs of older versions have none.
    #[serde(skip)]
    pub has_job_file: bool,
}

/// What one node came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
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
    /// Beside each of `tests`, which of `definitions` reported it: several may have one name. `None` if none
    /// of its name had begun.
    #[serde(skip)]
    pub reporters: Vec<Option<usize>>,
    /// Attempts that failed and were followed by others, with what they had reported: none of that counts.
    pub attempts: Vec<FailedAttempt>,
    /// What its kernel complained of, the first thousand times.
    pub kernel: Vec<KernelResult>,
    /// How often it complained after that.
    pub more_of_kernel: u64,
    /// What had been reported when the phase that runs now began.
    #[serde(skip)]
    pub phase_begin: PhaseBegin,
}

/// How much had been reported when a phase began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseBegin {
    /// Number of definitions.
    pub definitions: usize,
    /// Number of test cases.
    pub tests: usize,
}

/// An attempt at a phase that failed and was followed by another.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FailedAttempt {
    /// The phase.
    pub phase: String,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// How many there were at most.
    pub of: u32,
    /// Why it failed.
    pub reason: String,
    /// The definitions that it had begun.
    pub definitions: Vec<DefinitionResult>,
    /// The test cases that it had reported.
    pub tests: Vec<TestCase>,
}

/// What one phase came to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PhaseResult {
    /// Name such as `deploy-tftp`.
    pub name: String,
    /// Where the job asks for it, `file:line:column`; `None` for what the runner does by itself.
    pub place: Option<String>,
    /// When it began: time since the run started.
    #[serde(rename = "began_s", serialize_with = "seconds::serialize")]
    #[schemars(with = "f64")]
    pub began: Duration,
    /// How long it took; zero while it goes on.
    #[serde(rename = "seconds", serialize_with = "seconds::serialize")]
    #[schemars(with = "f64")]
    pub took: Duration,
    /// How it ended; `None` while it goes on, or when it was cut off.
    pub outcome: Option<Outcome>,
}

/// What one definition came to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DefinitionResult {
    /// Name such as `0_ssh-inline`.
    pub name: String,
    /// Where the job asks for the test action, `file:line:column`.
    pub place: Option<String>,
    /// When it began: time since the run started.
    #[serde(rename = "began_s", serialize_with = "seconds::serialize")]
    #[schemars(with = "f64")]
    pub began: Duration,
    /// How it ended; `None` while it runs, or when it was cut off.
    pub outcome: Option<Outcome>,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds::serialize")]
    #[schemars(with = "f64")]
    pub took: Duration,
    /// Why it did not pass.
    pub reason: Option<String>,
    /// Its scripts that have ended.
    pub scripts: Vec<ScriptResult>,
    /// The steps that its scripts have begun.
    pub steps: Vec<StepResult>,
}

/// What one script of a definition came to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ScriptResult {
    /// Which one.
    pub script: ScriptKind,
    /// How it ended, in words.
    pub status: String,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds::serialize")]
    #[schemars(with = "f64")]
    pub took: Duration,
    /// What it used.
    #[schemars(with = "Option<UsageSchema>")]
    pub usage: Option<Usage>,
}

/// A step that a script has begun.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StepResult {
    /// The step.
    #[serde(flatten)]
    pub id: StepId,
    /// What the shell was given.
    pub command: String,
    /// When it began: time since the run started.
    #[serde(rename = "began_s", serialize_with = "seconds::serialize")]
    #[schemars(with = "f64")]
    pub began: Duration,
    /// How long it took, as far as that is known: to the next step or the script's end.
    #[serde(rename = "seconds", serialize_with = "seconds::serialize")]
    #[schemars(with = "f64")]
    pub took: Duration,
}

/// A complaint of a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
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
    /// When the last event happened; the beginning of Unix time before the first one.
    pub fn last_event(&self) -> jiff::Timestamp {
        self.started.map_or(jiff::Timestamp::UNIX_EPOCH, |started| started + self.duration)
    }

    /// Takes the next event into account.
    pub fn add(&mut self, event: &Event) {
        self.duration = event.elapsed;
        match &event.kind {
            EventKind::RunStarted { job, version, nodes } => {
                self.job.clone_from(job);
                self.version.clone_from(version);
                self.started = Some(event.at);
                self.nodes = nodes.iter().map(NodeResults::of).collect();
            }
            EventKind::JobRead { .. } => self.has_job_file = true,
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
    /// Those of a node that has done nothing yet.
    fn of(node: &Node) -> Self {
        let Node { name, role, board, phases: _ } = node.clone();
        Self { name, role, board, ..Self::default() }
    }

    fn add(&mut self, kind: &EventKind, now: Duration) {
        match kind {
            EventKind::PhaseStarted { phase, place, .. } => {
                self.phase_begin =
                    PhaseBegin { definitions: self.definitions.len(), tests: self.tests.len() };
                self.phases.push(PhaseResult {
                    name: phase.clone(),
                    place: place.clone(),
                    began: now,
                    took: Duration::ZERO,
                    outcome: None,
                });
            }
            EventKind::PhaseFinished { phase, took, outcome } => {
                let open = self.phases.iter_mut().rev().find(|open| open.name == *phase);
                if let Some(open) = open {
                    open.took = *took;
                    open.outcome = Some(*outcome);
                }
            }
            EventKind::AttemptFailed { phase, attempt, of, reason } => {
                let begin = self.phase_begin;
                self.reporters.truncate(begin.tests);
                self.attempts.push(FailedAttempt {
                    phase: phase.clone(),
                    attempt: *attempt,
                    of: *of,
                    reason: reason.clone(),
                    definitions: self.definitions.split_off(begin.definitions.min(self.definitions.len())),
                    tests: self.tests.split_off(begin.tests.min(self.tests.len())),
                });
            }
            EventKind::DefinitionStarted { definition, place } => self.definitions.push(DefinitionResult {
                name: definition.clone(),
                place: place.clone().or_else(|| self.phases.last()?.place.clone()),
                began: now,
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
            EventKind::TestCase(case) => {
                self.reporters.push(self.definitions.iter().rposition(|begun| begun.name == case.definition));
                self.tests.push(case.clone());
            }
            EventKind::NodeFinished { outcome, fault } => {
                self.outcome = Some(*outcome);
                self.fault.clone_from(fault);
            }
            _ => {}
        }
    }

    /// Each definition with the test cases that it reported.
    pub(super) fn definitions_and_cases(&self) -> impl Iterator<Item = (&DefinitionResult, Vec<&TestCase>)> {
        self.definitions.iter().enumerate().map(|(index, definition)| {
            let cases = self.tests.iter().zip(&self.reporters);
            (definition, cases.filter_map(|(case, by)| (*by == Some(index)).then_some(case)).collect())
        })
    }

    /// The latest definition of that name.
    pub(super) fn latest(&self, name: &str) -> Option<&DefinitionResult> {
        self.definitions.iter().rev().find(|definition| definition.name == name)
    }

    /// The latest definition of that name: one that is run again starts again.
    fn definition(&mut self, name: &str) -> Option<&mut DefinitionResult> {
        self.definitions.iter_mut().rev().find(|definition| definition.name == name)
    }

    /// The phase that the node is in, or was in when the run was cut off.
    pub fn open_phase(&self) -> Option<&PhaseResult> {
        self.phases.last().filter(|phase| phase.outcome.is_none())
    }

    /// How many cases had `result`.
    pub fn count(&self, result: TestResult) -> usize {
        self.tests.iter().filter(|test| test.result == result).count()
    }
}
