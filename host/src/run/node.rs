//! One node: its steps in order under their deadlines, and clean-up on every way out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::action::{self, Attempts, Overlay, within_attempt};
use crate::event::{EventKind, Outcome};
use crate::fault::{Class, Fault};
use crate::job::{DelayedStart, Moment};
use crate::limit::Limit;
use crate::plan::{Action, NodeKind, Step};
use crate::report::results::{DefinitionResult, NodeResults};
use crate::run::clean_up::clean_up;
use crate::run::keep_on::keep_on;
use crate::run::{NodeContext, Phase, Reads, Resources, unreached, verdict};

/// What an action may take beyond its deadline to tell by itself that it is over: its own message says more.
const TIMEOUT_GRACE: Duration = Duration::from_secs(2);

/// How long guests may go on after their host has ended: they finish at the same time, give or take.
const GUEST_GRACE: Duration = Duration::from_secs(10);

/// The same for a host that failed: long enough for guests to tell what they were refused.
const FAILED_HOST_GRACE: Duration = Duration::from_secs(2);

/// Runs a node from its first event to its last; its fault and when that happened, if it did not pass.
pub(super) async fn run(node: NodeContext) -> Option<(Instant, Fault)> {
    let node = Arc::new(node);
    let resources = Arc::new(Mutex::new(Resources::default()));
    let fault = run_steps(&node, &resources).await;
    if let Some(fault) = &fault {
        unreached::report_rest(&node, &node.results().definitions, fault);
    }
    let results = node.emitter.node_results(&node.plan.name);
    let fault = fault.or_else(|| verdict::node(&results?)).map(|fault| (Instant::now(), fault));
    let known = fault.as_ref().map(|(_, fault)| fault);
    // Tests that fail are a result.
    if let Some(fault) = known.filter(|fault| node.plan.essential && fault.class != Class::Test) {
        node.run.end_others(&node.plan.name, fault);
    }
    match resources.try_lock() {
        // Its guests go on for a while, and its board with them.
        Ok(mut resources) => resources.listen_while(end(&node, known)).await,
        Err(_) => end(&node, known).await,
    }
    if let (Some(fault), Some(time)) = (known, node.run.keep_on) {
        keep_on(&node, fault, time, &resources).await;
    }
    let clean_up = clean_up(&node, &resources).await;
    let fault = fault.or_else(|| clean_up.map(|fault| (Instant::now(), fault)));
    let shown = fault.as_ref().map(|(_, fault)| fault.clone());
    node.emitter.emit(EventKind::NodeFinished { outcome: Outcome::of(shown.as_ref()), fault: shown });
    node.run.set_ended(&node.plan.name);
    fault
}

/// Runs the steps in a task of their own, so that a panic in them cannot skip the clean-up.
async fn run_steps(node: &Arc<NodeContext>, resources: &Arc<Mutex<Resources>>) -> Option<Fault> {
    let (task_node, task_resources) = (Arc::clone(node), Arc::clone(resources));
    let task = tokio::spawn(async move {
        let mut resources = task_resources.lock().await;
        steps(&task_node, &mut resources).await
    });
    let mut task = AbortOnDropHandle::new(task);
    let name = &node.plan.name;
    tokio::select! {
        ended = &mut task => match ended {
            Ok(result) => result.err(),
            Err(error) => Some(Fault::new(Class::Bug, name.clone(), format!("the node's task ended badly: {error}"))),
        },
        fault = node.run.interrupted(name) => {
            task.abort();
            // What it reports as it ends comes before what is reported of its end.
            let _ = tokio::time::timeout(TIMEOUT_GRACE, &mut task).await;
            Some(fault)
        }
    }
}

async fn steps(node: &NodeContext, resources: &mut Resources) -> Result<(), Fault> {
    let prepare = node.phase("prepare", "", &node.plan.prepare.whole);
    let overlay = node.in_phase(prepare, async |phase| action::prepare(node, phase).await).await?;
    // No board is touched for a job whose definitions are not all there.
    node.run.all_prepared(&node.plan.name).await?;
    if let Some(start) = &node.plan.delayed_start {
        let phase = node.phase("lava-start", "", &start.timeout);
        node.in_phase(phase, async |phase| wait_for_start(node, start, phase).await).await?;
    }
    for step in &node.plan.steps {
        let phase = node.phase(&step.phase, &step.place, &time_of(step));
        node.in_phase(phase, async |phase| perform(node, step, phase, &overlay, resources).await).await?;
    }
    Ok(())
}

/// Time of a step. Calls to the group have their own, which comes on top: waiting for others is not the step's work.
fn time_of(step: &Step) -> Limit {
    let total = &step.timeouts.total;
    if step.calls.is_empty() {
        return total.clone();
    }
    let time = step.calls.iter().map(|call| call.timeout.time).fold(total.time, Duration::saturating_add);
    Limit::new(time, format!("{}, and the time of its requests", total.origin))
}

/// Makes the step's requests to the group, then does its work. Tests that were not run are reported, whoever asked for
/// them.
async fn perform(
    node: &NodeContext,
    step: &Step,
    phase: &Phase,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    resources.enter(&step.namespace);
    action::call_group(node, phase, step, Moment::Start, resources).await?;
    let part = phase.part(Some(&step.timeouts.total));
    let Err(fault) = attempt(node, step, &part, overlay, resources).await else {
        return action::call_group(node, phase, step, Moment::Shell, resources).await;
    };
    let phase = part;
    unreached::report(node, step, &node.definitions_of_phase(), &fault);
    // An agent counts in whole seconds, and stops a script that much earlier.
    let is_over = phase.left() < Duration::from_secs(1);
    let is_done = matches!(fault.class, Class::Test | Class::Infrastructure) && is_over;
    if step.timeouts.skip && is_done {
        node.emitter.warn(format!("{}; the job goes on, as `skip` says", fault.message));
        return Ok(());
    }
    Err(fault)
}

/// Does the step's work, as often as it may be tried.
async fn attempt(
    node: &NodeContext,
    step: &Step,
    phase: &Phase,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let mut attempts = Attempts::of(step);
    loop {
        let part = attempts.begin(phase);
        let result = within_attempt(&part, act(node, step, &part, overlay, resources)).await;
        // A definition that did not run to its end is a result, until another attempt can mend it.
        let unfinished = || verdict::unfinished(&node.definitions_of_phase(), &part.place);
        let result =
            result.and_then(|()| if attempts.left() { unfinished().map_or(Ok(()), Err) } else { Ok(()) });
        let Err(fault) = result else { return Ok(()) };
        if step.action.is_test() && attempts.left() && !resources.is_connected() {
            return Err(attempts.given_up(fault, "it is not tried again: the connection is lost"));
        }
        let reason = fault.message.clone();
        let told = fault.clone();
        node.emitter.warn(attempts.failed(phase, fault)?);
        unreached::report(node, step, &node.definitions_of_phase(), &told);
        node.emitter.emit(attempts.event(&step.phase, reason));
        resources.listen_while(tokio::time::sleep(step.retry_interval)).await;
    }
}

/// Does the step's work once; lines of the node that it leaves alone are read meanwhile.
async fn act(
    node: &NodeContext,
    step: &Step,
    phase: &Phase,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let is_over_ssh = resources.space().ssh.is_some();
    let idle = resources.lend_idle(reads(node, step, is_over_ssh));
    // An action is large, and would be on the stack once more on each level of waiting.
    let work: Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + '_>> =
        Box::pin(do_action(node, step, phase, overlay, resources));
    let done = idle.listen_while(work).await;
    resources.take_back();
    done
}

/// Which of the node's lines the step reads.
fn reads<'s>(node: &NodeContext, step: &'s Step, is_over_ssh: bool) -> Reads<'s> {
    match &step.action {
        Action::DeployTftp(_) | Action::DeploySsh(_) | Action::BootSsh(_) | Action::Command(_) => {
            Reads::Nothing
        }
        Action::BootUboot(_) | Action::BootBootloader(_) | Action::BootMinimal(_) => Reads::Named(None),
        Action::NewConnection(boot) => Reads::Named(Some(&boot.connection)),
        Action::Test(_) if is_over_ssh || node.plan.kind.board().is_none() => Reads::Nothing,
        Action::Test(_) | Action::Interactive(_) | Action::Monitors(_) => Reads::OfNamespace,
    }
}

async fn do_action(
    node: &NodeContext,
    step: &Step,
    phase: &Phase,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    match &step.action {
        Action::DeployTftp(deploy) => {
            action::deploy_tftp(node, phase, step, deploy, overlay, resources).await
        }
        // What LAVA deploys here, the overlay, goes over the connection itself once it is up.
        Action::DeploySsh(_) => Ok(()),
        Action::BootUboot(boot) => action::boot_uboot(node, phase, step, boot, resources).await,
        Action::BootBootloader(boot) => action::boot_bootloader(node, phase, step, boot, resources).await,
        Action::BootMinimal(boot) => action::boot_minimal(node, phase, step, boot, resources).await,
        Action::NewConnection(boot) => action::new_connection(node, phase, step, boot, resources).await,
        Action::BootSsh(boot) => action::boot_ssh(node, phase, step, boot, overlay, resources).await,
        Action::Test(test) => action::test(node, phase, step, test, overlay, resources).await,
        Action::Interactive(test) => action::interactive(node, phase, test, resources).await,
        Action::Monitors(test) => action::monitors(node, phase, test, resources).await,
        Action::Command(command) => action::command(node, phase, command, resources).await,
    }
}

/// `request: lava-start`: waits until every member of the role has sent `lava_start`.
async fn wait_for_start(node: &NodeContext, start: &DelayedStart, phase: &Phase) -> Result<(), Fault> {
    let role = start.expect_role.value.clone();
    let request = crate::group::Request::WaitAll { id: "lava_start".to_owned(), role: Some(role) };
    match tokio::time::timeout_at(phase.deadline, node.member.call(request)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(refusal)) => Err(phase.fault(node.member.refusal_class(), refusal)),
        Err(_) => Err(phase.fault(
            Class::Infrastructure,
            format!(
                "no `lava_start` of role `{}` in time (at most {})",
                start.expect_role.value, phase.limit
            ),
        )),
    }
}

/// Tells the group, the other nodes and the node's guests that the node has ended.
async fn end(node: &NodeContext, fault: Option<&Fault>) {
    node.member.ended(fault);
    node.run.cannot_prepare(&node.plan.name, fault);
    if !matches!(node.plan.kind, NodeKind::Board { .. }) {
        return;
    }
    let host = &node.plan.name;
    let (grace, class, how) = match fault {
        None => (GUEST_GRACE, Class::Job, "has done all of its actions".to_owned()),
        Some(fault) => (
            if fault.class == Class::Test { GUEST_GRACE } else { FAILED_HOST_GRACE },
            fault.class,
            format!("failed: {}", fault.headline()),
        ),
    };
    node.run
        .end_guests(host, grace, |guest| {
            let fault =
                Fault::new(class, guest, format!("its host `{host}` {how}, and the board is about to be switched off"));
            match class {
                Class::Job => fault.with_help(format!(
                    "guests must end before their host: end the tests of `{host}` and of its guests with the same `lava-sync`"
                )),
                _ => fault,
            }
        })
        .await;
}

impl NodeContext {
    pub(super) fn phase(&self, name: &str, place: &str, limit: &Limit) -> Phase {
        let node = &self.plan.name;
        let asked_at = (!place.is_empty()).then(|| place.to_owned());
        let place = match &asked_at {
            None => format!("{node}, {name}"),
            Some(place) => format!("{node}, {name} ({place})"),
        };
        let now = Instant::now();
        let job = Phase {
            name: name.to_owned(),
            place,
            asked_at,
            deadline: self.run.deadline.max(now),
            limit: self.run.limit.clone(),
        };
        job.part(Some(limit))
    }

    /// Runs `work` as a phase: events around it, its deadline over it.
    pub(super) async fn in_phase<T>(
        &self,
        phase: Phase,
        work: impl AsyncFnOnce(&Phase) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let started = Instant::now();
        let timeout = phase.deadline - started;
        let (name, place) = (phase.name.clone(), phase.asked_at.clone());
        let limit = Some(phase.limit.origin.clone());
        self.emitter.emit(EventKind::PhaseStarted { phase: name, timeout, limit, place });
        let mut open = OpenPhase { node: self, phase: &phase, started, outcome: None };
        let before = self.results();
        let result = within(&phase, work(&phase)).await;
        open.outcome = Some(match &result {
            Err(fault) => Outcome::of(Some(fault)),
            // Tests that fail do not stop a node, but the phase in which they failed shows it.
            Ok(_) => verdict::tests_since(&before, &self.results()),
        });
        result
    }

    /// What the phase that runs now has reported so far.
    fn definitions_of_phase(&self) -> Vec<DefinitionResult> {
        let results = self.results();
        results.definitions.get(results.phase_begin.definitions..).unwrap_or_default().to_vec()
    }

    fn results(&self) -> NodeResults {
        self.emitter.node_results(&self.plan.name).unwrap_or_default()
    }
}

/// Reports the end of a phase, also of one that is dropped because the node is stopped.
struct OpenPhase<'a> {
    node: &'a NodeContext,
    phase: &'a Phase,
    started: Instant,
    outcome: Option<Outcome>,
}

impl Drop for OpenPhase<'_> {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or_else(|| Outcome::of(Some(&self.node.cut_off(self.phase))));
        let (phase, took) = (self.phase.name.clone(), self.started.elapsed());
        self.node.emitter.emit(EventKind::PhaseFinished { phase, took, outcome });
    }
}

async fn within<T>(phase: &Phase, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout_at(phase.deadline + TIMEOUT_GRACE, work).await {
        Ok(result) => result,
        Err(_) => Err(phase.timed_out()),
    }
}
