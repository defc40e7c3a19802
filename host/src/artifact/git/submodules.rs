//! Repositories that are part of a commit of another one.

use std::collections::HashMap;
use std::time::Duration;

use super::reader::{GitTree, Mode};
use super::{GitError, GitReason};

/// How long git may take to read the list; it only reads the disk.
const READ_TIME: Duration = Duration::from_secs(30);

/// A repository that a commit refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submodule {
    /// Its directory in the commit.
    pub path: String,
    /// Its URL; a relative one is resolved against that of the repository, as the job names it.
    pub url: String,
    /// The id of its commit.
    pub commit: String,
}

impl GitTree {
    /// The submodules of the commit, sorted by path.
    ///
    /// # Errors
    /// [`GitReason::NoSubmodule`] if `.gitmodules` does not say where one comes from, [`GitReason::SubmoduleUrl`] if it is
    /// a place of this PC, or git fails.
    pub async fn submodules(&self) -> Result<Vec<Submodule>, GitError> {
        if self.entries().iter().all(|entry| entry.mode != Mode::Submodule) {
            return Ok(Vec::new());
        }
        let urls = self.submodule_urls().await.map_err(|reason| self.error(reason))?;
        let submodule = |path: &str, commit: &str| {
            let url = urls.get(path).ok_or_else(|| GitReason::NoSubmodule { path: path.to_owned() })?;
            let url = resolve(self.url(), url);
            let url = url.ok_or_else(|| GitReason::SubmoduleUrl { path: path.to_owned() })?;
            Ok(Submodule { path: path.to_owned(), url, commit: commit.to_owned() })
        };
        let links = self.entries().iter().filter(|entry| entry.mode == Mode::Submodule);
        let all = links.map(|link| submodule(&link.path, link.object()));
        all.collect::<Result<_, _>>().map_err(|reason| self.error(reason))
    }

    /// The URLs in `.gitmodules`, by the submodules' directories.
    async fn submodule_urls(&self) -> Result<HashMap<String, String>, GitReason> {
        let file = format!("{}:.gitmodules", self.commit());
        let arguments = ["config", "--blob", &file, "--null", "--list"];
        let finished = self.git().run("config", &arguments, READ_TIME).await?;
        if !finished.success() {
            return Err(GitReason::Command { what: "config", words: finished.words() });
        }
        let text = String::from_utf8_lossy(&finished.stdout);
        let (mut paths, mut urls) = (HashMap::new(), HashMap::new());
        // `submodule.<name>.path LF <value> NUL`
        for (key, value) in text.split('\0').filter_map(|line| line.split_once('\n')) {
            let Some(key) = key.strip_prefix("submodule.") else { continue };
            match key.rsplit_once('.') {
                Some((name, "path")) => paths.insert(name.to_owned(), value.to_owned()),
                Some((name, "url")) => urls.insert(name.to_owned(), value.to_owned()),
                _ => continue,
            };
        }
        Ok(paths.into_iter().filter_map(|(name, path)| Some((path, urls.remove(&name)?))).collect())
    }
}

/// Where a submodule's URL leads (gitsubmodules, gitmodules(5)); `None` for a place of this PC that only its repository
/// names.
fn resolve(base: &str, url: &str) -> Option<String> {
    let is_relative = url.starts_with("./") || url.starts_with("../");
    if !is_relative {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        let is_elsewhere = match scheme {
            Some(scheme) => matches!(scheme, "http" | "https" | "git" | "ssh"),
            // `user@host:path`
            None => url.split_once(':').is_some_and(|(host, path)| {
                !host.contains('/') && host.contains('@') && !path.starts_with(':')
            }),
        };
        return (is_elsewhere && !url.starts_with('-')).then(|| url.to_owned());
    }
    let (mut base, mut rest) = (base.trim_end_matches('/'), url);
    loop {
        if let Some(below) = rest.strip_prefix("./") {
            rest = below;
        } else if let Some(above) = rest.strip_prefix("../") {
            let cut = base.rfind(['/', ':'])?;
            (base, rest) = (base.get(..cut)?, above);
        } else {
            return Some(format!("{base}/{rest}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn relative_urls_begin_at_the_repositorys_own() {
        for (base, url, resolved) in [
            ("https://h/a/b.git", "../c.git", Some("https://h/a/c.git")),
            ("https://h/a/b.git/", "../../x/c.git", Some("https://h/x/c.git")),
            ("https://h/a/b.git", "./c", Some("https://h/a/b.git/c")),
            ("/srv/git/b", "../c", Some("/srv/git/c")),
            ("https://h/a/b.git", "https://other/c", Some("https://other/c")),
            ("https://h/a/b.git", "git@h:a/c.git", Some("git@h:a/c.git")),
            ("https://h/a/b.git", "/srv/private", None),
            ("https://h/a/b.git", "file:///srv/private", None),
            ("https://h/a/b.git", "ext::sh -c x", None),
            ("https://h/a/b.git", "--upload-pack=x", None),
        ] {
            assert_eq!(resolve(base, url).as_deref(), resolved, "{base} {url}");
        }
    }
}
