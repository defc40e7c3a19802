//! `host-runner serve`: the bench and its runs as web pages.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use crate::cli::args::BenchArgs;
use crate::cli::message::{Failure, note};
use crate::cli::output::print;
use crate::cli::run::load_bench_if_any;
use crate::cli::runtime::block_on;
use crate::fault::{Class, Fault};
use crate::serve::{self, Site};

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner serve                                    http://127.0.0.1:8080/
  host-runner serve --bench lab/bench.toml --runs lab/runs
  host-runner serve --listen 127.0.0.1:0               any free port; the first line says which
  ssh -L 8080:127.0.0.1:8080 bench-pc                  from another PC: by a tunnel
  curl http://127.0.0.1:8080/api/runs                  for programs; /api/openapi.json has the rest

Everything is read only, and nobody is asked who they are: at an address that others reach, all of them may read. Ctrl-C ends it.";

/// `host-runner serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    bench: BenchArgs,
    /// The directory with the directories of the runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Address and port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

/// Serves until Ctrl-C.
pub(super) fn serve(args: &ServeArgs) -> Result<Option<Class>, Failure> {
    let bench = load_bench_if_any(&args.bench)?;
    let site = Arc::new(Site::new(bench, args.runs.clone()));
    block_on(async |cancel| {
        let refused = |error| {
            let place = format!("address {}", args.listen);
            Fault::from_error(Class::Infrastructure, place, &error)
                .with_help("another program may have the port: --listen 127.0.0.1:0 takes a free one")
        };
        let listener = TcpListener::bind(args.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        if !address.ip().is_loopback() {
            note("warning: whoever reaches this address may read all runs; 127.0.0.1 is for this PC alone");
        }
        print(|out| writeln!(out, "serving http://{address}/"))?;
        serve::serve(listener, site, cancel)
            .await
            .map_err(|error| Fault::from_error(Class::Infrastructure, "connections", &error))?;
        Ok(None)
    })
}
