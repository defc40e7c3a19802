//! The kinds of problem that a file can have, each with a stable name.

use std::fmt;

/// Declares the kinds and their names, in the order of the names.
macro_rules! codes {
    ($(#[doc = $doc:literal] $variant:ident => $name:literal,)*) => {
        /// A kind of problem: what `validate` shows in brackets, and what `host-runner explain` is asked about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// All kinds, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its stable name, such as `unknown-key`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it is about, a sentence.
            pub fn summary(self) -> &'static str {
                let text = match self {
                    $(Self::$variant => $doc,)*
                };
                text.trim()
            }

            /// Its page: what it means, an example, and how it is mended. Markdown.
            pub fn page(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!("../../../docs/errors/", $name, ".md")),)*
                }
            }

            /// The kind of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.name() == name)
            }
        }
    };
}

codes! {
    /// A role has a board of its own and a host as well.
    DeviceTypeAndHostRole => "device-type-and-host-role",
    /// The job has a device type of its own and roles as well.
    DeviceTypeAndRoles => "device-type-and-roles",
    /// Two boards of the bench have one name.
    DuplicateBoard => "duplicate-board",
    /// A key is written twice in one mapping.
    DuplicateKey => "duplicate-key",
    /// Two definitions of one test have one name.
    DuplicateName => "duplicate-name",
    /// A value that must say something is empty.
    EmptyValue => "empty-value",
    /// Two keys exclude each other.
    ExclusiveKeys => "exclusive-keys",
    /// A role connects to one that cannot be its host.
    HostRole => "host-role",
    /// A role has no actions.
    IdleRole => "idle-role",
    /// A key has no effect.
    IgnoredKey => "ignored-key",
    /// A timeout bounds nothing.
    IgnoredTimeout => "ignored-timeout",
    /// What was imported needs a look before it is used.
    ImportCheck => "import-check",
    /// Something of a lab's configuration was not carried over.
    ImportLeftOut => "import-left-out",
    /// No board can be made of a lab's configuration.
    ImportNoBoard => "import-no-board",
    /// A template of a lab's cannot be rendered.
    ImportTemplate => "import-template",
    /// A pattern of results lacks a group.
    IncompletePattern => "incomplete-pattern",
    /// A network address cannot be used.
    InvalidAddress => "invalid-address",
    /// The way to the agent cannot be used.
    InvalidAgentLink => "invalid-agent-link",
    /// A checksum does not have the right number of digits.
    InvalidChecksum => "invalid-checksum",
    /// A console cannot be used.
    InvalidConsole => "invalid-console",
    /// Information about a board cannot be given to tests.
    InvalidInfo => "invalid-info",
    /// A name has characters that it cannot have.
    InvalidName => "invalid-name",
    /// A path leads out of its directory.
    InvalidPath => "invalid-path",
    /// Power commands do not fit together.
    InvalidPower => "invalid-power",
    /// A regular expression does not compile.
    InvalidRegex => "invalid-regex",
    /// A request to the group cannot be read.
    InvalidRequest => "invalid-request",
    /// A length of time cannot be read.
    InvalidTimeout => "invalid-timeout",
    /// A timeout stands where it belongs to nothing.
    MisplacedTimeout => "misplaced-timeout",
    /// An SSH login does not know its address.
    MissingAddress => "missing-address",
    /// A role tests before it boots.
    MissingBoot => "missing-boot",
    /// A role boots before it deploys.
    MissingDeploy => "missing-deploy",
    /// A key that is needed is not there.
    MissingKey => "missing-key",
    /// Some actions have a namespace and others have none.
    MissingNamespace => "missing-namespace",
    /// A test definition does not run anything.
    MissingRun => "missing-run",
    /// A role never comes to where the others wait for it.
    MissingSync => "missing-sync",
    /// A connection is asked for what only a board can do.
    NeedsBoard => "needs-board",
    /// The bench has no boards.
    NoBoards => "no-boards",
    /// The table of roles is empty.
    NoRoles => "no-roles",
    /// An entry of `actions` is not one action.
    NotAnAction => "not-an-action",
    /// A number, length or count is beyond its limits.
    OutOfRange => "out-of-range",
    /// A guest may go on when its host has ended.
    OutlivesHost => "outlives-host",
    /// A role refers to itself.
    OwnRole => "own-role",
    /// The job is not the one that was submitted, but what a server has made of it.
    ServersForm => "servers-form",
    /// A value is read as another one than it seems to be.
    SurprisingValue => "surprising-value",
    /// A timeout is longer than the whole job may take.
    TimeoutExceedsJob => "timeout-exceeds-job",
    /// The file is not TOML.
    TomlSyntax => "toml-syntax",
    /// A time is written in two units.
    TwoUnits => "two-units",
    /// There is no such action.
    UnknownAction => "unknown-action",
    /// There is no such board type.
    UnknownBoardType => "unknown-board-type",
    /// There is no such way to boot.
    UnknownBoot => "unknown-boot",
    /// No action of this name makes requests to the group.
    UnknownCaller => "unknown-caller",
    /// There is no such way to deploy.
    UnknownDeploy => "unknown-deploy",
    /// A test definition names another format.
    UnknownFormat => "unknown-format",
    /// There is no such key.
    UnknownKey => "unknown-key",
    /// There is no such namespace.
    UnknownNamespace => "unknown-namespace",
    /// Nothing replaces a placeholder in a command for U-Boot.
    UnknownPlaceholder => "unknown-placeholder",
    /// There is no such role.
    UnknownRole => "unknown-role",
    /// There is no action whose time could be bounded so.
    UnknownTimeout => "unknown-timeout",
    /// A value is none of those that are possible.
    UnknownValue => "unknown-value",
    /// The file of a board type cannot be read.
    UnreadableBoardType => "unreadable-board-type",
    /// A message is waited for that nobody sends.
    UnsentMessage => "unsent-message",
    /// An action of LAVA's that this program does not do.
    UnsupportedAction => "unsupported-action",
    /// A way to boot that this program does not know.
    UnsupportedBoot => "unsupported-boot",
    /// A way to deploy that this program does not know.
    UnsupportedDeploy => "unsupported-deploy",
    /// A key of LAVA's that this program does not do.
    UnsupportedKey => "unsupported-key",
    /// A kind of test that this program does not do.
    UnsupportedTest => "unsupported-test",
    /// A URL that this program cannot fetch.
    UnsupportedUrl => "unsupported-url",
    /// A line begins in another column than it was meant to.
    WrongIndent => "wrong-indent",
    /// A value is of the wrong kind.
    WrongType => "wrong-type",
    /// The file is not YAML.
    YamlSyntax => "yaml-syntax",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
