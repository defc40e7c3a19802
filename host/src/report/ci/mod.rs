//! What CI services show of a run besides its files.
//!
//! | service | what | file |
//! |---|---|---|
//! | GitHub | annotations at the job file | `github.rs` |
//! | GitHub | a summary of the step, in Markdown | `summary.rs` |
//! | GitLab | a code quality report, `gl-code-quality-report.json` | `code_quality.rs` |
//! | both | sections of the log that can be folded | `sections.rs` |

mod code_quality;
mod github;
mod sections;
mod summary;

pub use code_quality::CodeQuality;
pub use github::{Annotations, Fence};
pub use sections::{Closing, ConsoleSections, LiveSection, Sections};
pub use summary::StepSummary;
