//! The Debian package (deb(5), Debian Policy).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tree::{Parts, SHELLS, Tree};
use crate::error::Error;
use crate::process;

/// Where documents are.
const DOC: &str = "usr/share/doc/host-runner";
/// Programs that dpkg runs, and the list of what it asks about before it changes it.
const MAINTAINER_SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Makes `host-runner_VERSION_ARCHITECTURE.deb` in `out`; a `small` one takes some seconds more.
///
/// # Errors
/// When something cannot be read or written, or the changelog is of another version.
pub(super) fn make(parts: &Parts, small: bool, out: &Path) -> Result<PathBuf, Error> {
    let architecture = process::answer(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned();
    check_changelog(parts)?;
    let tree = Tree::new(parts.scratch.join("deb"))?;
    add_programs(parts, &tree)?;
    add_services(parts, &tree)?;
    add_documents(parts, &tree)?;
    add_control(parts, &tree, &architecture)?;
    tree.set_times(parts.epoch)?;

    let deb = out.join(format!("host-runner_{}_{architecture}.deb", parts.version));
    let compression: &[&str] = if small { &["-Zxz", "-z6"] } else { &["-Zgzip", "-z1"] };
    let mut build = Command::new("dpkg-deb");
    build.env("SOURCE_DATE_EPOCH", parts.epoch.to_string());
    build.args(["--root-owner-group", "--build"]).args(compression).arg(tree.root()).arg(&deb);
    process::answer(&mut build)?;
    Ok(deb)
}

fn add_programs(parts: &Parts, tree: &Tree) -> Result<(), Error> {
    tree.file(&parts.program, "usr/bin/host-runner", 0o755)?;
    for (architecture, agent) in parts.agents()? {
        tree.file(&agent, &format!("usr/lib/host-runner/agent/{architecture}/lava-agent"), 0o755)?;
    }
    tree.copy_of(&parts.source("boards"), "usr/share/host-runner/boards")?;
    for page in super::tree::entries(&parts.pages)? {
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        tree.packed(&page, &format!("usr/share/man/man1/{name}.gz"))?;
    }
    for ((_, name), directory) in SHELLS.iter().zip([
        "bash-completion/completions",
        "zsh/vendor-completions",
        "fish/vendor_completions.d",
    ]) {
        tree.file(&parts.completions.join(name), &format!("usr/share/{directory}/{name}"), 0o644)?;
    }
    Ok(())
}

fn add_services(parts: &Parts, tree: &Tree) -> Result<(), Error> {
    let packaging = parts.source("host/packaging");
    tree.copy_of(&packaging.join("systemd"), "usr/lib/systemd/system")?;
    tree.copy_of(&packaging.join("sysusers.d"), "usr/lib/sysusers.d")?;
    tree.copy_of(&packaging.join("tmpfiles.d"), "usr/lib/tmpfiles.d")?;
    let rules = "70-host-runner.rules";
    tree.file(&parts.source("udev").join(rules), &format!("usr/lib/udev/rules.d/{rules}"), 0o644)?;
    let options = packaging.join("debian/host-runner-serve.default");
    tree.file(&options, "etc/default/host-runner-serve", 0o644)?;
    tree.directory("etc/host-runner").map(drop)
}

fn add_documents(parts: &Parts, tree: &Tree) -> Result<(), Error> {
    let debian = parts.source("host/packaging/debian");
    // As in the repository, so that links between them lead on.
    tree.file(&parts.source("README.md"), &format!("{DOC}/README.md"), 0o644)?;
    for directory in ["docs", "examples", "udev"] {
        tree.copy_of(&parts.source(directory), &format!("{DOC}/{directory}"))?;
    }
    tree.file(&debian.join("copyright"), &format!("{DOC}/copyright"), 0o644)?;
    tree.packed(&debian.join("changelog"), &format!("{DOC}/changelog.gz"))?;
    tree.packed(&parts.licences, &format!("{DOC}/third-party-licences.txt.gz"))?;
    tree.file(&debian.join("lintian-overrides"), "usr/share/lintian/overrides/host-runner", 0o644)
}

fn add_control(parts: &Parts, tree: &Tree, architecture: &str) -> Result<(), Error> {
    let debian = parts.source("host/packaging/debian");
    let template = debian.join("control.in");
    let control = fs::read_to_string(&template)
        .map_err(Error::file("cannot read", &template))?
        .replace("@VERSION@", &parts.version)
        .replace("@ARCHITECTURE@", architecture)
        .replace("@INSTALLED_SIZE@", &installed_kib(tree.root())?.to_string())
        .replace("@DEPENDS@", &library_packages(parts)?);
    let sums = md5sums(tree.root())?;
    tree.content(control.as_bytes(), "DEBIAN/control", 0o644)?;
    tree.content(sums.as_bytes(), "DEBIAN/md5sums", 0o644)?;
    tree.file(&debian.join("conffiles"), "DEBIAN/conffiles", 0o644)?;
    MAINTAINER_SCRIPTS
        .into_iter()
        .try_for_each(|name| tree.file(&debian.join(name), &format!("DEBIAN/{name}"), 0o755))
}

/// The packages of the libraries that the program needs, as a list of dependencies.
fn library_packages(parts: &Parts) -> Result<String, Error> {
    let directory = parts.scratch.join("shlibdeps");
    let debian = directory.join("debian");
    fs::create_dir_all(&debian).map_err(Error::file("cannot make", &debian))?;
    // dpkg-shlibdeps wants to be in a source package.
    let control = debian.join("control");
    fs::write(&control, "Source: host-runner\n\nPackage: host-runner\nArchitecture: any\n")
        .map_err(Error::file("cannot write", &control))?;
    let mut find = Command::new("dpkg-shlibdeps");
    find.current_dir(&directory).args(["-O", "-e"]).arg(&parts.program);
    let answer = process::answer(&mut find)?;
    let list = answer.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    list.map(str::to_owned)
        .ok_or_else(|| Error::Answer { program: "dpkg-shlibdeps", found: answer.chars().take(200).collect() })
}

/// What dpkg checks installed files against, except those that the administrator changes.
fn md5sums(root: &Path) -> Result<String, Error> {
    let mut sum = Command::new("sh");
    sum.current_dir(root);
    sum.args(["-ec", "find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum"]);
    process::answer(&mut sum)
}

/// As dpkg-gencontrol counts: every file in whole KiB, and one for everything else (deb-substvars(5)).
fn installed_kib(directory: &Path) -> Result<u64, Error> {
    super::tree::entries(directory)?.into_iter().try_fold(0, |sum, path| {
        let kib = if path.is_dir() {
            1 + installed_kib(&path)?
        } else {
            fs::metadata(&path).map_err(Error::file("cannot read", &path))?.len().div_ceil(1024)
        };
        Ok(sum + kib)
    })
}

/// Makes sure that the changelog begins with this version.
fn check_changelog(parts: &Parts) -> Result<(), Error> {
    let file = parts.source("host/packaging/debian/changelog");
    let mut parse = Command::new("dpkg-parsechangelog");
    parse.arg("--file").arg(&file).args(["--show-field", "Version"]);
    let found = process::answer(&mut parse)?.trim().to_owned();
    if found == parts.version {
        return Ok(());
    }
    let what = format!("entry for {} at its beginning; there is {found}", parts.version);
    Err(Error::Content { directory: file, what })
}
