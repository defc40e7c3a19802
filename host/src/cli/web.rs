//! `run --web`: the pages of `host-runner serve`, while a run goes on.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::board::Bench;
use crate::cli::message::note;
use crate::cli::serve::listen_help;
use crate::fault::{Class, Fault};
use crate::serve::{self, HostNames, Site};

/// A port that is open before any board is touched.
pub(super) struct Web {
    listener: TcpListener,
    site: Arc<Site>,
    /// The page of the run.
    page: String,
}

impl Web {
    /// Opens `address` for the run whose results go to `out`.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub(super) fn open(address: SocketAddr, bench: &Bench, out: &Path) -> Result<Self, Fault> {
        let refused = |error: io::Error| {
            Fault::from_error(Class::Infrastructure, format!("address {address}"), &error)
                .with_optional_help(listen_help(&error))
        };
        let out = std::path::absolute(out)
            .map_err(|error| Fault::from_error(Class::Usage, out.display().to_string(), &error))?;
        let listener = TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let (runs, id) = (out.parent().unwrap_or(&out), out.file_name().unwrap_or_default());
        let page = format!("http://{address}{}", serve::run_path(&id.to_string_lossy()));
        let names = HostNames::new(address.ip(), &[]);
        let site = Arc::new(Site::new(Some(bench.clone()), runs.to_owned(), names, None));
        Ok(Self { listener, site, page })
    }

    /// Says where the run's page is, and serves it until [`Served::end`].
    ///
    /// # Errors
    /// Where the system refuses to listen.
    pub(super) fn serve(self, cancel: &CancellationToken) -> Result<Served, Fault> {
        let listener = tokio::net::TcpListener::from_std(self.listener)
            .map_err(|error| Fault::from_error(Class::Infrastructure, "web pages", &error))?;
        note(&format!("web page: {}", self.page));
        let served = serve::serve(listener, Arc::clone(&self.site), cancel.clone());
        Ok(Served {
            site: self.site,
            _task: AbortOnDropHandle::new(tokio::spawn(async { drop(served.await) })),
        })
    }
}

/// Pages that are served.
pub(super) struct Served {
    site: Arc<Site>,
    _task: AbortOnDropHandle<()>,
}

impl Served {
    /// Ends once those who look have seen how the run has ended.
    pub(super) async fn end(self) {
        self.site.until_unwatched().await;
    }
}
