//! `nfs-mamont ADDRESS DIRECTORY`: the library nfs-mamont with a directory of the machine behind it, exported as `/export`.

mod directory;
mod file;
mod mirror;
mod object;

use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;

use nfs_mamont::service::{mount::MountService, nlm::NlmService};
use nfs_mamont::vfs::file::Path;
use nfs_mamont::{Impl, ServerContext, Slice, handle_forever};
use tokio::net::TcpListener;

use crate::mirror::Mirror;

/// Size of a buffer: a call of the kernel's client, mounted with `rsize=262144`, needs one of them.
const BUFFER: NonZeroUsize = NonZeroUsize::new(256 << 10).unwrap();
const BUFFERS: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Procedures that are carried out at the same time.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(64).unwrap();

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(directory)) = (arguments.next(), arguments.next()) else {
        return Err("usage: nfs-mamont ADDRESS DIRECTORY".into());
    };
    let mirror = Arc::new(Mirror::new(directory.into())?);
    let context =
        ServerContext::<Impl, Mirror, Slice>::new(Arc::new(Impl::new(BUFFER, BUFFERS)), CONCURRENCY);
    // The first backend is number 0, which the mirror's handles say.
    context.add_backend(Arc::clone(&mirror)).ok_or("no backend can be added")?;
    let mounts = MountService::with_exports(Vec::new());
    mounts.add_export(Path::new("/export".to_owned())?, mirror.root()).await;
    let listener = TcpListener::bind(&address).await?;
    handle_forever(listener, context, Arc::new(mounts), Arc::new(NlmService::new())).await?;
    Ok(())
}
