//! `host-runner run JOB`: runs a job on the boards of a bench.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::board::power::Power;
use crate::board::{Bench, BenchError, Board, ConsoleTarget};
use crate::cli::args::{BenchArgs, RunArgs};
use crate::cli::interrupt::interrupted;
use crate::cli::message::{Failure, note, print_warnings};
use crate::cli::reports::{self, View};
use crate::cli::runtime::block_on;
use crate::cli::web::Web;
use crate::diagnostic::{ReadError, Source, did_you_mean};
use crate::fault::{Class, Fault};
use crate::job::Job;
use crate::plan::Plan;
use crate::report::output::{Full, Output};
use crate::report::terminal::Moment;
use crate::run::{self, BegunRun, Emitter, Handover, JobRun, OutDirectory, Wait, out_directory};

/// How long whoever reads standard output may take for the rest, once the run has ended and its boards are free.
const UNREAD_TIME: Duration = Duration::from_secs(60);

/// The bench file for all users of this PC.
const INSTALLED_BENCH: &str = "/etc/host-runner/bench.toml";

/// Runs the job; the class of the fault that decided it, if it did not pass.
pub(super) fn run(args: &RunArgs) -> Result<Option<Class>, Failure> {
    let job = load_job(&args.job)?;
    if !args.display.quiet {
        print_warnings(&job.source, &job.warnings);
    }
    let bench = load_bench(&find_bench(&args.bench)?)?;
    let plan = make_plan(&job, &bench).map_err(Failure::Faults)?;
    if args.display.quiet {
        refuse_questions(&plan)?;
    }
    let chosen = match &args.out {
        Some(out) => OutDirectory { path: out.clone(), reserved: None },
        None => default_out(&plan.job_name),
    };
    let out = chosen.path.clone();
    let web = args.web.map(|address| Web::open(address, &bench, &out)).transpose()?;
    let say = |text: &str| note(&format!("waiting: {text}"));
    let wait = match args.wait {
        Some(time) => Some(Wait { time, say: &say, cancel: interrupted()? }),
        None => None,
    };
    let at_most = plan.job_timeout.time.saturating_add(args.keep_on.unwrap_or_default());
    let absolute = std::path::absolute(&out).unwrap_or_else(|_| out.clone());
    let taken = run::take_leases(&plan, &bench, &absolute, at_most, wait.as_ref())?;
    let handover = Handover::of(&taken.lease, taken.lines);
    let (started, _own_time) = run::start_time(jiff::Timestamp::now());
    reports::make_out_directory(&out)?;
    drop(chosen);
    let mut all = reports::files(&out)?;
    let printed = reports::detached(if args.json { Full::Fail } else { Full::LeaveOut })?;
    match args.json {
        true => all.push(reports::json(printed.clone())),
        false => all.extend(reports::printed(
            &args.display,
            &View { speed: Some(1.0), from: Moment::default(), files: &out, out: printed.clone() },
        )?),
    }
    let emitter = Emitter::new(all);
    let boards: Vec<String> = plan.boards().map(|(_, board)| board.name.clone()).collect();
    let text = job.text(|name| bench.tokens.is_named(name));
    let own_bench = bench.clone();
    let begun = BegunRun::new(bench.clone(), boards, absolute, plan.job_name.clone(), started);
    let class = block_on(async |cancel| {
        let keep_rootfs = args.keep_rootfs.then(|| out.join("rootfs"));
        let (emitter, handover) = (emitter.clone(), handover.clone());
        let keep_on = args.keep_on;
        let served = web.map(|web| web.serve(&cancel)).transpose()?;
        note_unremembered(begun.begin());
        let run = JobRun { text, plan, bench, started, keep_rootfs, keep_on, handover, emitter, cancel };
        let class = run::run(run).await;
        if let Some(served) = served {
            served.end().await;
        }
        Ok::<_, Fault>(class)
    })?;
    // Results that could not be written are none to go by, whatever they were.
    let broken = emitter
        .broken_reports()
        .into_iter()
        .next()
        .map(|problem| Fault::new(Class::Infrastructure, out.display().to_string(), problem));
    let decided = broken.as_ref().map_or(class, |fault| Some(fault.class));
    note_unremembered(begun.end(decided));
    handover.finish(taken.lease, &own_bench);
    settle(&printed, args.json, &out)?;
    broken.map_or(Ok(class), |fault| Err(fault.into()))
}

/// That boards do not know their last run is no fault of the run.
fn note_unremembered(remembered: Result<(), Fault>) {
    if let Err(fault) = remembered {
        note(&format!("the run is not remembered as the boards' last one: {fault}"));
    }
}

/// Waits until whoever reads standard output has the rest, which counts where it is all that they have.
fn settle(printed: &Output, is_json: bool, out: &Path) -> Result<(), Fault> {
    match printed.settle(UNREAD_TIME) {
        Ok(()) => {}
        Err(error) if is_json && error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Fault::from_error(Class::Infrastructure, "standard output", &error));
        }
        // The run is what it is: `run --json | head -1` has what it wants.
        Err(error) => note(&format!("standard output: {error}; all is in {}", out.display())),
    }
    Ok(())
}

/// Refuses boards at which a person is needed, who would not be told.
fn refuse_questions(plan: &Plan) -> Result<(), Fault> {
    let is_by_hand = |(_, board): &(_, &Arc<Board>)| {
        matches!(board.console, ConsoleTarget::Line(_)) && board.power.as_ref().is_none_or(Power::is_by_hand)
    };
    plan.boards().find(is_by_hand).map_or(Ok(()), |(_, board)| {
        let text = format!(
            "the power of board `{}` is switched by hand, and with --quiet nobody is asked",
            board.name
        );
        Err(Fault::new(Class::Usage, "--quiet", text).with_help("leave --quiet out"))
    })
}

/// Reads and checks a job file.
pub(super) fn load_job(path: &Path) -> Result<Job, Failure> {
    let source = Source::read_argument(path).map_err(|error| unread_job(path, &error))?;
    Job::parse(&source).map_err(|problems| Failure::Problems(vec![problems], Class::Job))
}

/// Why the job file at `path` cannot be read: one that is not there is a mistake of the command line.
pub(super) fn unread_job(path: &Path, error: &ReadError) -> Fault {
    let is_absent = matches!(error, ReadError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound);
    let class = if is_absent { Class::Usage } else { Class::Job };
    Fault::from_error(class, path.display().to_string(), error)
}

/// Reads and checks a bench file.
pub(super) fn load_bench(path: &Path) -> Result<Bench, Failure> {
    Bench::load(path).map_err(|error| match error {
        BenchError::Read(error) => Fault::from_error(Class::Bench, path.display().to_string(), &error).into(),
        BenchError::Invalid(problems) => Failure::Problems(problems, Class::Bench),
    })
}

/// Binds a job to a bench on which it can be run, as far as is seen before a board is touched; else every fault.
pub(super) fn make_plan(job: &Job, bench: &Bench) -> Result<Plan, Vec<Fault>> {
    let plan = Plan::bind(job, bench)?;
    let faults = run::preflight(&plan, bench);
    if faults.is_empty() { Ok(plan) } else { Err(faults) }
}

/// The bench file that was named, or the first of the usual ones that exists.
pub(super) fn find_bench(args: &BenchArgs) -> Result<PathBuf, Fault> {
    let usual = usual_benches();
    bench_if_any(args, &usual).ok_or_else(|| {
        let tried =
            usual.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(" nor ");
        Fault::new(Class::Bench, "bench file", format!("there is no bench file: neither {tried} exists"))
            .with_help(
                "`host-runner init` writes one for the boards at this PC; `--bench FILE` names another",
            )
    })
}

/// Reads and checks the bench file, for commands that can do without one.
pub(super) fn load_bench_if_any(args: &BenchArgs) -> Result<Option<Bench>, Failure> {
    find_bench_if_any(args).map(|path| load_bench(&path)).transpose()
}

/// The bench file, for commands that can do without one.
pub(super) fn find_bench_if_any(args: &BenchArgs) -> Option<PathBuf> {
    bench_if_any(args, &usual_benches())
}

/// The board of that name.
pub(super) fn find_board(bench: &Bench, name: &str) -> Result<Arc<Board>, Fault> {
    let found = bench.boards.iter().find(|board| board.name == name).cloned();
    found.ok_or_else(|| {
        let names: Vec<&str> = bench.boards.iter().map(|board| board.name.as_str()).collect();
        let help = did_you_mean(name, names.iter().copied())
            .unwrap_or_else(|| format!("it has `{}`", names.join("`, `")));
        Fault::new(Class::Usage, bench.path.display().to_string(), format!("there is no board `{name}`"))
            .with_help(help)
    })
}

fn bench_if_any(args: &BenchArgs, usual: &[PathBuf]) -> Option<PathBuf> {
    args.bench.clone().or_else(|| usual.iter().find(|path| path.exists()).cloned())
}

fn usual_benches() -> Vec<PathBuf> {
    let configuration = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    std::iter::once(PathBuf::from("bench.toml"))
        .chain(configuration.map(|directory| directory.join("host-runner/bench.toml")))
        .chain([PathBuf::from(INSTALLED_BENCH)])
        .collect()
}

/// The directory of a run whose directory nobody has named.
pub(super) fn default_out(job_name: &str) -> OutDirectory {
    out_directory(Path::new("runs"), job_name, jiff::Timestamp::now(), |_| false)
}
