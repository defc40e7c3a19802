//! The whole run: what its nodes share, one task per node, and the verdict.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::board::Bench;
use crate::event::{EventKind, Node, Outcome};
use crate::fault::{Class, Fault};
use crate::job::JobText;
use crate::plan::{NodeKind, NodePlan, Plan};
use crate::run::context::RunContext;
use crate::run::networks::Networks;
use crate::run::{Emitter, Handover, node, verdict};

/// A run that is ready to start.
pub struct JobRun {
    /// The file that says what is to be done.
    pub text: JobText,
    /// What is to be done.
    pub plan: Plan,
    /// Where.
    pub bench: Bench,
    /// When it started; part of the ids on the targets.
    pub started: jiff::Timestamp,
    /// The directory in which the boards' root filesystems are kept, if they are.
    pub keep_rootfs: Option<PathBuf>,
    /// How long boards of nodes that failed stay on, if they do.
    pub keep_on: Option<Duration>,
    /// The open lines that it was given, and those that it leaves.
    pub handover: Handover,
    /// Where its events go.
    pub emitter: Emitter,
    /// Stops it.
    pub cancel: CancellationToken,
}

/// Carries out a run: emits all of its events, from `RunStarted` to `RunFinished`, and cleans up.
///
/// Returns the class of the fault that decided it, `None` if it passed.
pub async fn run(job: JobRun) -> Option<Class> {
    let emitter = job.emitter.clone();
    emitter.mask(&job.plan.secrets);
    emitter.emit(EventKind::RunStarted {
        job: job.plan.job_name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        nodes: job.plan.nodes.iter().map(NodePlan::to_event).collect(),
    });
    let JobText { file, text } = job.text.clone();
    emitter.emit(EventKind::JobRead { file, text });
    for warning in &job.plan.warnings {
        emitter.warn(warning);
    }
    let fault = match run_nodes(job).await {
        Ok(faults) => verdict::run(&faults).cloned(),
        Err(fault) => Some(fault),
    };
    let class = fault.as_ref().map(|fault| fault.class);
    emitter.emit(EventKind::RunFinished { outcome: Outcome::of(fault.as_ref()), fault });
    class
}

/// Runs all nodes; their faults in the order in which they happened, which is not that in which the nodes end: a host
/// that has failed ends after its guests.
async fn run_nodes(job: JobRun) -> Result<Vec<Fault>, Fault> {
    let deadline = Instant::now() + job.plan.job_timeout.time;
    let networks = Networks::start(&job).await?;
    let shared = Arc::new(RunContext::new(&job, networks, deadline)?);
    let faults = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for (index, plan) in job.plan.nodes.iter().enumerate() {
        let node = shared.node(index, plan);
        let faults = Arc::clone(&faults);
        tasks.spawn(async move {
            if let Some(fault) = node::run(node).await {
                faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            let fault = Fault::new(Class::Bug, "host-runner", format!("a node's task ended badly: {error}"));
            faults.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), fault));
        }
    }
    shared.shut_down().await;
    let mut faults = std::mem::take(&mut *faults.lock().unwrap_or_else(PoisonError::into_inner));
    faults.sort_by_key(|(when, _)| *when);
    Ok(faults.into_iter().map(|(_, fault)| fault).collect())
}

impl NodePlan {
    fn to_event(&self) -> Node {
        Node {
            name: self.name.clone(),
            role: self.role.clone(),
            board: self.on().to_owned(),
            phases: self.phases(),
        }
    }

    /// The phases that it goes through if all goes well.
    fn phases(&self) -> Vec<String> {
        let start = self.delayed_start.as_ref().map(|_| "lava-start");
        let end = matches!(self.kind, NodeKind::Board { .. }).then_some("power-off");
        let steps = self.steps.iter().map(|step| step.phase.as_str());
        ["prepare"].into_iter().chain(start).chain(steps).chain(end).map(str::to_owned).collect()
    }

    /// What the node runs on: its board, or the node that it connects to.
    pub fn on(&self) -> &str {
        match &self.kind {
            NodeKind::Board { board } => &board.name,
            NodeKind::Secondary { host } => host,
        }
    }
}
