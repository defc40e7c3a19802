//! The agents that the boards of a bench need.

use std::collections::BTreeMap;

use super::finding::{Check, Finding, Findings};
use crate::board::Bench;
use crate::fault::Class;
use crate::run::agent_directories;

/// Checks that there is an agent for each architecture.
pub(super) fn check(bench: &Bench, findings: &mut Findings<'_>) {
    let mut boards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for board in &bench.boards {
        boards.entry(&board.arch).or_default().push(&board.name);
    }
    let directories = agent_directories(bench);
    for (arch, boards) in boards {
        let paths: Vec<_> =
            directories.iter().map(|directory| directory.join(arch).join("lava-agent")).collect();
        let about = boards.join(", ");
        let readable = paths.iter().find(|path| {
            std::fs::File::open(path).is_ok_and(|file| {
                file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
            })
        });
        findings.add(match readable {
            Some(path) => Finding::ok(Check::Agent, &about, format!("{arch}: {}", path.display())),
            None => {
                let tried: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                let text = format!("there is none for {arch}; looked for {}", tried.join(", "));
                Finding::fault(Check::Agent, &about, Class::Bench, text).with_help(
                    "build it with `cargo xtask agent`, or say where it is with `[agent] directory` in the bench file",
                )
            }
        });
    }
}
