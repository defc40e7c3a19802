//! `host-runner rootfs`: root filesystems that outlive their runs.

mod args;
mod find;
mod list;
mod show;

use std::fs::File;
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;

use self::args::KeptArgs;
pub(super) use self::args::RootfsCommand;
use self::find::{Opened, fault, open, remove};
use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::cli::runtime::block_on;
use crate::fault::{Class, Fault};
use crate::nfs::{self, Exports};
use crate::rootfs::{Attributes, Credential, Kind, Layer};

use self::show::{Listed, print_difference, print_json, print_list};

/// Carries out a subcommand.
pub(super) fn rootfs(command: &RootfsCommand) -> Result<Option<Class>, Failure> {
    match command {
        RootfsCommand::List { bench, json } => list::list(bench, *json),
        RootfsCommand::Diff { kept, json } => diff(kept, *json),
        RootfsCommand::Ls { kept, path } => list_files(kept, path),
        RootfsCommand::Cat { kept, path } => cat(kept, path),
        RootfsCommand::Export { kept, tar } => export(&open(kept, "export")?.layer, tar),
        RootfsCommand::Serve { kept, listen } => serve(kept, *listen),
        RootfsCommand::Rm { kept } => {
            remove(kept)?;
            Ok(None)
        }
    }
}

fn diff(kept: &KeptArgs, json: bool) -> Result<Option<Class>, Failure> {
    let opened = open(kept, "diff")?;
    let show = if json { print_json } else { print_difference };
    let mut compared = Ok(());
    // Printed as they are found: a deep tree has more bytes of paths than memory.
    let printed = print(|out| {
        let mut written = Ok(());
        compared = opened.layer.differences(&mut |difference| {
            written = show(out, &opened.on_board(difference));
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        written
    });
    compared.map_err(|error| fault(kept, &error))?;
    printed
}

fn list_files(kept: &KeptArgs, path: &Path) -> Result<Option<Class>, Failure> {
    let opened = open(kept, "ls")?;
    let layer = &opened.layer;
    let found = find_file(kept, &opened, path)?;
    let mut all = Vec::new();
    let mut add = |name: &[u8], is: Attributes| {
        let target = (is.kind == Kind::Symlink).then(|| layer.read_link(is.ino)).and_then(Result::ok);
        all.push(Listed { name: name.to_vec(), is, target: target.map(|(target, _)| target) });
    };
    if found.kind == Kind::Directory {
        layer
            .read_directory(found.ino, 2, &Credential::root(), &mut |entry| {
                add(entry.name, entry.attributes);
                ControlFlow::Continue(())
            })
            .map_err(|error| fault(kept, &error))?;
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    } else {
        add(path.as_os_str().as_bytes(), found);
    }
    print(|out| print_list(out, &all))
}

fn find_file(kept: &KeptArgs, opened: &Opened, path: &Path) -> Result<Attributes, Fault> {
    opened
        .layer
        .find(opened.in_layer(path))
        .map_err(|error| Fault::from_error(Class::Usage, kept.rootfs.to_string(), &error))
}

fn cat(kept: &KeptArgs, path: &Path) -> Result<Option<Class>, Failure> {
    let opened = open(kept, "cat")?;
    let found = find_file(kept, &opened, path)?;
    let refused = |what: &str| {
        let place = kept.rootfs.to_string();
        Fault::new(Class::Usage, place, format!("{} in the root filesystem is {what}", path.display()))
    };
    match found.kind {
        Kind::Regular => print(|out| opened.layer.copy_file(opened.in_layer(path), out)),
        Kind::Directory => {
            Err(refused("a directory").with_help("`host-runner rootfs ls` lists what is in it").into())
        }
        _ => Err(refused("a device, a pipe or a socket, which has no data of its own").into()),
    }
}

fn export(layer: &Layer, tar: &Path) -> Result<Option<Class>, Failure> {
    if tar == Path::new("-") {
        return print(|out| layer.export_tar(out));
    }
    let place =
        |error: io::Error| Fault::from_error(Class::Infrastructure, tar.display().to_string(), &error);
    let file = File::create_new(tar).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Fault::new(Class::Usage, tar.display().to_string(), "it is there already")
                .with_help("nothing is overwritten; name a file that does not exist with --tar FILE")
        }
        _ => place(error),
    })?;
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
