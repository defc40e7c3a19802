//! The reports that are files, and their names in the directory of a run (`docs/results.md`).

use std::fs;
use std::io;
use std::path::Path;

use crate::report::Reporter;
use crate::report::ci::CodeQuality;
use crate::report::console_log::ConsoleLogs;
use crate::report::html::HtmlPage;
use crate::report::job_file::JobFile;
use crate::report::jsonl::Jsonl;
use crate::report::junit::Junit;
use crate::report::lava::LavaFiles;
use crate::report::results_json::ResultsJson;
use crate::report::tap::Tap;

/// All reports that are files, in the directory `out`, which must exist and be empty.
///
/// # Errors
/// Those of creating `run.jsonl` and directories; the other files are created later.
pub fn files(out: &Path) -> io::Result<Vec<Box<dyn Reporter>>> {
    fs::create_dir(out.join("console"))?;
    Ok(vec![
        Box::new(Jsonl::create(&out.join("run.jsonl"))?),
        Box::new(JobFile::new(out.join("job.yaml"))),
        Box::new(ResultsJson::new(out.join("results.json"))),
        Box::new(Junit::new(out.join("junit.xml"))),
        Box::new(Tap::new(out.join("results.tap"))),
        Box::new(HtmlPage::new(out.join("index.html"))),
        Box::new(CodeQuality::new(out.join("gl-code-quality-report.json"))),
        Box::new(LavaFiles::new(out.join("lava"))),
        Box::new(ConsoleLogs::new(out.join("console"))),
    ])
}
