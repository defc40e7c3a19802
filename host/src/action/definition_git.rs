//! Files of a test definition that come from git repositories.

use std::sync::Arc;

use super::overlay::{MAX_DEFINITION_BYTES, Overlay};
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
    Fault::from_error(error.class(), spec.place.clone(), error)
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
    let mut waiting = vec![(tree, directory.to_owned())];
    let mut count = 0;
    while let Some((tree, directory)) = waiting.pop() {
        copy_tree(node, &tree, &directory, spec, recursive, overlay).await?;
        if !recursive {
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
            waiting.push((tree, format!("{directory}/{}", submodule.path)));
        }
    }
    Ok(())
}

/// Copies the files of one commit.
async fn copy_tree(
    node: &NodeContext,
    tree: &GitTree,
    directory: &str,
    spec: &DefinitionSpec,
    recursive: bool,
    overlay: &mut Overlay,
) -> Result<(), Fault> {
    let total: u64 = tree.entries().iter().map(|entry| entry.size).sum();
    if total > MAX_DEFINITION_BYTES {
        return Err(Fault::new(
            Class::Job,
            spec.place.clone(),
            format!(
                "the repository of definition `{}` has more than {MAX_DEFINITION_BYTES} bytes",
                spec.name
            ),
        ));
    }
    let mut reader = tree.reader().map_err(|error| fault(spec, &error))?;
    let mut left_out = 0;
    for entry in tree.entries() {
        let mode = match entry.mode {
            Mode::File => 0o644,
            Mode::Executable => 0o755,
            Mode::Submodule if recursive => continue,
            // A link may point anywhere on the target, and a submodule has no content.
            Mode::Symlink | Mode::Submodule => {
                left_out += 1;
                continue;
            }
        };
        let content = reader.read(entry).await.map_err(|error| fault(spec, &error))?;
        overlay.add(format!("{directory}/{}", entry.path), mode, content);
    }
    if left_out > 0 {
        node.emitter.warn(format!(
            "definition {}: {left_out} symbolic links and submodules of its repository are left out",
            spec.name
        ));
    }
    Ok(())
}
