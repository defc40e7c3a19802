//! `host-runner rootfs list`: the persistent root filesystems.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::board::lease::{Holder, Key};
use crate::cli::args::BenchArgs;
use crate::cli::message::{Failure, note};
use crate::cli::output::print;
use crate::cli::run::load_bench_if_any;
use crate::fault::{Class, Fault};
use crate::rootfs::{Persistent, list_persistent};
use crate::run::persistent_directory;
use crate::text::{Size, minute};

/// One persistent root filesystem, as `--json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    /// URL of the tar that it was made on.
    url: &'a str,
    sha256: &'a str,
    /// Disk space of what jobs have changed.
    changed_bytes: u64,
    /// When a job began with it or changed it last.
    used: jiff::Timestamp,
    /// Who is using it.
    holder: Option<Holder>,
}

/// Lists them by name.
pub(super) fn list(bench: &BenchArgs, json: bool) -> Result<Option<Class>, Failure> {
    let directory = persistent_directory(load_bench_if_any(bench)?.as_ref())?;
    let found = list_persistent(&directory)
        .map_err(|error| Fault::from_error(Class::Infrastructure, directory.display().to_string(), &error))?;
    if found.is_empty() && !json {
        note(&format!("there is no persistent root filesystem in {}", directory.display()));
    }
    print(|out| found.iter().try_for_each(|rootfs| show(out, &line(&directory, rootfs), json)))
}

fn line<'p>(directory: &Path, rootfs: &'p Persistent) -> Line<'p> {
    let key = Key::persistent_rootfs(directory, &rootfs.name);
    Line {
        name: &rootfs.name,
        url: &rootfs.origin.url,
        sha256: &rootfs.origin.sha256,
        changed_bytes: rootfs.changed_bytes,
        used: jiff::Timestamp::try_from(rootfs.used).unwrap_or_default(),
        holder: key.ok().and_then(|key| key.holder()),
    }
}

fn show(out: &mut dyn Write, line: &Line<'_>, json: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, line)?;
        return writeln!(out);
    }
    let Line { name, url, changed_bytes, used, holder, .. } = line;
    let (changed, used) = (Size(*changed_bytes), minute(*used));
    write!(out, "{name:<20} {changed:>12}  {used}  {url}")?;
    if let Some(holder) = holder {
        write!(out, "  in use by {holder}")?;
    }
    writeln!(out)
}
