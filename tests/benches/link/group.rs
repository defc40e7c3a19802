//! `lava-sync` in one process: from the last arrival to each member's release.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use host_runner::group::{Member, Request};
use host_runner::report::jsonl::Jsonl;
use host_runner::run::{Emitter, GroupHandle, GroupMember};
use protocol::helper::{Call, Reply};
use protocol::{AgentToHost, HostToAgent};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::agent::{Agent, Error, recv};
use crate::percentile;

/// Barriers of a measurement.
const ROUNDS: usize = 50;

/// Agents that are real.
const AGENTS: usize = 20;

/// Prints the table.
pub(crate) async fn measure(out: &mut impl Write) -> Result<(), Error> {
    writeln!(out, "\n{:<44}{:>10}{:>10}{:>10}", "lava-sync, ms from the last arrival", "p50", "p99", "max")?;
    for members in [2, 20, 100, 1_000] {
        print(out, &format!("{members} members in one process"), &barriers(members).await?)?;
    }
    print(out, &format!("{AGENTS} agents on pipes, to the reply"), &agents().await?)
}

fn print(out: &mut impl Write, name: &str, times: &[f64]) -> Result<(), Error> {
    let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percent| percentile(times, percent));
    Ok(writeln!(out, "{name:<44}{p50:>10.2}{p99:>10.2}{max:>10.2}")?)
}

/// A group as a run has it, whose events go into a file, and the directory of that.
fn group(count: usize) -> Result<(Vec<GroupMember>, tempfile::TempDir), Error> {
    let directory = tempfile::tempdir()?;
    let emitter = Emitter::new(vec![Box::new(Jsonl::create(&directory.path().join("run.jsonl"))?)]);
    let member = |n| Member { name: format!("node-{n}"), role: "client".to_owned() };
    let handle = GroupHandle::new((0..count).map(member).collect());
    let members = (0..count).map(|n| handle.member(n, emitter.for_node(&format!("node-{n}"))));
    Ok((members.collect(), directory))
}

/// Times of members that call from tasks of their own.
async fn barriers(count: usize) -> Result<Vec<f64>, Error> {
    let (members, _directory) = group(count)?;
    let mut tasks = JoinSet::new();
    for member in members {
        tasks.spawn(async move {
            let mut times = Vec::new();
            for round in 0..ROUNDS {
                let arrived = Instant::now();
                let released = member.call(Request::Sync { id: format!("round-{round}") }).await;
                times.push((arrived, Instant::now()));
                if let Err(refusal) = released {
                    return Err(refusal.to_string());
                }
            }
            Ok(times)
        });
    }
    let mut of_members = Vec::new();
    while let Some(times) = tasks.join_next().await {
        of_members.push(times??);
    }
    Ok((0..ROUNDS).flat_map(|round| since_last(of_members.iter().map(move |times| times[round]))).collect())
}

/// Milliseconds from the last arrival to each release.
fn since_last(times: impl Iterator<Item = (Instant, Instant)> + Clone) -> Vec<f64> {
    let last = times.clone().map(|(arrived, _)| arrived).max();
    times
        .filter_map(|(_, released)| Some(released.saturating_duration_since(last?)))
        .map(|time: Duration| time.as_secs_f64() * 1_000.0)
        .collect()
}

/// Times of real agents on pipes, whose scripts call `lava-sync` again and again.
async fn agents() -> Result<Vec<f64>, Error> {
    let (members, _directory) = group(AGENTS)?;
    let (times, mut measured) = mpsc::unbounded_channel();
    let local = tokio::task::LocalSet::new();
    for member in members {
        let times = times.clone();
        local.spawn_local(async move {
            times.send(synchronised(&member).await.map_err(|error| error.to_string()))
        });
    }
    drop(times);
    local.await;
    let mut of_members = Vec::new();
    while let Some(times) = measured.recv().await {
        of_members.push(Arc::new(times?));
    }
    Ok((0..ROUNDS).flat_map(|round| since_last(of_members.iter().map(move |times| times[round]))).collect())
}

/// When each call of an agent came and when its reply was written.
async fn synchronised(member: &GroupMember) -> Result<Vec<(Instant, Instant)>, Error> {
    let mut agent = Agent::new()?;
    let mut session = agent.on_pipes().await?;
    agent.script(&format!("n=0\nwhile [ $n -lt {ROUNDS} ]; do lava-sync round-$n; n=$((n+1)); done\n"))?;
    let script =
        HostToAgent::RunScript { run: 1, script: "run.sh", shell: "/bin/sh", errexit: true, timeout_s: 120 };
    session.send(&script).await?;
    let mut times = Vec::new();
    loop {
        let message = recv(&mut session).await?;
        match message.decode()? {
            AgentToHost::Call { call, request: Call::Sync { id }, .. } => {
                let arrived = Instant::now();
                member.call(Request::Sync { id: id.to_owned() }).await?;
                session.send(&HostToAgent::Reply { call, reply: Reply::Done }).await?;
                times.push((arrived, Instant::now()));
            }
            AgentToHost::Exited { .. } => {
                session.quit().await?;
                return Ok(times);
            }
            _ => {}
        }
    }
}
