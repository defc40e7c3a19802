//! The top level of a job file.

use super::block;
use super::order;
use super::protocol;
use super::role;
use super::testdef;
use super::timeout::JobTimeouts;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::document::{Fields, Node, Reader, parse_yaml};
use crate::job::model::Job;

/// Longest `job_name`, in characters, as in LAVA.
const MAX_NAME: usize = 200;

impl Job {
    /// Parses and checks a job file.
    ///
    /// # Errors
    /// Every problem of the file at once; one only if it is not YAML.
    pub fn parse(source: &Source) -> Result<Self, Diagnostics> {
        let node = parse_yaml(source)
            .map_err(|problem| Diagnostics { source: source.clone(), problems: vec![*problem] })?;
        let mut reader = Reader::new(source);
        let job = document(&mut reader, &node);
        let (mut job, warnings) = reader.finish(job)?;
        job.warnings = warnings;
        Ok(job)
    }
}

fn document(reader: &mut Reader<'_>, node: &Node) -> Option<Job> {
    let top = reader.fields(node, "job")?;
    accept_recorded(reader, &top);
    let name = top.require(reader, "job_name").and_then(|node| job_name(reader, node));
    let timeouts = JobTimeouts::read(reader, &top);
    let multinode = protocol::multinode(reader, &top);
    let roles = role::read(reader, &top, multinode.as_ref());
    let environment = top.get("environment").map(|node| testdef::variables(reader, node, "environment"));
    let secrets = top.get("secrets").map(|node| testdef::variables(reader, node, "secrets"));
    let actions = top.require(reader, "actions");
    let blocks = actions.and_then(|node| block::read(reader, node, &timeouts, &roles));
    top.finish(reader);
    let blocks = blocks?;
    order::check(reader, &roles.checked, &blocks);
    Some(Job {
        source: reader.source.clone(),
        name: name?,
        power_off: timeouts.power_off(),
        timeout: timeouts.job,
        roles: roles.checked,
        blocks,
        environment: environment.unwrap_or_default(),
        secrets: secrets.unwrap_or_default(),
        warnings: Vec::new(),
    })
}

/// Keys for a server that plans and shows jobs: nothing to do for a program that runs one.
fn accept_recorded(reader: &mut Reader<'_>, top: &Fields<'_>) {
    top.accept(&["visibility", "priority", "metadata"]);
    top.ignore(reader, &["notify", "context", "tags", "device", "worker", "reboot_to_fastboot"]);
}

fn job_name(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = reader.non_empty(node, "job_name")?;
    let length = name.chars().count();
    if length > MAX_NAME {
        let message = format!("`job_name` has {length} characters; {MAX_NAME} are allowed");
        reader.report(Diagnostic::error("out-of-range", node.span, message));
    }
    Some(name)
}
