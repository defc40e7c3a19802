//! `host-runner run JOB`: runs a job on the boards of a bench.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::board::{Bench, BenchError};
use crate::cli::args::{BenchArgs, RunArgs};
use crate::cli::message::{Failure, print_warnings};
use crate::cli::reports::{self, View};
use crate::cli::runtime::block_on;
use crate::diagnostic::Source;
use crate::fault::{Class, Fault};
use crate::job::Job;
use crate::plan::Plan;
use crate::report::file_name;
use crate::run::{self, Emitter, JobRun};

/// Runs the job; the class of the fault that decided it, if it did not pass.
pub(super) fn run(args: &RunArgs) -> Result<Option<Class>, Failure> {
    let job = load_job(&args.job)?;
    if !args.display.quiet {
        print_warnings(&job.source, &job.warnings);
    }
    let bench = load_bench(&find_bench(&args.bench)?)?;
    let plan = make_plan(&job, &bench)?;
    let started = jiff::Timestamp::now();
    let out = args.out.clone().unwrap_or_else(|| default_out(&plan.job_name, started));
    let lease = run::take_leases(&plan, &bench, &out, started)?;
    reports::make_out_directory(&out)?;
    let mut all = reports::files(&out)?;
    match args.json {
        true => all.push(reports::json()),
        false => all.extend(reports::printed(
            &args.display,
            &View { speed: Some(1.0), from: Duration::ZERO, files: &out },
        )?),
    }
    let emitter = Emitter::new(all);
    let class = block_on(async |cancel| {
        let keep_rootfs = args.keep_rootfs.then(|| out.join("rootfs"));
        let run = JobRun { plan, bench, started, keep_rootfs, emitter: emitter.clone(), cancel };
        Ok::<_, Fault>(run::run(run).await)
    })?;
    drop(lease);
    if let Some(problem) = emitter.broken_reports().first() {
        return Err(Fault::new(Class::Infrastructure, out.display().to_string(), problem).into());
    }
    Ok(class)
}

/// Reads and checks a job file.
pub(super) fn load_job(path: &Path) -> Result<Job, Failure> {
    let source = Source::read(path)
        .map_err(|error| Fault::from_error(Class::Job, path.display().to_string(), &error))?;
    Job::parse(&source).map_err(|problems| Failure::Problems(vec![problems], Class::Job))
}

/// Reads and checks a bench file.
pub(super) fn load_bench(path: &Path) -> Result<Bench, Failure> {
    Bench::load(path).map_err(|error| match error {
        BenchError::Read(error) => Fault::from_error(Class::Bench, path.display().to_string(), &error).into(),
        BenchError::Invalid(problems) => Failure::Problems(problems, Class::Bench),
    })
}

/// Binds a job to a bench.
pub(super) fn make_plan(job: &Job, bench: &Bench) -> Result<Plan, Failure> {
    Plan::bind(job, bench).map_err(Failure::Faults)
}

/// The bench file that was named, or the first of the usual ones that exists.
pub(super) fn find_bench(args: &BenchArgs) -> Result<PathBuf, Fault> {
    let usual = usual_benches();
    bench_if_any(args, &usual).ok_or_else(|| {
        let tried =
            usual.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(" nor ");
        Fault::new(Class::Bench, "bench file", format!("there is no bench file: neither {tried} exists"))
            .with_help("name one with --bench FILE; examples/bench-beaglebone.toml is one to start from")
    })
}

/// Reads and checks the bench file, for commands that can do without one.
pub(super) fn load_bench_if_any(args: &BenchArgs) -> Result<Option<Bench>, Failure> {
    bench_if_any(args, &usual_benches()).map(|path| load_bench(&path)).transpose()
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
        .collect()
}

/// `runs/<UTC time>-<job name>`.
fn default_out(job_name: &str, started: jiff::Timestamp) -> PathBuf {
    let name = file_name(job_name);
    Path::new("runs").join(format!("{}-{name}", started.strftime("%Y%m%dT%H%M%SZ")))
}
