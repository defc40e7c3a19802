//! The directory of a run that has kept one root filesystem, made without a board.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use host_runner::rootfs::{Layer, LayerOptions, Lower, Origin, layer_directory};

/// Makes `run` in `directory`: the kept root filesystem of a node `board` at `server`'s address, over a tar of `files`
/// (path, size, data), served at `server`. Its layer is returned, and can be opened again once that is dropped.
///
/// # Errors
/// Those of the files.
pub fn make<P: AsRef<Path>, R: Read>(
    directory: &Path,
    server: SocketAddr,
    files: impl IntoIterator<Item = (P, u64, R)>,
) -> io::Result<(Layer, Origin)> {
    make_for(directory, server, server.ip(), files)
}

/// As [`make`], for a node with the address `board`.
///
/// # Errors
/// Those of the files.
pub fn make_for<P: AsRef<Path>, R: Read>(
    directory: &Path,
    server: SocketAddr,
    board: IpAddr,
    files: impl IntoIterator<Item = (P, u64, R)>,
) -> io::Result<(Layer, Origin)> {
    let tar = directory.join("rootfs.tar");
    let mut builder = tar::Builder::new(File::create(&tar)?);
    for (path, size, data) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(size);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        builder.append_data(&mut header, path, data)?;
    }
    builder.into_inner()?;
    let kept = directory.join("run/rootfs/board");
    fs::create_dir_all(&kept)?;
    let lower = Arc::new(Lower::from_tar(&tar).map_err(io::Error::other)?);
    let options = LayerOptions::default();
    let layer = Layer::new(lower, layer_directory(&kept), options).map_err(io::Error::other)?;
    layer.keep();
    let origin = Origin {
        root: String::new(),
        url: "http://example.org/rootfs.tar".to_owned(),
        tar,
        sha256: "0".repeat(64),
        board,
        export: "/job/rootfs".to_owned(),
        server,
        options,
        id_prefix: "1700000000".to_owned(),
    };
    origin.write(&kept).map_err(io::Error::other)?;
    Ok((layer, origin))
}
