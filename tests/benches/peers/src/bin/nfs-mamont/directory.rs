//! Procedures that look into directories, and those about the whole file system.

use std::fs;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::PathBuf;

use nfs_mamont::auth::Credential;
use nfs_mamont::vfs::file::{Attr, Handle, Name, Time};
use nfs_mamont::vfs::fs_info::Properties;
use nfs_mamont::vfs::read_dir::{Cookie, CookieVerifier};
use nfs_mamont::vfs::{DirOpArgs, fs_info, fs_stat, lookup, path_conf, read_dir, read_dir_plus};

use crate::mirror::{Mirror, attributes, error, handle};

/// Bytes of an entry beside its name: id, length, cookie, mark.
const ENTRY: usize = 4 + 8 + 4 + 3 + 8;
/// And of its attributes and handle.
const ENTRY_PLUS: usize = ENTRY + 4 + 84 + 4 + 4 + 12;
/// Bytes of a reply beside its entries.
const REPLY: usize = 128;
/// Most bytes of a READ and of a WRITE.
const MOST: u32 = 1 << 20;

struct Entry {
    inode: u64,
    name: Name,
    path: PathBuf,
}

impl Mirror {
    /// The entries of a directory behind `cookie` that fit into `size` bytes, and whether these are the last. The
    /// cookie of an entry is its inode number, by which they are sorted.
    fn entries(
        &self,
        directory: &Handle,
        cookie: Cookie,
        size: u32,
        entry_size: usize,
    ) -> io::Result<(Vec<Entry>, bool)> {
        let path = self.path(directory)?;
        let mut entries = Vec::new();
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            // Names that are not UTF-8 cannot be told with this library.
            if entry.ino() > cookie.raw()
                && let Ok(name) = entry.file_name().into_string()
            {
                entries.push(Entry { inode: entry.ino(), name: Name::new(name)?, path: entry.path() });
            }
        }
        entries.sort_unstable_by_key(|entry| entry.inode);
        let mut left = (size as usize).saturating_sub(REPLY);
        let fitting = entries.iter().take_while(|entry| {
            let needed = entry_size + entry.name.as_str().len();
            let fits = needed <= left;
            left = left.saturating_sub(needed);
            fits
        });
        let count = fitting.count();
        let all = count == entries.len();
        if count == 0 && !all {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        entries.truncate(count);
        Ok((entries, all))
    }
}

impl lookup::Lookup for Mirror {
    async fn lookup(&self, args: lookup::Args, _: &Credential) -> Result<lookup::Success, lookup::Fail> {
        let dir_attr = self.stat(&args.parent).ok();
        let what = DirOpArgs { dir: args.parent, name: args.name };
        let found = match what.name.as_str() {
            "." => self.path(&what.dir).and_then(|path| self.meet(path)),
            _ => self.child(&what).and_then(|path| self.meet(path)),
        };
        match found {
            Ok((file, is)) => Ok(lookup::Success { file, file_attr: Some(is), dir_attr }),
            Err(failed) => Err(lookup::Fail { error: error(&failed), dir_attr }),
        }
    }
}

impl read_dir::ReadDir for Mirror {
    async fn read_dir(
        &self,
        args: read_dir::Args,
        _: &Credential,
    ) -> Result<read_dir::Success, read_dir::Fail> {
        let dir_attr = self.stat(&args.dir).ok();
        let (entries, eof) = match self.entries(&args.dir, args.cookie, args.count, ENTRY) {
            Ok(found) => found,
            Err(failed) => return Err(read_dir::Fail { error: error(&failed), dir_attr }),
        };
        let entries = entries.into_iter().map(|entry| read_dir::Entry {
            file_id: entry.inode,
            file_name: entry.name,
            cookie: Cookie::new(entry.inode),
        });
        let cookie_verifier = CookieVerifier::new([0; 8]);
        Ok(read_dir::Success { dir_attr, cookie_verifier, entries: entries.collect(), eof })
    }
}

impl read_dir_plus::ReadDirPlus for Mirror {
    async fn read_dir_plus(
        &self,
        args: read_dir_plus::Args,
        _: &Credential,
    ) -> Result<read_dir_plus::Success, read_dir_plus::Fail> {
        let dir_attr = self.stat(&args.dir).ok();
        let (entries, eof) = match self.entries(&args.dir, args.cookie, args.max_count, ENTRY_PLUS) {
            Ok(found) => found,
            Err(failed) => return Err(read_dir_plus::Fail { error: error(&failed), dir_attr }),
        };
        let entries = entries.into_iter().map(|entry| {
            let is: Option<Attr> = fs::symlink_metadata(&entry.path).ok().map(|is| attributes(&is));
            self.learn(entry.inode, entry.path);
            read_dir_plus::Entry {
                file_id: entry.inode,
                file_name: entry.name,
                cookie: Cookie::new(entry.inode),
                file_attr: is,
                file_handle: Some(handle(entry.inode)),
            }
        });
        let cookie_verifier = CookieVerifier::new([0; 8]);
        Ok(read_dir_plus::Success { dir_attr, cookie_verifier, entries: entries.collect(), eof })
    }
}

impl fs_stat::FsStat for Mirror {
    async fn fs_stat(&self, args: fs_stat::Args, _: &Credential) -> Result<fs_stat::Success, fs_stat::Fail> {
        const PLENTY: u64 = 1 << 40;
        Ok(fs_stat::Success {
            root_attr: self.stat(&args.root).ok(),
            total_bytes: PLENTY,
            free_bytes: PLENTY,
            available_bytes: PLENTY,
            total_files: PLENTY,
            free_files: PLENTY,
            available_files: PLENTY,
            invarsec: 0,
        })
    }
}

impl fs_info::FsInfo for Mirror {
    async fn fs_info(&self, args: fs_info::Args, _: &Credential) -> Result<fs_info::Success, fs_info::Fail> {
        Ok(fs_info::Success {
            root_attr: self.stat(&args.root).ok(),
            read_max: MOST,
            read_pref: MOST,
            read_mult: 4096,
            write_max: MOST,
            write_pref: MOST,
            write_mult: 4096,
            read_dir_pref: 64 << 10,
            max_file_size: i64::MAX as u64,
            time_delta: Time { seconds: 0, nanos: 1 },
            properties: Properties::from_wire(Properties::ALL),
        })
    }
}

impl path_conf::PathConf for Mirror {
    async fn path_conf(
        &self,
        args: path_conf::Args,
        _: &Credential,
    ) -> Result<path_conf::Success, path_conf::Fail> {
        Ok(path_conf::Success {
            file_attr: self.stat(&args.file).ok(),
            link_max: 32_000,
            name_max: 255,
            no_trunc: true,
            chown_restricted: true,
            case_insensitive: false,
            case_preserving: true,
        })
    }
}
