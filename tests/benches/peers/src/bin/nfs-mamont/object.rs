//! Procedures that make, move and remove objects.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::symlink as make_symlink;
use std::path::{Path, PathBuf};

use nfs_mamont::auth::Credential;
use nfs_mamont::vfs::create::How;
use nfs_mamont::vfs::{
    DirOpArgs, Error, WccData, create, link, mk_dir, mk_node, remove, rename, rm_dir, symlink,
};

use crate::file::set;
use crate::mirror::{Mirror, attributes, change, error};

impl Mirror {
    /// Does something to a name in a directory; what it gave, and what became of the directory.
    fn on_name<T>(
        &self,
        what: &DirOpArgs,
        act: impl FnOnce(PathBuf) -> io::Result<T>,
    ) -> Result<(T, WccData), (Error, WccData)> {
        let before = self.stat(&what.dir).ok();
        let done = self.child(what).and_then(act);
        let became = change(before.as_ref(), self.stat(&what.dir).ok());
        match done {
            Ok(given) => Ok((given, became)),
            Err(failed) => Err((error(&failed), became)),
        }
    }

    fn removing(
        &self,
        what: &DirOpArgs,
        act: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<WccData, (Error, WccData)> {
        let done = self.on_name(what, |path| {
            let was = attributes(&fs::symlink_metadata(&path)?);
            act(&path)?;
            self.forget(&was, &path);
            Ok(())
        });
        done.map(|((), became)| became)
    }
}

impl create::Create for Mirror {
    async fn create(&self, args: create::Args, _: &Credential) -> Result<create::Success, create::Fail> {
        let made = self.on_name(&args.object, |path| {
            let mut options = OpenOptions::new();
            options.write(true);
            let new = match &args.how {
                How::Unchecked(new) => {
                    options.create(true).truncate(false).open(&path)?;
                    Some(new)
                }
                How::Guarded(new) => {
                    options.create_new(true).open(&path)?;
                    Some(new)
                }
                // A repeated one is not recognised; a kernel that loses no reply does not ask twice.
                How::Exclusive(_) => {
                    options.create_new(true).open(&path)?;
                    None
                }
            };
            if let Some(new) = new {
                set(&path, new)?;
            }
            self.meet(path)
        });
        match made {
            Ok(((file, attr), wcc_data)) => {
                Ok(create::Success { file: Some(file), attr: Some(attr), wcc_data })
            }
            Err((error, wcc_data)) => Err(create::Fail { error, wcc_data }),
        }
    }
}

impl mk_dir::MkDir for Mirror {
    async fn mk_dir(&self, args: mk_dir::Args, _: &Credential) -> Result<mk_dir::Success, mk_dir::Fail> {
        let made = self.on_name(&args.object, |path| {
            fs::create_dir(&path)?;
            set(&path, &args.attr)?;
            self.meet(path)
        });
        match made {
            Ok(((file, attr), wcc_data)) => {
                Ok(mk_dir::Success { file: Some(file), attr: Some(attr), wcc_data })
            }
            Err((error, dir_wcc)) => Err(mk_dir::Fail { error, dir_wcc }),
        }
    }
}

impl symlink::Symlink for Mirror {
    async fn symlink(&self, args: symlink::Args, _: &Credential) -> Result<symlink::Success, symlink::Fail> {
        let made = self.on_name(&args.object, |path| {
            make_symlink(args.path.as_path(), &path)?;
            self.meet(path)
        });
        match made {
            Ok(((file, attr), wcc_data)) => {
                Ok(symlink::Success { file: Some(file), attr: Some(attr), wcc_data })
            }
            Err((error, dir_wcc)) => Err(symlink::Fail { error, dir_wcc }),
        }
    }
}

impl mk_node::MkNode for Mirror {
    async fn mk_node(&self, args: mk_node::Args, _: &Credential) -> Result<mk_node::Success, mk_node::Fail> {
        let dir_wcc = change(None, self.stat(&args.object.dir).ok());
        Err(mk_node::Fail { error: Error::NotSupported, dir_wcc })
    }
}

impl remove::Remove for Mirror {
    async fn remove(&self, args: remove::Args, _: &Credential) -> Result<remove::Success, remove::Fail> {
        match self.removing(&args.object, |path| fs::remove_file(path)) {
            Ok(wcc_data) => Ok(remove::Success { wcc_data }),
            Err((error, dir_wcc)) => Err(remove::Fail { error, dir_wcc }),
        }
    }
}

impl rm_dir::RmDir for Mirror {
    async fn rm_dir(&self, args: rm_dir::Args, _: &Credential) -> Result<rm_dir::Success, rm_dir::Fail> {
        match self.removing(&args.object, |path| fs::remove_dir(path)) {
            Ok(wcc_data) => Ok(rm_dir::Success { wcc_data }),
            Err((error, dir_wcc)) => Err(rm_dir::Fail { error, dir_wcc }),
        }
    }
}

impl rename::Rename for Mirror {
    async fn rename(&self, args: rename::Args, _: &Credential) -> Result<rename::Success, rename::Fail> {
        let before = self.stat(&args.to.dir).ok();
        let renamed = self.on_name(&args.from, |from| {
            let to = self.child(&args.to)?;
            fs::rename(&from, &to)?;
            self.moved(&from, &to);
            self.meet(to).map(drop)
        });
        let to_dir_wcc = change(before.as_ref(), self.stat(&args.to.dir).ok());
        match renamed {
            Ok(((), from_dir_wcc)) => Ok(rename::Success { from_dir_wcc, to_dir_wcc }),
            Err((error, from_dir_wcc)) => Err(rename::Fail { error, from_dir_wcc, to_dir_wcc }),
        }
    }
}

impl link::Link for Mirror {
    async fn link(&self, args: link::Args, _: &Credential) -> Result<link::Success, link::Fail> {
        let linked = self.on_name(&args.link, |path| fs::hard_link(self.path(&args.file)?, path));
        let file_attr = self.stat(&args.file).ok();
        match linked {
            Ok(((), dir_wcc)) => Ok(link::Success { file_attr, dir_wcc }),
            Err((error, dir_wcc)) => Err(link::Fail { error, file_attr, dir_wcc }),
        }
    }
}
