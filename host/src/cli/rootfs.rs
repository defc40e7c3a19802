//! `host-runner rootfs`: root filesystems that outlive their runs.

mod find;
mod list;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tokio::net::TcpListener;

use self::find::{Opened, fault, open, remove};
use crate::cli::args::{KeptArgs, RootfsCommand};
use crate::cli::message::Failure;
use crate::cli::runtime::block_on;
use crate::fault::{Class, Fault};
use crate::nfs::{self, Exports};
use crate::rootfs::{Attributes, Credential, Difference, Kind, Layer};

/// Carries out a subcommand.
pub(super) fn rootfs(command: &RootfsCommand) -> Result<Option<Class>, Failure> {
    match command {
        RootfsCommand::List { bench, json } => list::list(bench, *json),
        RootfsCommand::Diff { kept, json } => {
            let opened = open(kept, "diff")?;
            let differences = opened.layer.differences().map_err(|error| fault(kept, &error))?;
            print(|out| differences.iter().try_for_each(|difference| show(out, difference, *json)))
        }
        RootfsCommand::Ls { kept, path } => list_files(kept, path),
        RootfsCommand::Cat { kept, path } => {
            let opened = open(kept, "cat")?;
            print(|out| opened.layer.copy_file(path, out))
        }
        RootfsCommand::Export { kept, tar } => export(&open(kept, "export")?.layer, tar),
        RootfsCommand::Serve { kept, listen } => serve(kept, *listen),
        RootfsCommand::Rm { kept } => {
            remove(kept)?;
            Ok(None)
        }
    }
}

/// Prints to standard output; a reader that has seen enough is no error.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Option<Class>, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Fault::from_error(Class::Infrastructure, "standard output", &error).into())
        }
        _ => Ok(None),
    }
}

fn show(out: &mut dyn Write, difference: &Difference, json: bool) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        path: &'a str,
        change: crate::rootfs::DifferenceKind,
    }
    let path = String::from_utf8_lossy(&difference.path);
    if json {
        serde_json::to_writer(&mut *out, &Line { path: &path, change: difference.kind })?;
        return writeln!(out);
    }
    writeln!(out, "{:<10} {path}", difference.kind)
}

fn list_files(kept: &KeptArgs, path: &Path) -> Result<Option<Class>, Failure> {
    let opened = open(kept, "ls")?;
    let layer = &opened.layer;
    let found = layer.find(path).map_err(|error| fault(kept, &error))?;
    let mut lines = Vec::new();
    if found.kind == Kind::Directory {
        layer
            .read_directory(found.ino, 2, &Credential::root(), &mut |entry| {
                lines.push((String::from_utf8_lossy(entry.name).into_owned(), entry.attributes));
                ControlFlow::Continue(())
            })
            .map_err(|error| fault(kept, &error))?;
        lines.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    } else {
        lines.push((path.display().to_string(), found));
    }
    print(|out| lines.iter().try_for_each(|(name, attributes)| line(out, name, attributes, layer)))
}

/// A line as of `ls -ln`, with the time in UTC.
fn line(out: &mut dyn Write, name: &str, is: &Attributes, layer: &Layer) -> io::Result<()> {
    let size = match is.kind {
        Kind::CharacterDevice | Kind::BlockDevice => format!("{}, {}", is.device.0, is.device.1),
        _ => is.size.to_string(),
    };
    let time = jiff::Timestamp::from_second(is.mtime.seconds.into())
        .map(|time| time.strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default();
    write!(out, "{} {:>3} {:>5} {:>5} {size:>10} {time} {name}", mode(is), is.nlink, is.uid, is.gid)?;
    if is.kind == Kind::Symlink
        && let Ok((target, _)) = layer.read_link(is.ino)
    {
        write!(out, " -> {}", String::from_utf8_lossy(&target))?;
    }
    writeln!(out)
}

/// Kind and permissions as `ls` writes them.
fn mode(is: &Attributes) -> String {
    let kind = match is.kind {
        Kind::Regular => '-',
        Kind::Directory => 'd',
        Kind::Symlink => 'l',
        Kind::CharacterDevice => 'c',
        Kind::BlockDevice => 'b',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    };
    let mut text = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = is.mode >> shift & 7;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (is.mode & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

fn export(layer: &Layer, tar: &Path) -> Result<Option<Class>, Failure> {
    if tar == Path::new("-") {
        return print(|out| layer.export_tar(out));
    }
    let place =
        |error: io::Error| Fault::from_error(Class::Infrastructure, tar.display().to_string(), &error);
    let file = File::create_new(tar).map_err(place)?;
    layer.export_tar(BufWriter::with_capacity(1 << 20, file)).map_err(place)?;
    Ok(None)
}

/// Serves the root filesystem to its board again, until it is interrupted.
fn serve(kept: &KeptArgs, listen: Option<SocketAddr>) -> Result<Option<Class>, Failure> {
    let Opened { layer, origin, lease } = open(kept, "serve")?;
    let address = listen.unwrap_or(origin.server);
    block_on(async |stop| {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| Fault::from_error(Class::Infrastructure, address.to_string(), &error))?;
        let exports = Exports::new();
        let _guard = exports.add(origin.board, origin.export.clone(), Arc::new(layer));
        let served = listener.local_addr().unwrap_or(address);
        print(|out| writeln!(out, "serving {} to {} on {served}", origin.export, origin.board))?;
        nfs::serve(listener, Arc::clone(&exports), stop).await;
        Ok::<_, Failure>(())
    })?;
    drop(lease);
    Ok(None)
}
