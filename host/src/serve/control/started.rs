//! Runs that are started here. Each is a process of its own, which goes on when this one ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::board::Bench;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::fault::Fault;
use crate::job::Job;
use crate::plan::Plan;
use crate::run::out_directory;
use crate::text::without_steering;

use super::{Problem, Refusal};

/// Most runs that go on at the same time.
const MAX_RUNNING: usize = 32;
/// Most runs that are remembered.
const MAX_REMEMBERED: usize = 100;
/// How much is shown of what a run has printed, in bytes: the end.
const SHOWN: u64 = 4096;
/// The exit code of a process whose end the system did not tell.
const NOT_KNOWN: i32 = 255;
/// How long a process may take to read its job.
const READ_TIME: Duration = Duration::from_secs(10);
/// How the job file is called that was sent.
const JOB_FILE: &str = "job file";
/// How long the problems of a job may take to be told.
const PROBLEMS_TIME: Duration = Duration::from_secs(30);

/// The runs that were started here, the newest last.
#[derive(Debug, Default)]
pub(in crate::serve) struct StartedRuns(Mutex<Vec<Arc<Started>>>);

#[derive(Debug)]
struct Started {
    id: String,
    job: String,
    since: jiff::Timestamp,
    directory: PathBuf,
    /// What it prints. The file has no name: it goes with the last process that has it open.
    output: File,
    cancel: Notify,
    /// The exit code once it has ended; of one that a signal has ended, 128 and the signal's number, as in shells.
    ended: Mutex<Option<i32>>,
}

/// How far a run is that was started here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::serve) enum StartedState {
    /// For boards that others have.
    Waiting,
    /// It has its boards, and a page.
    Running,
    /// Its process has ended.
    Ended,
}

/// A run that was started here.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct StartedRun {
    /// Name of the directory that it has, or will have.
    pub(in crate::serve) id: String,
    /// Name of its job.
    pub(in crate::serve) job: String,
    /// When it was asked for.
    pub(in crate::serve) since: jiff::Timestamp,
    /// How far it is.
    pub(in crate::serve) state: StartedState,
    /// Its exit code, once it has ended; 128 and the number of the signal that has ended it.
    pub(in crate::serve) exit_code: Option<i32>,
    /// The end of what it has printed.
    pub(in crate::serve) said: String,
}

impl StartedRuns {
    /// Those that go on, and the last ones that do not, the newest first.
    pub(in crate::serve) fn list(&self) -> Vec<StartedRun> {
        self.all().iter().rev().map(|run| run.describe()).collect()
    }

    /// Starts a run of a job's text on boards of `bench`, behind those who wait for them already; its id.
    ///
    /// # Errors
    /// Where the job has problems, or too many runs go on.
    pub(super) async fn start(&self, bench: &Bench, runs: &Path, job: Bytes) -> Result<String, Refusal> {
        let name = match job_name(bench, &job) {
            Ok(name) => name,
            Err(problems) => return Err(Refusal { problems, ..told(bench, &job).await? }),
        };
        let (run, child) = self.spawn(bench, runs, name)?;
        let id = run.id.clone();
        tokio::spawn(attend(run, child, job));
        Ok(id)
    }

    /// The process, and its place in the list: both at once, so that no two have one directory.
    fn spawn(&self, bench: &Bench, runs: &Path, job: String) -> Result<(Arc<Started>, Child), Refusal> {
        let mut all = self.all();
        if all.iter().filter(|run| run.exit_code().is_none()).count() >= MAX_RUNNING {
            let text = format!("{MAX_RUNNING} runs that were started here go on already");
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text));
        }
        let since = jiff::Timestamp::now();
        let is_known = |path: &Path| all.iter().any(|run| run.directory == path);
        // The process makes it, and is told so if another one was first.
        let directory = out_directory(runs, &job, since, is_known).path;
        let failed = |error: io::Error| {
            let text = format!("the run could not be started: {error}");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
        };
        let output = tempfile::tempfile().map_err(failed)?;
        // Not --quiet: what is asked of a person is on the page.
        let mut command = this_program(&["run", "-", "--wait"], bench).map_err(failed)?;
        command.arg("--out").arg(&directory);
        command.stdout(output.try_clone().map_err(failed)?).stderr(output.try_clone().map_err(failed)?);
        let child = command.spawn().map_err(failed)?;
        let id = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (cancel, ended) = (Notify::new(), Mutex::new(None));
        let run = Arc::new(Started { id, job, since, directory, output, cancel, ended });
        if all.len() >= MAX_REMEMBERED
            && let Some(oldest) = all.iter().position(|run| run.exit_code().is_some())
        {
            all.remove(oldest);
        }
        all.push(Arc::clone(&run));
        Ok((run, child))
    }

    /// Ends the run `id` as Ctrl-C does.
    ///
    /// # Errors
    /// Where it was not started here, or has ended.
    pub(super) fn cancel(&self, id: &str) -> Result<(), Refusal> {
        let run = self.all().iter().find(|run| run.id == id).cloned();
        let run = run.ok_or_else(|| {
            let text = "no run of that name was started here; who has started it may end it";
            Refusal::new(StatusCode::NOT_FOUND, text)
        })?;
        match run.exit_code() {
            None => {
                run.cancel.notify_one();
                Ok(())
            }
            Some(_) => Err(Refusal::new(StatusCode::CONFLICT, "it has ended")),
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<Started>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Started {
    fn exit_code(&self) -> Option<i32> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self) -> StartedRun {
        let exit_code = self.exit_code();
        let state = match exit_code {
            Some(_) => StartedState::Ended,
            None if self.directory.exists() => StartedState::Running,
            None => StartedState::Waiting,
        };
        StartedRun {
            id: self.id.clone(),
            job: self.job.clone(),
            since: self.since,
            state,
            exit_code,
            said: self.said().unwrap_or_default(),
        }
    }

    /// The last lines that it has printed.
    fn said(&self) -> io::Result<String> {
        let length = self.output.metadata()?.len();
        let begin = length.saturating_sub(SHOWN);
        let mut bytes = vec![0; usize::try_from(length - begin).unwrap_or_default()];
        self.output.read_exact_at(&mut bytes, begin)?;
        let text = String::from_utf8_lossy(&bytes);
        // The first line may have been cut.
        let whole = if begin > 0 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
        Ok(printable(whole))
    }
}

/// Lines without what would steer a terminal.
fn printable(text: &str) -> String {
    let lines = text.lines().map(|line| without_steering(line).unwrap_or_else(|| line.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}

/// Gives the process its job, has it end when that is wanted, and sees that it has.
async fn attend(run: Arc<Started>, mut child: Child, job: Bytes) {
    if let Some(stdin) = child.stdin.take() {
        give(stdin, &job).await;
    }
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = run.cancel.notified() => {
                // It is not waited for yet: the number is still its own.
                let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
                if let Some(pid) = pid {
                    // If it has ended just now, all is done.
                    let _ = kill_process(pid, Signal::INT);
                }
            }
        }
    };
    let code = |status: ExitStatus| status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    let code = status.ok().and_then(code).unwrap_or(NOT_KNOWN);
    *run.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
}

/// Gives a process the text that it reads; one that does not read says why itself.
async fn give(mut stdin: ChildStdin, text: &[u8]) {
    let _ = timeout(READ_TIME, stdin.write_all(text)).await;
}

/// The name of a job that can run on `bench`, or all that is wrong with it.
fn job_name(bench: &Bench, text: &[u8]) -> Result<String, Vec<Problem>> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let message = format!("it is not UTF-8 text: {error}");
        vec![Problem { message, place: JOB_FILE.to_owned(), help: None }]
    })?;
    let job = Job::parse(&Source::new(JOB_FILE, text)).map_err(|Diagnostics { source, problems }| {
        let errors = problems.into_iter().filter(Diagnostic::is_error);
        let of = |problem: Diagnostic| {
            let place = source.place(problem.span());
            Problem { message: problem.message, place, help: problem.help }
        };
        errors.map(of).collect::<Vec<_>>()
    })?;
    let plan = Plan::bind(&job, bench).map_err(|faults| {
        let of = |Fault { message, place, help, .. }: Fault| Problem { message, place, help };
        faults.into_iter().map(of).collect::<Vec<_>>()
    })?;
    Ok(plan.job_name)
}

/// What is wrong with a job, as `host-runner validate` tells it.
async fn told(bench: &Bench, job: &[u8]) -> Result<Refusal, Refusal> {
    let failed = |error: io::Error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let mut command = this_program(&["validate", "-", "--color", "never"], bench).map_err(failed)?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    if let Some(stdin) = child.stdin.take() {
        give(stdin, job).await;
    }
    let output = match timeout(PROBLEMS_TIME, child.wait_with_output()).await {
        Ok(output) => output.map_err(failed)?,
        Err(_) => return Err(failed(io::ErrorKind::TimedOut.into())),
    };
    let text = [output.stdout, output.stderr].concat();
    Ok(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, printable(&String::from_utf8_lossy(&text))))
}

/// This program, with the bench file and a text to read; Ctrl-C at a terminal is not for it.
fn this_program(arguments: &[&str], bench: &Bench) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).arg("--bench").arg(&bench.path).stdin(Stdio::piped()).process_group(0);
    Ok(command)
}
