//! Reading and checking a bench file.

mod access;
mod console;
mod info;
mod power;
mod power_driver;
mod qemu;
mod rootfs;
mod u_boot_test;

#[cfg(test)]
pub(crate) use power::DRIVERS;
pub(crate) use power::MAX_OFF;
pub(crate) use power_driver::{MAX_INDEX, MAX_PULSE_MS, MAX_VALUE};
pub(crate) use qemu::{FIRMWARE, MAX_MEMORY_MB, MEMORY_MB, MIN_MEMORY_MB};
pub(crate) use rootfs::{DEFAULT_BUDGET, MAX_BUDGET_MB};
pub(crate) use u_boot_test::MAX_FLASH_S;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bench::{AgentLink, Bench, BenchError, Board, ConsoleTarget, VirtualNetwork};
use super::board_type::{self, BoardType};
use super::tokens::Tokens;
use crate::artifact::{Mirrors, Rule};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, did_you_mean};
use crate::document::{Fields, Node, Reader, Value, parse_toml};

impl Bench {
    /// Reads and checks the bench file at `path` and the board types that it names.
    ///
    /// # Errors
    /// A file cannot be read, or files have problems: all of them at once.
    pub fn load(path: &Path) -> Result<Self, BenchError> {
        let source = Source::read(path)?;
        // Paths of the bench file must mean the same wherever they are used.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let directory = path.parent().unwrap_or(Path::new("/"));
        Self::parse(&source, directory)
    }

    /// Checks a bench file whose relative paths are relative to `directory`.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn parse(source: &Source, directory: &Path) -> Result<Self, BenchError> {
        let node = parse_toml(source).map_err(|problems| {
            BenchError::Invalid(vec![Diagnostics { source: source.clone(), problems }])
        })?;
        let mut file = BenchFile {
            reader: Reader::new(source),
            directory,
            types: Vec::new(),
            tokens: Tokens::default(),
            rootfs_budget: DEFAULT_BUDGET,
        };
        let bench = file.read(&node, Path::new(&source.name));
        let types = file.types.into_iter().filter_map(|(_, board_type)| board_type.err()).flatten();
        match file.reader.finish(bench) {
            Ok((bench, _)) => {
                let problems: Vec<_> = types.collect();
                if problems.is_empty() { Ok(bench) } else { Err(BenchError::Invalid(problems)) }
            }
            Err(problems) => Err(BenchError::Invalid([problems].into_iter().chain(types).collect())),
        }
    }
}

/// A board type by the name in the bench file. An error without diagnostics was reported at that name.
type NamedType = (String, Result<BoardType, Option<Diagnostics>>);

struct BenchFile<'a> {
    reader: Reader<'a>,
    directory: &'a Path,
    types: Vec<NamedType>,
    /// Of which boards name some.
    tokens: Tokens,
    /// Of boards that have none of their own.
    rootfs_budget: u64,
}

impl BenchFile<'_> {
    fn read(&mut self, node: &Node, path: &Path) -> Option<Bench> {
        let fields = self.reader.fields(node, "bench")?;
        let address = self.table(&fields, "network", |file, table| {
            table.get("address").and_then(|node| file.ip_address(node))
        });
        let virtual_network = self.table(&fields, "virtual_network", |file, table| {
            table.get("address").and_then(|node| file.network(node))
        });
        let virtual_network = virtual_network.unwrap_or(VirtualNetwork::DEFAULT);
        let agent_directory = self.table(&fields, "agent", |file, table| file.path(table, "directory"));
        let cache_directory = self.table(&fields, "cache", |file, table| file.path(table, "directory"));
        let rootfs = self.table(&fields, "rootfs", |file, table| {
            Some((file.rootfs_budget(table), file.path(table, "directory")))
        });
        let (rootfs_budget, rootfs_directory) = rootfs.unwrap_or_default();
        self.rootfs_budget = rootfs_budget.unwrap_or(self.rootfs_budget);
        let mirrors = fields.get("mirror").map(|node| self.mirrors(node)).unwrap_or_default();
        let ssh_config = self.table(&fields, "scp", |file, table| file.path(table, "config"));
        let tokens = self.tokens(&fields);
        self.tokens.clone_from(&tokens);
        let boards = fields.require(&mut self.reader, "boards");
        let boards = boards.map(|node| self.boards(node, virtual_network)).unwrap_or_default();
        fields.finish(&mut self.reader);
        Some(Bench {
            path: path.to_owned(),
            address,
            virtual_network,
            agent_directory,
            cache_directory,
            rootfs_directory,
            mirrors: Mirrors::new(mirrors),
            ssh_config,
            tokens,
            boards,
        })
    }

    /// Reads a table of one optional thing.
    fn table<T>(
        &mut self,
        parent: &Fields<'_>,
        key: &'static str,
        read: impl FnOnce(&mut Self, &Fields<'_>) -> Option<T>,
    ) -> Option<T> {
        let fields = self.reader.fields(parent.get(key)?, key)?;
        let value = read(self, &fields);
        fields.finish(&mut self.reader);
        value
    }

    fn path(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<PathBuf> {
        let text = self.reader.non_empty(fields.get(key)?, key)?;
        Some(self.directory.join(text))
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.reader.report(Diagnostic::error(code, span, message));
    }

    fn agent_link(&mut self, node: &Node) -> Option<AgentLink> {
        let text = self.reader.string(node, "agent_link")?;
        match text.as_str() {
            "console" => Some(AgentLink::Console),
            "tcp" => Some(AgentLink::Tcp),
            _ => {
                let message = format!("`{text}` is no link to an agent; there are `console` and `tcp`");
                self.error(Code::InvalidAgentLink, node.span, message);
                None
            }
        }
    }

    fn ip_address(&mut self, node: &Node) -> Option<IpAddr> {
        let text = self.reader.string(node, "address")?;
        let address = text.parse().ok();
        if address.is_none() {
            self.error(Code::InvalidAddress, node.span, format!("`{text}` is not an IP address"));
        }
        address
    }

    fn network(&mut self, node: &Node) -> Option<VirtualNetwork> {
        let text = self.reader.string(node, "address")?;
        let network = text.split_once('/').and_then(|(address, prefix)| {
            let prefix = prefix.parse().ok().filter(|prefix| (8..=30).contains(prefix))?;
            Some(VirtualNetwork { address: address.parse::<Ipv4Addr>().ok()?, prefix })
        });
        if network.is_none() {
            let message = format!("`{text}` is not an address with a prefix such as `10.77.0.1/24`");
            self.error(Code::InvalidAddress, node.span, message);
        }
        network
    }

    fn mirrors(&mut self, node: &Node) -> Vec<Rule> {
        let Value::Sequence(items) = &node.value else {
            let problem = self.reader.wrong_type(node, "mirror", "a list");
            self.reader.report(problem.with_help("write `[[mirror]]`"));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.mirror(item)).collect()
    }

    fn mirror(&mut self, node: &Node) -> Option<Rule> {
        let fields = self.reader.fields(node, "mirror")?;
        let from = fields.require(&mut self.reader, "from");
        let from = from.and_then(|node| self.reader.non_empty(node, "from"));
        let to = fields.require(&mut self.reader, "to");
        let to = to.and_then(|node| self.reader.non_empty(node, "to"));
        fields.finish(&mut self.reader);
        let (from, mut to) = (from?, to?);
        if !to.contains("://") {
            to = self.directory.join(to).display().to_string();
        }
        if from.ends_with('/') && !to.ends_with('/') {
            to.push('/');
        }
        Some(Rule { from, to })
    }

    fn boards(&mut self, node: &Node, network: VirtualNetwork) -> Vec<Arc<Board>> {
        let Some(fields) = self.reader.fields(node, "boards") else { return Vec::new() };
        let mut boards: Vec<(Arc<Board>, Span)> = Vec::new();
        for (name, node) in fields.rest() {
            let span = fields.key_span(name).unwrap_or(fields.span);
            let Some(board) = self.board(name, node, span, network) else { continue };
            for (other, other_span) in &boards {
                self.check_distinct(&board, span, other, *other_span);
            }
            boards.push((Arc::new(board), span));
        }
        if fields.rest().next().is_none() {
            self.error(Code::NoBoards, fields.span, "the bench has no boards");
        }
        boards.into_iter().map(|(board, _)| board).collect()
    }

    /// Two boards on one console or address would disturb each other.
    fn check_distinct(&mut self, board: &Board, span: Span, other: &Board, other_span: Span) {
        let shares_console =
            board.console == other.console && matches!(board.console, ConsoleTarget::Line(_));
        let shares_address = board.address.is_some() && board.address == other.address;
        for (shared, what) in [(shares_console, "console"), (shares_address, "address")] {
            if shared {
                let message = format!("boards `{}` and `{}` have the same `{what}`", other.name, board.name);
                let problem = Diagnostic::error(Code::DuplicateBoard, span, message);
                self.reader.report(problem.with_label(other_span, "the other board"));
            }
        }
    }

    fn board(&mut self, name: &str, node: &Node, span: Span, network: VirtualNetwork) -> Option<Board> {
        let fields = self.reader.fields(node, name)?;
        let board_type = fields.require(&mut self.reader, "type");
        let board_type = board_type.and_then(|node| self.board_type(node));
        let console_node = fields.require(&mut self.reader, "console");
        let baud = fields.get("baud").and_then(|node| board_type::baud(&mut self.reader, node));
        let default_baud = board_type.as_ref().map_or(115_200, |board_type| board_type.console.baud);
        let is_virtual = console_node.is_some_and(|node| node.value == Value::Text("qemu".to_owned()));
        let console = console_node.and_then(|node| self.console(&fields, node, baud.unwrap_or(default_baud)));
        let address = fields.get("address").and_then(|node| self.ip_address(node));
        if is_virtual {
            self.check_virtual_address(&fields, address, network);
        }
        let agent_link = fields.get("agent_link").and_then(|node| self.agent_link(node));
        let device_types = fields.get("device_types");
        let device_types = device_types.map(|node| self.reader.strings(node, "device_types"));
        let ssh_port = fields.get("ssh_port");
        let ssh_port = ssh_port.and_then(|node| self.reader.integer(node, "ssh_port", 1, 65535));
        let linux_device = fields.get("linux_console");
        let linux_device = linux_device.and_then(|node| self.reader.non_empty(node, "linux_console"));
        let power = fields.get("power").and_then(|node| self.power(name, node, is_virtual));
        let u_boot_test = self.u_boot_test(&fields, is_virtual);
        let rootfs_budget = self.table(&fields, "rootfs", Self::rootfs_budget).unwrap_or(self.rootfs_budget);
        let info = self.table(&fields, "info", |file, table| Some(file.info(table))).unwrap_or_default();
        let tags = fields.get("tags").map(|node| self.reader.strings(node, "tags")).unwrap_or_default();
        let arch = fields.get("arch").and_then(|node| board_type::arch(&mut self.reader, node));
        let (consoles, ssh) = (self.consoles(&fields), self.ssh(&fields));
        let (commands, static_info) = (self.commands(&fields), self.static_info(&fields));
        let environment = fields.get("environment").map(|node| self.reader.variables(node, "environment"));
        let (uboot, linux) = (fields.get("uboot"), fields.get("linux"));
        fields.finish(&mut self.reader);
        let board_type = board_type?;
        let arch = arch.or(board_type.arch);
        if arch.is_none() {
            let message = format!("board `{name}` needs `arch`: its type does not say which agent it runs");
            self.error(Code::MissingKey, span, message);
        }
        let uboot = match uboot {
            Some(node) => Some(board_type::uboot(&mut self.reader, node, board_type.uboot.as_ref())?),
            None => board_type.uboot,
        };
        let linux = match linux {
            Some(node) => board_type::linux(&mut self.reader, node, Some(&board_type.linux))?,
            None => board_type.linux,
        };
        let mut linux_console = board_type.console;
        linux_console.baud = baud.unwrap_or(linux_console.baud);
        linux_console.device = linux_device.unwrap_or(linux_console.device);
        self.reader.check_name(name, span, "board");
        Some(Board {
            name: name.to_owned(),
            device_types: device_types.unwrap_or_else(|| vec![board_type.name.clone()]),
            board_type: board_type.name,
            tags,
            arch: arch?,
            console: console?,
            consoles,
            ssh,
            commands,
            static_info,
            linux_console,
            agent_link: agent_link.unwrap_or_default(),
            address,
            ssh_port: ssh_port.and_then(|port| u16::try_from(port).ok()).unwrap_or(22),
            u_boot_test,
            info,
            environment: environment.unwrap_or_default(),
            power,
            rootfs_budget,
            uboot,
            linux,
        })
    }

    fn check_virtual_address(
        &mut self,
        fields: &Fields<'_>,
        address: Option<IpAddr>,
        network: VirtualNetwork,
    ) {
        let span = fields.key_span("address");
        let (address, span) = match (address, span) {
            (Some(address), Some(span)) => (address, span),
            (None, None) => {
                let message = format!("virtual board `{}` needs `address`", fields.what);
                return self.error(Code::MissingKey, fields.span, message);
            }
            _ => return,
        };
        let fits = matches!(address, IpAddr::V4(v4) if network.contains(v4) && v4 != network.address);
        if !fits {
            let VirtualNetwork { address: own, prefix } = network;
            let message = format!("`{address}` is not free in the virtual boards' network {own}/{prefix}");
            self.error(Code::InvalidAddress, span, message);
        }
    }

    /// The board type of that name, or in that file; each is read once.
    fn board_type(&mut self, node: &Node) -> Option<BoardType> {
        let name = self.reader.non_empty(node, "type")?;
        if let Some((_, known)) = self.types.iter().find(|(known, _)| *known == name) {
            return known.as_ref().ok().cloned();
        }
        let board_type = self.find_board_type(node, &name);
        self.types.push((name, board_type.clone()));
        board_type.ok()
    }

    fn find_board_type(&mut self, node: &Node, name: &str) -> Result<BoardType, Option<Diagnostics>> {
        let source = if name.ends_with(".toml") {
            Source::read(&self.directory.join(name)).map_err(|error| {
                let message = crate::fault::Chain(&error).to_string();
                self.error(Code::UnreadableBoardType, node.span, message);
            })
        } else {
            BoardType::built_in(name).ok_or_else(|| {
                let names: Vec<_> = BoardType::built_in_names().collect();
                let help = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| {
                    format!("it is one of `{}`, or a path ending in `.toml`", names.join("`, `"))
                });
                let message = format!("there is no board type `{name}`");
                let problem = Diagnostic::error(Code::UnknownBoardType, node.span, message);
                self.reader.report(problem.with_help(help));
            })
        };
        let source = source.map_err(|()| None)?;
        BoardType::parse(&source).map_err(Some)
    }

    /// A program and its arguments.
    fn command(&mut self, node: &Node, what: &str) -> Option<Vec<String>> {
        if !matches!(node.value, Value::Sequence(_)) {
            let problem = self.reader.wrong_type(node, what, "a list of a program and its arguments");
            self.reader.report(problem);
            return None;
        }
        let words = self.reader.strings(node, what);
        if words.first().is_none_or(String::is_empty) {
            self.error(Code::EmptyValue, node.span, format!("`{what}` names no program"));
            return None;
        }
        Some(words)
    }
}
