//! The files of a run, as they are stored.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hyper::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, HeaderValue};
use hyper::{Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{self, Body};

/// Most files that are listed.
const MAX_FILES: usize = 500;
/// How deep directories are looked into: `lava/<node>/results.yaml`, and one more.
const MAX_DEPTH: usize = 4;

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct StoredFile {
    /// Its path in the run's directory.
    pub(super) name: String,
    /// Its size in bytes.
    pub(super) size: u64,
}

/// The files of the run in `directory`, by name. Links are left out, and root filesystems that were kept.
pub(super) fn list(directory: &Path) -> Vec<StoredFile> {
    let mut files = Vec::new();
    look_into(directory, "", MAX_DEPTH, &mut files);
    files.sort_by(|one: &StoredFile, other| {
        (one.name.contains('/'), &one.name).cmp(&(other.name.contains('/'), &other.name))
    });
    files
}

fn look_into(directory: &Path, prefix: &str, depth: usize, files: &mut Vec<StoredFile>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten().take(MAX_FILES) {
        let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
        let name = format!("{prefix}{name}");
        if kind.is_dir() && depth > 1 && name != "rootfs" {
            look_into(&entry.path(), &format!("{name}/"), depth - 1, files);
        } else if kind.is_file() && files.len() < MAX_FILES {
            // A file that has gone meanwhile has no size.
            let Ok(size) = entry.metadata().map(|file| file.len()) else { continue };
            files.push(StoredFile { name, size });
        }
    }
}

/// The file `name` of those that are listed.
pub(super) fn answer(directory: &Path, name: &str, wants_body: bool) -> Option<Response<Body>> {
    let listed = list(directory).into_iter().find(|file| file.name == name)?;
    let file = match open(&directory.join(&listed.name)) {
        Ok(file) => file,
        Err(error) => {
            return Some(answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{name}: {error}\n")));
        }
    };
    let length = file.metadata().map_or(listed.size, |file| file.len());
    let body = if wants_body { Body::file(file, length) } else { Body::pieces().1 };
    let kind = content_type(name);
    let mut response = answer::of(StatusCode::OK, kind, body);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    if kind == DOWNLOAD {
        response.headers_mut().insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    Some(response)
}

/// Opens a file for reading that is no link.
pub(super) fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

const DOWNLOAD: &str = "application/octet-stream";

/// What a browser may show by itself; a page of the run's is shown by nobody under this server's name.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json") => "application/json",
        Some("jsonl" | "log" | "tap" | "timing" | "txt" | "xml" | "yaml") => "text/plain; charset=utf-8",
        _ => DOWNLOAD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_root_filesystems_are_not_listed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["console", "rootfs"] {
            fs::create_dir(at(name)).unwrap();
        }
        for name in ["run.jsonl", "console/a.log", "rootfs/secret"] {
            fs::write(at(name), "text").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", at("passwd")).unwrap();
        std::os::unix::fs::symlink("/etc", at("etc")).unwrap();
        let names: Vec<_> = list(directory.path()).into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["run.jsonl", "console/a.log"]);
        assert!(answer(directory.path(), "../x", true).is_none());
        open(&at("passwd")).unwrap_err();
    }
}
