use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::mirror::Rule;
use super::{Cache, Checkouts, GitError, GitReason, GitRequest, GitTree, Mirrors, Mode, Reason, checkout};
use crate::fault::{Chain, Class};

/// A cache, and a repository that `git://dead.example/r.git` is mirrored to.
struct Bench {
    directory: tempfile::TempDir,
    cache: Cache,
    mirrors: Mirrors,
}

const URL: &str = "git://dead.example/r.git";

fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::open(&directory.path().join("cache")).unwrap();
    let to = directory.path().join("r").to_str().unwrap().to_owned();
    let mirrors = Mirrors::new(vec![Rule { from: URL.into(), to }]);
    let bench = Bench { directory, cache, mirrors };
    fs::create_dir(bench.repository()).unwrap();
    bench.git(&["init", "--quiet", "--initial-branch=trunk"]);
    bench
}

impl Bench {
    fn repository(&self) -> PathBuf {
        self.directory.path().join("r")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.repository())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits a file and returns the commit's id.
    fn commit(&self, path: &str, content: &str) -> String {
        let file = self.repository().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", path]);
        self.git(&["rev-parse", "HEAD"])
    }

    async fn checkout(&self, branch: Option<&str>, revision: Option<&str>) -> Result<GitTree, GitError> {
        let request = GitRequest {
            url: URL.into(),
            branch: branch.map(str::to_owned),
            revision: revision.map(str::to_owned),
        };
        checkout(&request, &self.mirrors, &self.cache, Instant::now() + Duration::from_secs(60)).await
    }

    async fn failure(&self, branch: Option<&str>, revision: Option<&str>) -> (Class, String) {
        let error = self.checkout(branch, revision).await.unwrap_err();
        (error.class(), Chain(&error).to_string())
    }
}

#[tokio::test]
async fn the_default_branch_is_listed_with_modes_and_read() {
    let bench = bench();
    let script = bench.repository().join("run.sh");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("run.sh", bench.repository().join("link")).unwrap();
    let commit = bench.commit("ubuntu/smoke tests.yaml", "metadata: {}\n");
    let tree = bench.checkout(None, None).await.unwrap();
    assert_eq!(tree.commit(), commit);
    let listed: Vec<_> =
        tree.entries().iter().map(|entry| (entry.path.as_str(), entry.mode, entry.size)).collect();
    assert_eq!(
        listed,
        [
            ("link", Mode::Symlink, 6),
            ("run.sh", Mode::Executable, 10),
            ("ubuntu/smoke tests.yaml", Mode::File, 13)
        ]
    );
    assert_eq!(tree.read("./ubuntu/smoke tests.yaml").await.unwrap(), b"metadata: {}\n");
    let mut reader = tree.reader().unwrap();
    let mut contents = Vec::new();
    for entry in tree.entries() {
        contents.push(reader.read(entry).await.unwrap());
    }
    assert_eq!(contents, [b"run.sh".as_slice(), b"#!/bin/sh\n", b"metadata: {}\n"]);
}

#[tokio::test]
async fn branches_tags_and_revisions_are_found_and_new_commits_too() {
    let bench = bench();
    let first = bench.commit("f", "1");
    bench.git(&["tag", "--annotate", "--message=v1", "v1"]);
    bench.git(&["checkout", "--quiet", "-b", "side/branch"]);
    let side = bench.commit("f", "2");
    bench.git(&["checkout", "--quiet", "trunk"]);
    let read = async |branch, revision| bench.checkout(branch, revision).await.unwrap().commit().to_owned();
    assert_eq!(read(None, None).await, first);
    assert_eq!(read(Some("side/branch"), None).await, side);
    assert_eq!(read(Some("v1"), None).await, first);
    assert_eq!(read(None, Some(&side)).await, side);
    assert_eq!(read(None, Some(&side[..12])).await, side);
    let third = bench.commit("f", "3");
    assert_eq!(read(Some("trunk"), None).await, third);
    assert_eq!(read(None, Some("trunk")).await, third);
}

#[tokio::test]
async fn a_repository_whose_head_names_no_branch_has_branches_and_revisions() {
    let bench = bench();
    let first = bench.commit("f", "1");
    bench.git(&["symbolic-ref", "HEAD", "refs/heads/master"]);
    let read = async |branch, revision| bench.checkout(branch, revision).await.unwrap().commit().to_owned();
    assert_eq!(read(None, Some("trunk")).await, first);
    assert_eq!(read(Some("trunk"), Some("HEAD")).await, first);
    bench.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    let second = bench.commit("f", "2");
    bench.git(&["symbolic-ref", "HEAD", "refs/heads/master"]);
    assert_eq!(read(Some("trunk"), None).await, second);
    let (class, text) = bench.failure(None, None).await;
    assert_eq!(class, Class::Infrastructure);
    assert!(text.ends_with("no default branch: its HEAD names one that is not there"), "{text}");
}

#[tokio::test]
async fn the_revision_head_is_the_origin_s_or_the_branch_s() {
    let bench = bench();
    bench.commit("f", "1");
    // What the clone's own HEAD may name.
    bench.git(&["branch", "master"]);
    bench.git(&["branch", "main"]);
    let read = async |branch, revision| bench.checkout(branch, revision).await.unwrap().commit().to_owned();
    read(None, Some("master")).await;
    let trunk = bench.commit("f", "2");
    assert_eq!(read(None, Some("HEAD")).await, trunk);
    bench.git(&["checkout", "--quiet", "-b", "side"]);
    let side = bench.commit("f", "3");
    bench.git(&["checkout", "--quiet", "trunk"]);
    assert_eq!(read(Some("side"), Some("HEAD")).await, side);
}

#[test]
fn a_lock_s_reason_is_told_as_what_it_is() {
    let error = |reason| GitError { url: URL.into(), mirrored: None, reason: GitReason::Lock(reason) };
    let locked = error(Reason::Locked { waited: Duration::ZERO });
    assert_eq!((locked.is_late(), locked.class()), (true, Class::Infrastructure));
    let cancelled = error(Reason::Cancelled);
    assert_eq!((cancelled.is_late(), cancelled.class()), (false, Class::Cancelled));
    assert_eq!(error(Reason::Panicked).class(), Class::Bug);
}

#[tokio::test]
async fn a_commit_in_the_cache_that_is_named_by_its_id_needs_no_origin() {
    let bench = bench();
    let commit = bench.commit("f", "1");
    bench.checkout(None, None).await.unwrap();
    fs::remove_dir_all(bench.repository()).unwrap();
    let tree = bench.checkout(None, Some(&commit)).await.unwrap();
    assert_eq!(tree.read("f").await.unwrap(), b"1");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let bench = bench();
    let path = bench.repository();
    let prefix = format!("cannot get {URL} (mirrored to {}): ", path.display());
    assert_eq!(bench.failure(None, None).await.1, format!("{prefix}the repository is empty"));
    let commit = bench.commit("f", "1");
    let (class, text) = bench.failure(Some("nope"), None).await;
    assert_eq!((class, text), (Class::Job, format!("{prefix}the repository has no branch or tag `nope`")));
    for revision in ["0123456789012345678901234567890123456789", "nope", "--help"] {
        let (class, text) = bench.failure(None, Some(revision)).await;
        assert_eq!(
            (class, text),
            (Class::Job, format!("{prefix}the repository has no revision `{revision}`"))
        );
    }
    let tree = bench.checkout(None, None).await.unwrap();
    let error = tree.read("ubuntu/smoke.yaml").await.unwrap_err();
    assert_eq!(error.class(), Class::Job);
    assert_eq!(Chain(&error).to_string(), format!("{prefix}commit {commit} has no file `ubuntu/smoke.yaml`"));
    fs::remove_dir_all(&path).unwrap();
    let (class, text) = bench.failure(None, None).await;
    assert_eq!(class, Class::Infrastructure);
    assert!(text.starts_with(&format!("{prefix}the repository cannot be read: ")), "{text}");
    assert!(text.contains("does not appear to be a git repository"), "{text}");
}

#[tokio::test]
async fn locks_that_a_killed_git_left_do_no_harm() {
    let bench = bench();
    bench.commit("f", "1");
    bench.checkout(None, None).await.unwrap();
    let commit = bench.commit("f", "2");
    let clone = fs::read_dir(bench.cache.directory().join("git"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    fs::write(clone.join("packed-refs.lock"), "").unwrap();
    fs::write(clone.join("refs/heads/trunk.lock"), "").unwrap();
    assert_eq!(bench.checkout(None, None).await.unwrap().commit(), commit);
}

#[tokio::test]
async fn an_origin_that_does_not_answer_is_given_up_at_the_deadline() {
    let bench = bench();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("git://{}/r.git", listener.local_addr().unwrap());
    let request = GitRequest { url, ..GitRequest::default() };
    let deadline = Instant::now() + Duration::from_millis(300);
    let error = checkout(&request, &bench.mirrors, &bench.cache, deadline).await.unwrap_err();
    assert!(Chain(&error).to_string().contains("has not ended after"), "{error:?}");
}

#[tokio::test]
async fn a_url_that_would_run_a_program_is_refused() {
    let bench = bench();
    let request = GitRequest { url: "ext::sh -c false".into(), ..GitRequest::default() };
    let deadline = Instant::now() + Duration::from_secs(60);
    let error = checkout(&request, &bench.mirrors, &bench.cache, deadline).await.unwrap_err();
    assert!(Chain(&error).to_string().contains("'ext' not allowed"), "{error:?}");
}

#[tokio::test]
async fn nodes_of_a_run_share_a_commit_though_somebody_pushes_meanwhile() {
    let bench = bench();
    let request = GitRequest { url: URL.into(), ..GitRequest::default() };
    let deadline = Instant::now() + Duration::from_secs(60);
    let checkouts = Checkouts::default();
    let get = || checkouts.get(&request, &bench.mirrors, &bench.cache, deadline);
    assert!(matches!(get().await.unwrap_err().reason, GitReason::Empty));

    let first = bench.commit("a.yaml", "a: 1\n");
    let (one, other) = tokio::join!(get(), get());
    bench.commit("b.yaml", "b: 2\n");
    for tree in [one.unwrap(), other.unwrap(), get().await.unwrap()] {
        assert_eq!(tree.commit(), first);
    }
}

#[tokio::test]
async fn submodules_are_named_with_their_urls_and_commits() {
    let bench = bench();
    let (path, inner) = (bench.directory.path().join("inner"), bench.directory.path().join("inner/.git"));
    let run = |arguments: &[&str]| {
        let status = Command::new("git").args(arguments).current_dir(&path).status().unwrap();
        assert!(status.success(), "{arguments:?}");
    };
    fs::create_dir(&path).unwrap();
    run(&["init", "--quiet", "--initial-branch=main"]);
    fs::write(path.join("file"), "inner\n").unwrap();
    run(&["add", "--all"]);
    run(&["-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "inner"]);
    bench.commit("top", "top\n");
    bench.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        inner.to_str().unwrap(),
        "lib/inner",
    ]);
    // As it is written for a repository that has a place in the world.
    let modules = fs::read_to_string(bench.repository().join(".gitmodules")).unwrap();
    let modules = modules.replace(inner.to_str().unwrap(), "../inner/.git");
    bench.commit(".gitmodules", &modules);
    let tree = bench.checkout(None, None).await.unwrap();
    let [submodule] = tree.submodules().await.unwrap().try_into().unwrap();
    assert_eq!(
        (submodule.path.as_str(), submodule.url.as_str()),
        ("lib/inner", "git://dead.example/inner/.git")
    );
    let to = path.to_str().unwrap().to_owned() + "/.git";
    let mirrors = Mirrors::new(vec![Rule { from: submodule.url.clone(), to }]);
    let request = GitRequest { url: submodule.url, branch: None, revision: Some(submodule.commit) };
    let until = Instant::now() + Duration::from_secs(60);
    let inner = checkout(&request, &mirrors, &bench.cache, until).await.unwrap();
    assert_eq!(inner.read("file").await.unwrap(), b"inner\n");
}

#[tokio::test]
async fn a_submodule_of_this_pc_is_refused() {
    let bench = bench();
    bench.commit(".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = /srv/private\n");
    let commit = bench.git(&["rev-parse", "HEAD"]);
    bench.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},x")]);
    bench.git(&["commit", "--quiet", "--message", "x"]);
    let tree = bench.checkout(None, None).await.unwrap();
    let error = tree.submodules().await.unwrap_err();
    assert_eq!(error.class(), Class::Job);
    assert!(Chain(&error).to_string().contains("the submodule `x` has no URL of another computer"));
}

#[tokio::test]
async fn a_clone_that_a_run_reads_from_is_not_removed_and_one_that_nobody_reads_is() {
    let bench = bench();
    bench.commit("file", "content\n");
    let tree = bench.checkout(None, None).await.unwrap();
    let later = std::time::SystemTime::now() + Duration::from_secs(60);
    let pruned = bench.cache.prune(later, false).unwrap();
    assert_eq!((pruned.removed.repositories.len(), pruned.in_use.repositories.len()), (0, 1));
    assert_eq!(tree.read("file").await.unwrap(), b"content\n");
    let url = pruned.in_use.repositories[0].url.clone().unwrap();
    assert!(url.ends_with("/r"), "where it came from: {url}");
    drop(tree);
    let pruned = bench.cache.prune(later, false).unwrap();
    assert_eq!((pruned.removed.repositories.len(), pruned.in_use.repositories.len()), (1, 0));
    assert!(bench.cache.inventory().unwrap().repositories.is_empty());
    assert_eq!(bench.checkout(None, None).await.unwrap().read("file").await.unwrap(), b"content\n");
}
