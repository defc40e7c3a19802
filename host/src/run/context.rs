//! What the actions of a node work with.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::artifact::git::Checkouts;
use crate::artifact::{Cache, Mirrors};
use crate::board::{Board, Tokens};
use crate::fault::{Class, Fault};
use crate::group::Member;
use crate::limit::Limit;
use crate::plan::{NodeKind, NodePlan};
use crate::run::bench;
use crate::run::group::GroupHandle;
use crate::run::lowers::Lowers;
use crate::run::networks::Networks;
use crate::run::scratch::Scratch;
use crate::run::{Emitter, GroupMember, Handover, HostAccess, JobRun, Phase};
use crate::ssh::KeyPair;

/// What the nodes of a run share.
pub(crate) struct RunContext {
    /// Networks and what is served there.
    pub(crate) networks: Networks,
    /// Artifacts.
    pub(crate) cache: Cache,
    /// Root filesystems that are in use.
    pub(crate) lowers: Lowers,
    /// Rules that rewrite URLs.
    pub(crate) mirrors: Mirrors,
    /// OpenSSH's configuration for `scp` URLs, instead of the user's.
    pub(crate) ssh_config: Option<PathBuf>,
    /// Secrets that headers of jobs name.
    pub(crate) tokens: Tokens,
    /// Commits with test definitions.
    pub(crate) checkouts: Checkouts,
    /// The job's own key for secondary connections.
    pub(crate) key: KeyPair,
    /// Where the agents' binaries are.
    pub(crate) agents: Vec<PathBuf>,
    /// The bench file.
    pub(crate) bench: PathBuf,
    /// Open lines that the run was given, and that it leaves.
    pub(crate) handover: Handover,
    /// How long a board of a failed node stays on, if it does.
    pub(crate) keep_on: Option<Duration>,
    /// Where the boards' root filesystems are kept, if they are.
    pub(crate) keep_rootfs: Option<PathBuf>,
    /// Where the persistent root filesystems are, if there is a place for them.
    pub(crate) persistent: Option<PathBuf>,
    /// Files of this run alone.
    pub(crate) scratch: Scratch,
    /// When the whole job's time is over.
    pub(crate) deadline: Instant,
    /// What sets that.
    pub(crate) limit: Limit,
    /// Stops the run.
    pub(crate) cancel: CancellationToken,
    emitter: Emitter,
    group: GroupHandle,
    hosts: Mutex<HashMap<String, HostAccess>>,
    nodes: HashMap<String, NodeState>,
    preparation: watch::Sender<Preparation>,
    /// The job's secrets: names and values.
    pub(crate) secrets: Vec<(String, String)>,
    started: jiff::Timestamp,
    boards: HashMap<String, Arc<Board>>,
}

/// Whether a node has ended, and the way to end it.
#[derive(Debug)]
struct NodeState {
    host: Option<String>,
    ended: watch::Sender<bool>,
    stop: watch::Sender<Option<Fault>>,
}

/// Which nodes are still to be prepared, and what keeps one of them from it.
#[derive(Debug)]
struct Preparation {
    missing: BTreeSet<String>,
    failed: Option<(String, Fault)>,
}

impl RunContext {
    /// Opens the cache, makes the key, and registers the group's members.
    pub(crate) fn new(job: &JobRun, networks: Networks, deadline: Instant) -> Result<Self, Fault> {
        let directory = bench::cache_directory(Some(&job.bench))?;
        let cache_fault = |source: &std::io::Error, error: &dyn std::error::Error| {
            let fault = Fault::from_error(Class::Infrastructure, directory.display().to_string(), error);
            fault.with_optional_help(bench::cache_help(&directory, source))
        };
        let members = job
            .plan
            .nodes
            .iter()
            .map(|node| Member { name: node.name.clone(), role: node.role.clone() })
            .collect();
        let nodes = job.plan.nodes.iter().map(|node| (node.name.clone(), NodeState::new(node))).collect();
        Ok(Self {
            networks,
            cache: Cache::open(&directory).map_err(|error| cache_fault(&error.source, &error))?,
            lowers: Lowers::default(),
            mirrors: job.bench.mirrors.clone(),
            ssh_config: job.bench.ssh_config.clone(),
            tokens: job.bench.tokens.clone(),
            checkouts: Checkouts::default(),
            key: KeyPair::generate(),
            agents: bench::agent_directories(&job.bench),
            bench: job.bench.path.clone(),
            handover: job.handover.clone(),
            keep_on: job.keep_on,
            keep_rootfs: job.keep_rootfs.clone(),
            persistent: bench::persistent_directory(Some(&job.bench)).ok(),
            scratch: Scratch::create(&directory.join("scratch"))
                .map_err(|error| cache_fault(&error, &error))?,
            deadline,
            limit: job.plan.job_timeout.clone(),
            cancel: job.cancel.clone(),
            emitter: job.emitter.clone(),
            group: GroupHandle::new(members),
            hosts: Mutex::default(),
            nodes,
            preparation: watch::Sender::new(Preparation {
                missing: job.plan.nodes.iter().map(|node| node.name.clone()).collect(),
                failed: None,
            }),
            boards: job.plan.boards().map(|(node, board)| (node.name.clone(), Arc::clone(board))).collect(),
            secrets: job.plan.secrets.clone(),
            started: job.started,
        })
    }

    /// What the ids of the nodes begin with.
    pub(crate) fn id_prefix(&self) -> String {
        id_prefix(self.started)
    }

    /// The context of one node.
    pub(crate) fn node(self: &Arc<Self>, index: usize, plan: &NodePlan) -> NodeContext {
        let emitter = self.emitter.for_node(&plan.name);
        NodeContext {
            id: node_id(self.started, index),
            member: self.group.member(index, emitter.clone()),
            emitter,
            plan: plan.clone(),
            run: Arc::clone(self),
        }
    }

    /// Says how secondary connections reach the board of `node`.
    pub(crate) fn set_host(&self, node: &str, access: HostAccess) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).insert(node.to_owned(), access);
    }

    /// How secondary connections reach the board of `node`, once the run's key was put into its root filesystem.
    pub(crate) fn host(&self, node: &str) -> Option<HostAccess> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).get(node).cloned()
    }

    /// The board of `node`; none if it is a connection to another node's.
    pub(crate) fn board_of(&self, node: &str) -> Option<&Board> {
        self.boards.get(node).map(Arc::as_ref)
    }

    /// Marks a node as ended.
    pub(super) fn set_ended(&self, node: &str) {
        if let Some(state) = self.nodes.get(node) {
            state.ended.send_replace(true);
        }
    }

    /// Resolves when the user or another node wants `node` to end, to the reason.
    pub(super) async fn interrupted(&self, node: &str) -> Fault {
        let stopped = async {
            let Some(state) = self.nodes.get(node) else { return std::future::pending().await };
            match state.stop.subscribe().wait_for(Option::is_some).await.map(|fault| fault.clone()) {
                Ok(Some(fault)) => fault,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            fault = stopped => fault,
            () = self.cancel.cancelled() => stopped_by_user(node),
        }
    }

    /// Why `node` is to end before its work is done, if somebody wants that.
    fn interruption(&self, node: &str) -> Option<Fault> {
        let stop = self.nodes.get(node).and_then(|state| state.stop.borrow().clone());
        stop.or_else(|| self.cancel.is_cancelled().then(|| stopped_by_user(node)))
    }

    /// Says that `node` is prepared, and waits for the others: each is, or ends, within its own time.
    ///
    /// # Errors
    /// What keeps another node from it.
    pub(super) async fn all_prepared(&self, node: &str) -> Result<(), Fault> {
        self.preparation.send_modify(|preparation| {
            preparation.missing.remove(node);
        });
        let mut preparation = self.preparation.subscribe();
        let ready = preparation.wait_for(|now| now.missing.is_empty() || now.failed.is_some()).await;
        match ready.as_deref() {
            Ok(Preparation { failed: Some((other, fault)), .. }) => {
                Err(Fault::new(fault.class, node, format!("`{other}` could not be prepared: {fault}")))
            }
            _ => Ok(()),
        }
    }

    /// Says that `node` has ended with `fault`, for those who wait for it to be prepared.
    pub(super) fn cannot_prepare(&self, node: &str, fault: Option<&Fault>) {
        self.preparation.send_if_modified(|preparation| match fault {
            Some(fault) if preparation.failed.is_none() && preparation.missing.contains(node) => {
                preparation.failed = Some((node.to_owned(), fault.clone()));
                true
            }
            _ => false,
        });
    }

    /// Waits at most `grace` for the guests of `host` to end, then ends those that have not, each with a fault from
    /// `reason`.
    pub(super) async fn end_guests(&self, host: &str, grace: Duration, reason: impl Fn(&str) -> Fault) {
        let deadline = Instant::now() + grace;
        let guests: Vec<_> =
            self.nodes.iter().filter(|(_, state)| state.host.as_deref() == Some(host)).collect();
        for (name, state) in &guests {
            let mut ended = state.ended.subscribe();
            if tokio::time::timeout_at(deadline, ended.wait_for(|ended| *ended)).await.is_err() {
                state.stop.send_replace(Some(reason(name)));
            }
        }
        for (_, state) in &guests {
            // They end at their next await; their own clean-up is bounded.
            let _ = state.ended.subscribe().wait_for(|ended| *ended).await;
        }
    }

    /// Ends every other node than the essential one `node`, which ended with `fault`.
    pub(super) fn end_others(&self, node: &str, fault: &Fault) {
        let reason = fault.headline();
        for (name, state) in self.nodes.iter().filter(|(name, _)| *name != node) {
            let message = format!("the essential node `{node}` failed: {reason}");
            // Who ends already keeps its own reason.
            state.stop.send_if_modified(|stop| {
                let is_first = stop.is_none();
                stop.get_or_insert_with(|| Fault::new(fault.class, name, message));
                is_first
            });
        }
    }

    /// Stops what is served and fetched.
    pub(super) async fn shut_down(&self) {
        self.networks.shut_down().await;
        self.cache.close();
    }
}

/// Decimal id of the node at `index` of a run: unique among the runs of this PC ([`start_time`](super::start_time)).
pub(super) fn node_id(started: jiff::Timestamp, index: usize) -> String {
    format!("{}{index:02}", id_prefix(started))
}

/// What the ids of a run's nodes begin with.
fn id_prefix(started: jiff::Timestamp) -> String {
    started.as_millisecond().to_string()
}

fn stopped_by_user(node: &str) -> Fault {
    Fault::new(Class::Cancelled, node, "the run was stopped")
}

impl NodeState {
    fn new(plan: &NodePlan) -> Self {
        let host = match &plan.kind {
            NodeKind::Board { .. } => None,
            NodeKind::Secondary { host } => Some(host.clone()),
        };
        Self { host, ended: watch::Sender::new(false), stop: watch::Sender::new(None) }
    }
}

/// What the actions of one node work with.
pub(crate) struct NodeContext {
    /// What the node does.
    pub(crate) plan: NodePlan,
    /// Decimal id of the node: `/lava-<id>` on the target.
    pub(crate) id: String,
    /// Events of the node.
    pub(crate) emitter: Emitter,
    /// The node in its group.
    pub(crate) member: GroupMember,
    /// What all nodes share.
    pub(crate) run: Arc<RunContext>,
}

impl NodeContext {
    /// Why the work of `phase` ends before it is done: for what reports its own end when it is dropped.
    pub(crate) fn cut_off(&self, phase: &Phase) -> Fault {
        if std::thread::panicking() {
            return phase.fault(Class::Bug, "the node's task ended badly");
        }
        self.run.interruption(&self.plan.name).unwrap_or_else(|| phase.timed_out())
    }
}
