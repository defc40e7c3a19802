//! Files of a test definition that come from git repositories.

use std::path::Path;
use std::sync::Arc;

use super::definition_files::{DefinitionFiles, Files, FilesError, blocking};
use super::definition_links::LinkKind;
use super::overlay::{Overlay, files_fault, warn_of_links};
use crate::artifact::git::{GitError, GitRequest, GitTree, Mode};
use crate::fault::{Class, Fault};
use crate::job::{DefinitionSpec, InstallPart, TestDefinition};
use crate::run::{NodeContext, Phase};

/// Most repositories that one brings with it.
const MAX_SUBMODULES: usize = 100;

/// Puts the repositories of `install: git-repos` below the definition's directory.
pub(super) async fn copy_repositories(
    node: &NodeContext,
    phase: &Phase,
    spec: &DefinitionSpec,
    definition: &TestDefinition,
    directory: &str,
    overlay: &mut Overlay,
) -> Result<(), Fault> {
    if spec.skips(InstallPart::GitRepos) {
        return Ok(());
    }
    for repository in &definition.install.git_repos {
        let request =
            GitRequest { url: repository.url.clone(), branch: repository.branch.clone(), revision: None };
        let tree = checkout(node, phase, spec, &request).await?;
        let target = format!("{directory}/{}", repository.directory());
        copy(node, phase, spec, tree, &target, false, overlay).await?;
    }
    Ok(())
}

/// Gets the tree of a commit.
pub(super) async fn checkout(
    node: &NodeContext,
    phase: &Phase,
    spec: &DefinitionSpec,
    request: &GitRequest,
) -> Result<Arc<GitTree>, Fault> {
    let run = &node.run;
    let phase = phase.part(node.plan.prepare.repository.as_ref());
    let checkout = run.checkouts.get(request, &run.mirrors, &run.cache, phase.deadline.into_std()).await;
    checkout.map_err(|error| {
        let fault = phase.late_error(error.class(), &error, error.is_late());
        Fault { place: spec.place.clone(), ..fault }
    })
}

/// What is wrong with a repository of the definition.
pub(super) fn fault(spec: &DefinitionSpec, error: &GitError) -> Fault {
    let fault = Fault::from_error(error.class(), spec.place.clone(), error);
    match fault.class {
        Class::Job => fault.with_help(
            "name what the repository has (`git ls-tree -r --name-only BRANCH` in a clone), or push it there; `host-runner \
             validate` does not ask the repository",
        ),
        _ => fault,
    }
}

/// Copies a commit into `directory`: the definition's scripts come with it. If `recursive`, its submodules as well, and
/// theirs.
pub(super) async fn copy(
    node: &NodeContext,
    phase: &Phase,
    spec: &DefinitionSpec,
    tree: Arc<GitTree>,
    directory: &str,
    recursive: bool,
    overlay: &mut Overlay,
) -> Result<(), Fault> {
    let mut waiting = vec![(tree, String::new())];
    let mut count = 0;
    let mut files = Files::default();
    let mut left_out_submodules = 0;
    while let Some((tree, below)) = waiting.pop() {
        add(&mut files, &tree, &below, spec).await?;
        if !recursive {
            left_out_submodules = tree.entries().iter().filter(|entry| entry.mode == Mode::Submodule).count();
            continue;
        }
        for submodule in tree.submodules().await.map_err(|error| fault(spec, &error))? {
            count += 1;
            if count > MAX_SUBMODULES {
                let text = format!(
                    "the repository of definition `{}` has more than {MAX_SUBMODULES} submodules",
                    spec.name
                );
                return Err(Fault::new(Class::Job, spec.place.clone(), text));
            }
            let request = GitRequest { url: submodule.url, branch: None, revision: Some(submodule.commit) };
            let tree = checkout(node, phase, spec, &request).await?;
            waiting.push((tree, format!("{below}{}/", submodule.path)));
        }
    }
    let finished = blocking(move || files.finish()).await;
    let DefinitionFiles { files, left_out } = finished.map_err(|error| repository_fault(spec, &error))?;
    warn_of_links(node, spec, left_out);
    if left_out_submodules > 0 {
        let text = "submodules of its repository are left out, for it is not `recursive`";
        node.emitter.warn(format!("definition {}: {left_out_submodules} {text}", spec.name));
    }
    for file in files {
        overlay.add(format!("{directory}/{}", file.path), file.mode, file.content);
    }
    Ok(())
}

/// Adds the files of one commit, which is at `below`, a path with `/` at its end, or nothing.
async fn add(files: &mut Files, tree: &GitTree, below: &str, spec: &DefinitionSpec) -> Result<(), Fault> {
    let mut reader = tree.reader().map_err(|error| fault(spec, &error))?;
    for entry in tree.entries().iter().filter(|entry| entry.mode != Mode::Submodule) {
        if !files.reserve(entry.size) {
            return Err(repository_fault(spec, &FilesError::TooLarge));
        }
        let content = reader.read(entry).await.map_err(|error| fault(spec, &error))?;
        let path = format!("{below}{}", entry.path);
        if entry.mode == Mode::Symlink {
            let target = String::from_utf8_lossy(&content).into_owned();
            let added = files.add_link(Path::new(&path), Path::new(&target), LinkKind::Symbolic);
            added.map_err(|error| repository_fault(spec, &error))?;
        } else {
            files.add_content(path, entry.mode == Mode::Executable, content);
        }
    }
    Ok(())
}

fn repository_fault(spec: &DefinitionSpec, error: &FilesError) -> Fault {
    files_fault(spec, "its repository", error)
}
