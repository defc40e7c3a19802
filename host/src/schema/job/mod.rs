//! The schema of job files.

mod block;
mod boot;
mod deploy;
mod group;
mod test;
mod testdef;
mod timeout;

use schemars::Schema;
use serde_json::{Value, json};

use crate::job::check::context::{ADDRESSES, IDLE, MAX_DELAY};
use crate::schema::shape::{
    Keys, any_text, anything, document, integer, one_of, one_or_list, text, values, word,
};

/// What the keys of a server are here.
const RECORDED: &str = "Recorded, not used: it is for a server that plans and shows jobs.";

/// The schema.
pub(super) fn schema() -> Schema {
    let keys = Keys::new()
        .needs("job_name", "The job's name, up to 200 characters.", text())
        .needs("timeouts", "How long the job and its parts may take.", timeout::of_job())
        .needs("actions", "What is done, in this order.", block::actions())
        .may(
            "device_type",
            "The type of board that the job runs on. A job of several boards has `protocols` instead.",
            text(),
        )
        .may("protocols", "The group of a job with several roles.", group::roles())
        .may("context", "Values that stand in for those of the board type.", context())
        .may("tags", "Words that the board must have in the bench file.", one_or_list(&text()))
        .may("environment", "Variables of the tests' environment.", values())
        .may("secrets", "Values that the tests find in `secrets`, and no report shows.", values())
        .may("visibility", RECORDED, visibility())
        .may("priority", RECORDED, one_of([word(["high", "medium", "low"]), integer(0, 100)]))
        .idle(&["metadata", "notify", "device", "worker", "reboot_to_fastboot", "compatible"], RECORDED);
    let mut schema = keys.schema();
    schema["anyOf"] = json!([{ "required": ["device_type"] }, { "required": ["protocols"] }]);
    // What occurs often.
    schema["definitions"] = json!({ deploy::ARTIFACT: deploy::plain_artifact(), timeout::DURATION: timeout::of_units(), testdef::NAME: testdef::definition() });
    document("A LAVA job file", schema)
}

fn visibility() -> Value {
    let group = Keys::new().needs("group", "Who may see the job.", one_or_list(&text()));
    one_of([word(["public", "personal"]), group.schema()])
}

/// Keys of a lab's own templates may stand here too.
pub(super) fn context() -> Value {
    let line = || one_or_list(&any_text());
    let keys = Keys::new()
        .may("extra_kernel_args", "Words for the kernel's command line.", line())
        .may("extra_nfsroot_args", "Options for the `nfsroot` of the kernel's command line.", line())
        .may("console_device", "The kernel's console, such as `ttyS0`.", line())
        .may("bootloader_prompt", "U-Boot's prompt, a regular expression.", text())
        .may("uboot_extra_error_message", "A further text of U-Boot's that means failure.", line())
        .may("kernel_start_message", "The kernel's first words, a regular expression.", text())
        .may("lava_test_results_dir", "The tests' directory; `%s` in it is the node's id.", text())
        .may("boot_character_delay", "Milliseconds between characters typed.", integer(0, MAX_DELAY))
        .idle(&IDLE, "It has no effect here.")
        .others(anything());
    let about = "An address in memory, such as `0x82000000`.";
    ADDRESSES.iter().fold(keys, |keys, name| keys.may(name, about, line())).schema()
}
