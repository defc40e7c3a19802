//! The schema of bench files.

mod power;

use schemars::Schema;
use serde_json::{Value, json};

use super::board_type::{self, Part};
use super::reference::Reference;
use super::shape::{
    Keys, any_text, document, integer, list, names, one_of, one_or_list, one_or_some, or, or_else, some,
    text, values, word,
};
use crate::board::VirtualNetwork;
use crate::board::bench_file::{
    DEFAULT_BUDGET, FIRMWARE, MAX_BUDGET_MB, MAX_FLASH_S, MAX_MEMORY_MB, MEMORY_MB, MIN_MEMORY_MB,
};

/// The page of all keys.
pub(super) const REFERENCE: Reference<'_> = Reference {
    introduction: include_str!("bench/introduction.md"),
    elsewhere: &[
        ("[boards.NAME.uboot]", "board-types.md#uboot"),
        ("[boards.NAME.linux]", "board-types.md#linux"),
    ],
    example: include_str!("examples/bench.toml"),
};

/// The schema.
pub(super) fn schema() -> Schema {
    let network = Keys::new().may("address", "This PC's address in the boards' network.", text());
    let virtual_boards = format!("{}/{}", VirtualNetwork::DEFAULT.address, VirtualNetwork::DEFAULT.prefix);
    let virtual_network = Keys::new().may("address", "Address and prefix.", or(text(), virtual_boards));
    let directory = |about: &str, usual| Keys::new().may("directory", about, or_else(text(), usual)).schema();
    let rootfs = budget().may(
        "directory",
        "Where root filesystems are kept.",
        or_else(text(), "`~/.local/share/host-runner/rootfs`"),
    );
    let mirror = Keys::new().needs("from", "The beginning of URLs.", text()).needs(
        "to",
        "What stands in for it: a URL, or a directory.",
        text(),
    );
    let scp = Keys::new().may(
        "config",
        "A configuration of OpenSSH's client.",
        or_else(text(), "the user's and the system's"),
    );
    let file = Keys::new().needs("file", "A file with nothing but the token.", text()).schema();
    let variable = Keys::new().needs("env", "A variable of the environment.", text()).schema();
    let mut boards = names(&board());
    boards["minProperties"] = json!(1);
    let keys = Keys::new()
        .needs("boards", "The boards, by their names.", boards)
        .may("network", "The boards' network.", network.schema())
        .may("virtual_network", "The network of the virtual boards.", virtual_network.schema())
        .may("agent", "The agents.", directory("Where the agents are: ARCH/lava-agent.", AGENTS))
        .may("cache", "Files that were fetched.", directory("Where they are kept.", "`~/.cache/host-runner`"))
        .may("rootfs", "Root filesystems.", rootfs.schema())
        .may("scp", "Files behind `scp` URLs.", scp.schema())
        .may("tokens", "Secrets that headers of jobs name.", names(&one_of([file, variable])))
        .may("mirror", "Places that stand in for others.", list(&mirror.schema()));
    document("A host-runner bench file", keys.schema())
}

/// Where agents are looked for where nothing is said.
const AGENTS: &str = "beside the program, then `/usr/lib/host-runner/agent`";

fn budget() -> Keys {
    let budget = or(integer(1, MAX_BUDGET_MB), DEFAULT_BUDGET >> 20);
    Keys::new().may("budget_mb", "MiB that a job may write into its root filesystem.", budget)
}

/// A program and its arguments.
fn command() -> Value {
    some(&any_text())
}

/// A line of the bench: a device, an address, or a command.
fn line() -> Value {
    json!({ "anyOf": [text(), command()] })
}

/// What a board has of its type.
const TYPES: &str = "that of the board type";

fn board() -> Value {
    let about = "`/dev/…`, `tcp://host:port`, `telnet://host:port`, a command, `qemu`, or `none`.";
    let environment = "Variables of the tests' environment.";
    let info = Keys::new()
        .may("mac", "The board's MAC address.", text())
        .may("probe_ip", "The address of a probe on it.", text())
        .may("probe_channel", "The channel of that probe.", text())
        .may("storage", "Storage media, by method.", names(&text()));
    let qemu = Keys::new()
        .may("initrd", "A RAM disk that Linux starts with.", text())
        .may("firmware", "U-Boot.", or(text(), FIRMWARE))
        .may("memory_mb", "MiB of memory.", or(integer(MIN_MEMORY_MB, MAX_MEMORY_MB), MEMORY_MB));
    let u_boot_test = Keys::new()
        .may("flash", "Writes the U-Boot in $U_BOOT_BUILD_DIR to the board.", command())
        .may("flash_timeout_s", "Seconds that it may take.", or(integer(1, MAX_FLASH_S), 300));
    let bench_command = Keys::new().needs("do", "The command and its arguments.", command()).may(
        "undo",
        "What undoes it at the job's end.",
        command(),
    );
    Keys::new()
        .needs("type", "The board type: its name, or a path that ends in `.toml`.", text())
        .needs("console", about, line())
        .may("baud", "The console's speed.", or_else(board_type::baud(), TYPES))
        .may("linux_console", "The console's device in Linux.", or_else(text(), TYPES))
        .may("address", "The board's address.", text())
        .may("agent_link", "How the agent is spoken to.", or(word(["console", "tcp"]), "console"))
        .may("arch", "The agent's architecture.", or_else(board_type::arch(), TYPES))
        .may(
            "device_types",
            "The `device_type`s of jobs that it runs.",
            or_else(one_or_list(&any_text()), "the type"),
        )
        .may("tags", "Words that jobs can ask for.", one_or_list(&any_text()))
        .may("ssh_port", "Where its secondary connections go.", or(integer(1, u16::MAX.into()), 22))
        .may("ssh", "How it is reached when it is up by itself.", ssh())
        .may("consoles", "Further connections, by name.", names(&line()))
        .may("commands", "For a job's `command` actions.", names(&bench_command.schema()))
        .may("power", "How it is switched.", power::schema())
        .may(
            "rootfs",
            "Its root filesystem, where it is not as the bench's `[rootfs]` says.",
            budget().schema(),
        )
        .may("info", "What its tests may know of it.", info.schema())
        .may("static_info", "Names and values that its tests may know.", names(&any_text()))
        .may("environment", environment, values())
        .may(
            "u_boot_test",
            "For U-Boot's own tests, by `u-boot-test-console` and its like.",
            u_boot_test.schema(),
        )
        .may("qemu", "For `console = \"qemu\"`: what the emulator needs.", qemu.schema())
        .may("uboot", "Where its U-Boot differs from the type's.", board_type::uboot(Part::Override))
        .may("linux", "Where its Linux differs from the type's.", board_type::linux(Part::Override))
        .schema()
}

fn ssh() -> Value {
    Keys::new()
        .needs("host", "Its name or address.", text())
        .needs("identity_file", "The private key.", text())
        .needs("host_key", "The public keys that it may have.", one_or_some(&any_text()))
        .may("port", "Its port.", or(integer(1, u16::MAX.into()), 22))
        .may("user", "Who logs in.", or(text(), "root"))
        .schema()
}
