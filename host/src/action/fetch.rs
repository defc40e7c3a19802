//! Files that a job names, as the board's bench knows them.

use std::path::PathBuf;

use crate::artifact::{self, Artifact, DeriveError};
use crate::event::EventKind;
use crate::fault::{Chain, Class, Fault};
use crate::job::{ArtifactSpec, Part, Timeouts};
use crate::plan;
use crate::run::{NodeContext, Phase};
use crate::text::Size;

/// The part that LAVA's action for the scheme of `url` is.
fn download_part(url: &str) -> Part {
    match url.split(':').next() {
        Some("http" | "https") => Part::HttpDownload,
        Some("scp") => Part::ScpDownload,
        _ => Part::FileDownload,
    }
}

/// What the cache is asked for.
fn artifact_request(spec: &ArtifactSpec, ssh_config: Option<PathBuf>) -> artifact::Request {
    artifact::Request {
        url: spec.url.clone(),
        compression: spec.compression,
        checksums: spec.checksums.clone(),
        headers: spec.headers.clone(),
        is_fresh: !spec.use_cache,
        ssh_config,
    }
}

impl NodeContext {
    /// Fetches an artifact, with progress.
    pub(super) async fn fetch(
        &self,
        phase: &Phase,
        timeouts: &Timeouts,
        kind: &str,
        spec: &ArtifactSpec,
    ) -> Result<Artifact, Fault> {
        let part = phase.part(timeouts.part(Part::Download)).part(timeouts.part(download_part(&spec.url)));
        self.fetch_within(&part, kind, spec).await
    }

    /// Fetches an artifact, with progress; `phase` is what it may take.
    pub(super) async fn fetch_within(
        &self,
        phase: &Phase,
        kind: &str,
        spec: &ArtifactSpec,
    ) -> Result<Artifact, Fault> {
        let spec = &self.on_bench(spec)?;
        let emitter = self.emitter.clone();
        let what = format!("fetch {kind}");
        let progress =
            move |done, total| emitter.emit(EventKind::Progress { what: what.clone(), done, total });
        let request = artifact_request(spec, self.run.ssh_config.clone());
        let artifact = self
            .run
            .cache
            .fetch(&request, &self.run.mirrors, phase.deadline.into_std(), progress)
            .await
            .map_err(|error| {
                let fault = phase.late_error(error.class(), &error, error.is_late());
                // The place in the job file is that of the artifact, and not that of its action.
                let node = phase.place.split_once(" (").map_or(phase.place.as_str(), |(node, _)| node);
                Fault { place: format!("{node} ({})", spec.place), ..fault }.with_optional_help(error.help())
            })?;
        let artifact = if spec.in_tar { self.only_file(phase, spec, artifact).await? } else { artifact };
        let how = if artifact.from_cache { "from the cache" } else { "fetched" };
        self.emitter.note(format!(
            "{kind} {} {how}, {}, sha256 {:.12}",
            spec.url,
            Size(artifact.size),
            artifact.sha256
        ));
        Ok(artifact)
    }

    /// `archive: tar`: the only file of a tar.
    async fn only_file(&self, phase: &Phase, spec: &ArtifactSpec, tar: Artifact) -> Result<Artifact, Fault> {
        let taken = self.run.cache.only_file(tar, phase.deadline.into_std(), |_, _| ()).await;
        taken.map(|derived| derived.artifact).map_err(|error| {
            let (class, text) = match error {
                DeriveError::Cache(reason) => (reason.class(), Chain(&reason).to_string()),
                DeriveError::Recipe(error) => (error.class(), Chain(&error).to_string()),
            };
            let place = format!("{} ({})", phase.place, spec.place);
            Fault::new(class, place, format!("`{}` is no `archive: tar` of a file: {text}", spec.url))
        })
    }

    /// The artifact with what the bench file says: `{NAME}` in its URL is replaced (LAVA's `static_info`), and values of
    /// headers that are names of tokens are the tokens.
    fn on_bench(&self, spec: &ArtifactSpec) -> Result<ArtifactSpec, Fault> {
        let headers = spec.headers.try_map(|value| self.run.tokens.resolve(value));
        let headers = headers.map_err(|error| Fault::from_error(Class::Bench, spec.place.clone(), &error))?;
        let Some(board) = self.board() else { return Ok(ArtifactSpec { headers, ..spec.clone() }) };
        let values = board.static_info.iter().cloned().collect();
        let url = plan::replace(&spec.url, &values).ok_or_else(|| {
            let name = &board.name;
            let text = format!("a `{{NAME}}` in `{}` is not in `static_info` of board `{name}`", spec.url);
            Fault::new(Class::Bench, spec.place.clone(), text)
        })?;
        Ok(ArtifactSpec { url, headers, ..spec.clone() })
    }
}
