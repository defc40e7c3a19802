//! Names of a node's phases.

use std::collections::BTreeSet;

use crate::job::{Block, BlockKind};

/// Gives each block's phase a name that no other of the node has.
#[derive(Default)]
pub(super) struct PhaseNames {
    used: BTreeSet<String>,
}

impl PhaseNames {
    /// The next phase, of `block`; `stage` is the ordinal of a test with definitions. Where the name is taken it gets a
    /// number, from 2.
    pub(super) fn next(&mut self, block: &Block, stage: u32) -> String {
        let base = match &block.kind {
            BlockKind::DeployTftp(_) => "deploy-tftp".to_owned(),
            BlockKind::DeploySsh(_) => "deploy-ssh".to_owned(),
            BlockKind::BootUboot(_) => "boot-u-boot".to_owned(),
            BlockKind::BootBootloader(_) => "boot-bootloader".to_owned(),
            BlockKind::BootMinimal(_) => "boot-minimal".to_owned(),
            BlockKind::NewConnection(_) => "new-connection".to_owned(),
            BlockKind::BootSsh(_) => "boot-ssh".to_owned(),
            BlockKind::Test(_) => format!("test-{stage}"),
            BlockKind::Interactive(_) => "test-interactive".to_owned(),
            BlockKind::Monitors(_) => "test-monitors".to_owned(),
            BlockKind::Command(name) => format!("command-{}", name.value),
        };
        let numbered = (2_u32..).map(|number| format!("{base}-{number}"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        let name = names.find(|name| !self.used.contains(name)).unwrap_or(base);
        self.used.insert(name.clone());
        name
    }
}
