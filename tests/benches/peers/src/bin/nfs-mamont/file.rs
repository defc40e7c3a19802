//! Procedures on one file: attributes, access, data.

use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt, lchown};
use std::time::{Duration, SystemTime};

use nfs_mamont::auth::Credential;
use nfs_mamont::vfs::file::{Attr, Handle, Path, Time};
use nfs_mamont::vfs::set_attr::{NewAttr, SetTime};
use nfs_mamont::vfs::write::{StableHow, Verifier};
use nfs_mamont::vfs::{WccData, access, commit, get_attr, read, read_link, set_attr, write};
use nfs_mamont::{Buffer, Slice};
use tokio::task::block_in_place;

use crate::mirror::{Mirror, change, error};

/// Of this life of the server.
const VERIFIER: [u8; 8] = *b"mirrored";

impl get_attr::GetAttr for Mirror {
    async fn get_attr(
        &self,
        args: get_attr::Args,
        _: &Credential,
    ) -> Result<get_attr::Success, get_attr::Fail> {
        let is = self.stat(&args.file).map_err(|failed| get_attr::Fail { error: error(&failed) })?;
        Ok(get_attr::Success { object: is })
    }
}

/// Sets what is to be set.
pub(crate) fn set(path: &std::path::Path, new: &NewAttr) -> io::Result<()> {
    if let Some(size) = new.size {
        File::options().write(true).open(path)?.set_len(size)?;
    }
    if new.uid.is_some() || new.gid.is_some() {
        lchown(path, new.uid, new.gid)?;
    }
    if let Some(mode) = new.mode {
        fs::set_permissions(path, Permissions::from_mode(mode & 0o7777))?;
    }
    let mut times = FileTimes::new();
    let time = |to: SetTime| match to {
        SetTime::DontChange => None,
        SetTime::ToServer => Some(SystemTime::now()),
        SetTime::ToClient(Time { seconds, nanos }) => {
            Some(SystemTime::UNIX_EPOCH + Duration::new(seconds.into(), nanos))
        }
    };
    let (accessed, modified) = (time(new.atime), time(new.mtime));
    if accessed.is_none() && modified.is_none() {
        return Ok(());
    }
    if let Some(accessed) = accessed {
        times = times.set_accessed(accessed);
    }
    if let Some(modified) = modified {
        times = times.set_modified(modified);
    }
    File::open(path)?.set_times(times)
}

impl set_attr::SetAttr for Mirror {
    async fn set_attr(
        &self,
        args: set_attr::Args,
        _: &Credential,
    ) -> Result<set_attr::Success, set_attr::Fail> {
        let before = self.stat(&args.file).ok();
        let done = self.path(&args.file).and_then(|path| set(&path, &args.new_attr));
        let wcc_data = change(before.as_ref(), self.stat(&args.file).ok());
        match done {
            Ok(()) => Ok(set_attr::Success { wcc_data }),
            Err(failed) => Err(set_attr::Fail { error: error(&failed), wcc_data }),
        }
    }
}

impl access::Access for Mirror {
    async fn access(&self, args: access::Args, _: &Credential) -> Result<access::Success, access::Fail> {
        let is = self
            .stat(&args.file)
            .map_err(|failed| access::Fail { error: error(&failed), object_attr: None })?;
        Ok(access::Success { object_attr: Some(is), access: args.mask })
    }
}

impl read_link::ReadLink for Mirror {
    async fn read_link(
        &self,
        args: read_link::Args,
        _: &Credential,
    ) -> Result<read_link::Success, read_link::Fail> {
        let read = || {
            let target = fs::read_link(self.path(&args.file)?)?;
            Path::new(target.to_string_lossy().into_owned())
        };
        match read() {
            Ok(data) => Ok(read_link::Success { symlink_attr: self.stat(&args.file).ok(), data }),
            Err(failed) => Err(read_link::Fail { symlink_attr: None, error: error(&failed) }),
        }
    }
}

impl read::Read<Slice> for Mirror {
    async fn read(
        &self,
        args: read::Args,
        mut data: Slice,
        _: &Credential,
    ) -> Result<read::Success<Slice>, read::Fail> {
        let read = |data: &mut Slice| -> io::Result<(Attr, u32)> {
            let file = self.open(&args.file)?;
            let mut count = 0;
            for chunk in data.chunks_mut() {
                let mut filled = 0;
                while filled < chunk.len() {
                    match file.read_at(&mut chunk[filled..], args.offset + count as u64)? {
                        0 => break,
                        more => (filled, count) = (filled + more, count + more),
                    }
                }
                if filled < chunk.len() {
                    break;
                }
            }
            Ok((crate::mirror::attributes(&file.metadata()?), count as u32))
        };
        match read(&mut data) {
            Ok((is, count)) => {
                let eof = args.offset + u64::from(count) >= is.size;
                let head = read::SuccessHeader { file_attr: Some(is), count, eof };
                Ok(read::Success { head, data })
            }
            Err(failed) => Err(read::Fail { error: error(&failed), file_attr: None }),
        }
    }
}

impl Mirror {
    /// Does something to the data of a file; what became of the file.
    fn on_data(
        &self,
        handle: &Handle,
        act: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<WccData, (io::Error, WccData)> {
        let done = || {
            let file = self.open(handle)?;
            let before = crate::mirror::attributes(&file.metadata()?);
            act(&file)?;
            Ok(change(Some(&before), Some(crate::mirror::attributes(&file.metadata()?))))
        };
        done().map_err(|failed| (failed, change(None, self.stat(handle).ok())))
    }
}

impl write::Write<Slice> for Mirror {
    async fn write(&self, args: write::Args<Slice>, _: &Credential) -> Result<write::Success, write::Fail> {
        let written = self.on_data(&args.file, |file| {
            let (mut offset, mut left) = (args.offset, args.size as usize);
            for chunk in args.data.chunks() {
                let chunk = &chunk[..chunk.len().min(left)];
                file.write_all_at(chunk, offset)?;
                (offset, left) = (offset + chunk.len() as u64, left - chunk.len());
            }
            match args.stable {
                StableHow::Unstable => Ok(()),
                // Other calls go on meanwhile.
                StableHow::DataSync => block_in_place(|| file.sync_data()),
                StableHow::FileSync => block_in_place(|| file.sync_all()),
            }
        });
        match written {
            Ok(file_wcc) => Ok(write::Success {
                file_wcc,
                count: args.size,
                committed: args.stable,
                verifier: Verifier(VERIFIER),
            }),
            Err((failed, wcc_data)) => Err(write::Fail { error: error(&failed), wcc_data }),
        }
    }
}

impl commit::Commit for Mirror {
    async fn commit(&self, args: commit::Args, _: &Credential) -> Result<commit::Success, commit::Fail> {
        match self.on_data(&args.file, |file| block_in_place(|| file.sync_all())) {
            Ok(file_wcc) => Ok(commit::Success { file_wcc, verifier: Verifier(VERIFIER) }),
            Err((failed, file_wcc)) => Err(commit::Fail { error: error(&failed), file_wcc }),
        }
    }
}
