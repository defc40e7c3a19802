//! U-Boot's network, and a file that it fetches from this PC by TFTP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use regex::Regex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::line::Line;
use super::{Place, Stopped};
use crate::board::{Board, UbootSettings};
use crate::dialog::{Start, UbootError};
use crate::doctor::finding::{BENCH, Check, Finding, Findings};
use crate::fault::{Chain, Class};
use crate::job::Context;
use crate::limit::Limit;
use crate::net::Net;
use crate::plan::{BootValues, LoaderCommands, loader_settings, substitute};
use crate::run::{TFTP_PORT, udp_sockets};
use crate::tftp::{self, Refusal, TftpEvent, TftpEventKind};

/// Size of the test file in bytes: many blocks, and less than a second on the slowest network.
const SIZE: u32 = 64 << 10;
/// What the file is called.
const FILE: &str = "doctor/test-file";
/// How long U-Boot's network may take, as on a switch that thinks for half a minute before it forwards.
const NETWORK_LIMIT: Duration = Duration::from_secs(90);
/// How long U-Boot may try to fetch the file.
const TRANSFER_LIMIT: Duration = Duration::from_secs(60);
/// How long a command may take that only prints.
const PRINT_LIMIT: Duration = Duration::from_secs(10);

static TRANSFERRED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"Bytes transferred = (\d+)").expect("a constant pattern is valid"));
static CHECKSUM: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"==> ([0-9a-fA-F]{8})").expect("a constant pattern is valid"));
static OWN_ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"ipaddr=(\S+)").expect("a constant pattern is valid"));

/// The commands of a job, as far as to the kernel; the test file stands for it.
struct Commands {
    network: Vec<String>,
    fetch: String,
    /// Where the file is loaded.
    address: String,
}

/// What the server saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// A request of an address that nothing is served to.
    Stranger(IpAddr),
    /// A request of the board.
    Request,
}

/// Brings U-Boot's network up as a job does, and has it fetch a file.
pub(super) async fn check(
    line: &mut Line<'_>,
    place: &Place,
    start: Start,
    findings: &mut Findings<'_>,
) -> Result<(), Stopped> {
    let board = line.board;
    let (Some(address), Some(peer)) = (place.address, board.address) else {
        let text = "not tried: the bench file lacks `[network] address` or the board's `address`";
        findings.add(Finding::unknown(Check::UbootNetwork, &board.name, text));
        return Ok(());
    };
    let Some(commands) = board.uboot.as_ref().and_then(|uboot| commands(board, uboot, address)) else {
        let text = "not tried: no list of commands of the board's type loads `{KERNEL}`";
        findings.add(Finding::unknown(Check::UbootNetwork, &board.name, text));
        return Ok(());
    };
    let limit = Limit::new(NETWORK_LIMIT, "a fixed limit of this check");
    if let Err(error) = line.talk(commands.network.clone(), start, limit).await {
        if error.uboot().is_none() {
            return Err(line.broken(&error, findings));
        }
        let finding = Finding::fault(Check::UbootNetwork, &board.name, Class::Infrastructure, Chain(&error));
        findings.add(finding.with_help(
            "is the board's network cable plugged in, and does a DHCP server answer in its network?",
        ));
        return Err(Stopped);
    }
    findings.add(own_address(line, start, peer).await);
    let fetched = fetch(line, place, address, peer, &commands, findings).await;
    // U-Boot's own `nfs` (net/nfs.c) speaks UDP alone, and so do its questions to the port mapper.
    let text =
        "whether the board gets to NFS cannot be tried before its kernel runs: U-Boot has no NFS over TCP";
    findings.add(Finding::unknown(Check::BoardNfs, &board.name, text));
    fetched
}

/// The commands of the list that jobs use most, with the values of this bench.
fn commands(board: &Board, uboot: &UbootSettings, server: IpAddr) -> Option<Commands> {
    let loads = |list: &&Vec<String>| list.iter().any(|command| command.contains("{KERNEL}"));
    let named = ["nfs", "ramdisk"].into_iter().filter_map(|name| uboot.commands.get(name));
    let list = named.chain(uboot.commands.values()).find(loads)?;
    let until = list.iter().position(|command| command.contains("{KERNEL}"))?;
    let image = *uboot.images.first()?;
    let settings = loader_settings(board, uboot, image, &Context::default());
    let address = settings.kernel_addr.clone();
    let commands = list.iter().take(until + 1).cloned().collect();
    let values = BootValues {
        server_ip: Some(server),
        board_ip: board.address,
        mac: board.info.mac.as_deref(),
        job_id: "doctor",
        kernel: Some(FILE),
        ..BootValues::default()
    };
    let mut network = substitute(&LoaderCommands { commands, image, settings }, &values);
    let fetch = network.pop()?;
    Some(Commands { network, fetch, address })
}

/// Whether U-Boot has the address that the bench file gives it.
async fn own_address(line: &mut Line<'_>, start: Start, expected: IpAddr) -> Finding {
    let name = &line.board.name;
    line.heard.forget();
    let limit = Limit::new(PRINT_LIMIT, "a fixed limit of this check");
    let printed = line.talk(vec!["printenv ipaddr".to_owned()], start, limit).await;
    let text = line.heard.text();
    // The last one: the command is echoed before.
    let own = OWN_ADDRESS.captures_iter(&text).last().and_then(|found| found.get(1)?.as_str().parse().ok());
    match own {
        Some(own) if own == expected => {
            Finding::ok(Check::UbootNetwork, name, format!("U-Boot has {expected}"))
        }
        Some(own) => {
            let own: IpAddr = own;
            let text =
                format!("U-Boot has {own}, and the bench file says {expected}: nothing is served to {own}");
            Finding::fault(Check::UbootNetwork, name, Class::Bench, text).with_help(format!(
                "set `address` in `[boards.{name}]`, and have the DHCP server always give the board that one"
            ))
        }
        None => {
            let why = printed.err().map(|error| format!(": {}", Chain(&error))).unwrap_or_default();
            Finding::unknown(Check::UbootNetwork, name, format!("up; U-Boot does not tell its address{why}"))
        }
    }
}

/// Serves the test file, has U-Boot fetch it, and looks at what has arrived.
async fn fetch(
    line: &mut Line<'_>,
    place: &Place,
    address: IpAddr,
    peer: IpAddr,
    commands: &Commands,
    findings: &mut Findings<'_>,
) -> Result<(), Stopped> {
    let name = &line.board.name;
    if matches!(place.net, Net::Host) && findings.has_fault(Check::TftpPort, BENCH) {
        findings.add(Finding::unknown(Check::Tftp, name, "not tried, because of the TFTP port"));
        return Ok(());
    }
    let content = test_file();
    let table = tftp::Table::new();
    let at = SocketAddr::new(address, TFTP_PORT);
    // A run may serve other boards at the same port; a board with another address than is expected is heard all the same.
    let peers = [peer];
    let peers = matches!(place.net, Net::Host).then_some(peers.as_slice());
    let servers = udp_sockets(&place.net, at, peers).await.and_then(|sockets| {
        let servers = sockets
            .into_iter()
            .map(|socket| tftp::Server::on(place.net.clone(), socket, address, Arc::clone(&table)));
        servers.collect::<io::Result<Vec<_>>>()
    });
    let servers = match servers {
        Ok(servers) => servers,
        Err(error) => {
            let text = format!("not tried: {at} cannot be bound: {error}");
            findings.add(Finding::fault(Check::Tftp, name, Class::Infrastructure, text));
            return Err(Stopped);
        }
    };
    let _served = table.add(peer, FILE, tftp::Source::Bytes(content.as_slice().into()));
    let seen = Arc::new(Mutex::new(Seen::Nothing));
    let stop = CancellationToken::new();
    let stop_at_end = stop.clone().drop_guard();
    let runs = servers.into_iter().map(|server| server.run(watcher(&seen), stop.clone()));
    let serving: JoinSet<_> = runs.collect();
    line.heard.forget();
    let limit = Limit::new(TRANSFER_LIMIT, "a fixed limit of this check");
    let fetched = line.talk(vec![commands.fetch.clone()], Start::Prompt, limit).await;
    drop(stop_at_end);
    // What a server could not do the board has told.
    serving.join_all().await;
    let seen = *seen.lock().unwrap_or_else(PoisonError::into_inner);
    match fetched {
        // U-Boot came to its prompt without an error: whatever that was, it was no transfer.
        Ok(()) if seen != Seen::Request => {
            let text = "U-Boot says that it has the file, but no request has reached this PC";
            let finding = Finding::fault(Check::Tftp, name, Class::Infrastructure, text);
            findings.add(finding.with_help(help(seen, address, peer)));
        }
        Ok(()) => findings.add(content_finding(line, &content, &commands.address).await),
        Err(error) if error.uboot().is_none() => return Err(line.broken(&error, findings)),
        Err(error) => {
            let finding = Finding::fault(Check::Tftp, name, Class::Infrastructure, Chain(&error));
            findings.add(finding.with_help(help(seen, address, peer)));
        }
    }
    Ok(())
}

/// Notes the most telling of what happens at the server.
fn watcher(seen: &Arc<Mutex<Seen>>) -> impl Fn(TftpEvent) + Send + Sync + 'static {
    let seen = Arc::clone(seen);
    move |event: TftpEvent| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event.kind {
            TftpEventKind::Refused(Refusal::UnknownPeer) if *seen == Seen::Nothing => {
                *seen = Seen::Stranger(event.peer.ip());
            }
            TftpEventKind::Refused(Refusal::UnknownPeer) => {}
            _ => *seen = Seen::Request,
        }
    }
}

/// What to do about a file that does not arrive.
fn help(seen: Seen, server: IpAddr, board: IpAddr) -> String {
    match seen {
        Seen::Nothing => format!(
            "no request has reached {server}: does a firewall of this PC drop UDP port {TFTP_PORT} (`sudo nft list \
             ruleset`), do both cables lead to the same network, does U-Boot use the right network interface (`ethact`)?"
        ),
        Seen::Stranger(peer) => {
            format!("{peer} has asked, and the bench file says that the board is {board}: set its `address`")
        }
        Seen::Request => format!(
            "the request has reached {server}, but the file did not get through: a firewall that drops the board's answers \
             to other UDP ports than {TFTP_PORT}, a bad cable, or a `tftpblocksize` that the network does not carry"
        ),
    }
}

/// Whether what U-Boot has loaded is what was served.
async fn content_finding(line: &mut Line<'_>, content: &[u8], address: &str) -> Finding {
    let name = &line.board.name;
    let fault = |text: String| {
        Finding::fault(Check::Tftp, name, Class::Infrastructure, text).with_help(
            "something on the way changes what it carries: try another switch, cable or network interface",
        )
    };
    let number = |found: regex::Captures<'_>, radix| u32::from_str_radix(found.get(1)?.as_str(), radix).ok();
    let size = TRANSFERRED.captures(&line.heard.text()).and_then(|found| number(found, 10));
    if let Some(size) = size.filter(|size| *size != SIZE) {
        return fault(format!("{size} of {SIZE} bytes arrived"));
    }
    line.heard.forget();
    let limit = Limit::new(PRINT_LIMIT, "a fixed limit of this check");
    let printed = line.talk(vec![format!("crc32 {address} {SIZE:x}")], Start::Prompt, limit).await;
    let found = CHECKSUM.captures(&line.heard.text()).and_then(|found| number(found, 16));
    let expected = crc32fast::hash(content);
    match (found, printed) {
        (Some(found), _) if found == expected => Finding::ok(
            Check::Tftp,
            name,
            format!("a file of {SIZE} bytes arrived whole (CRC-32 {found:08x})"),
        ),
        (Some(found), _) => {
            fault(format!("the file arrived damaged: CRC-32 {found:08x}, not {expected:08x}"))
        }
        (None, Err(error)) if !is_unknown_command(error.uboot()) => {
            Finding::fault(Check::Tftp, name, Class::Infrastructure, Chain(&error))
        }
        (None, printed) => {
            let why = match printed {
                Err(_) => "this U-Boot has no `crc32`",
                Ok(()) => "its `crc32` prints no checksum that is understood",
            };
            let size = size.map_or_else(|| "a file".to_owned(), |size| format!("a file of {size} bytes"));
            Finding::unknown(
                Check::Tftp,
                name,
                format!("{size} arrived; whether it arrived whole cannot be told: {why}"),
            )
        }
    }
}

fn is_unknown_command(error: Option<&UbootError>) -> bool {
    matches!(error, Some(UbootError::Command { line, .. }) if line.contains("Unknown command"))
}

/// Bytes without a pattern: what is lost or doubled on the way changes the checksum.
fn test_file() -> Vec<u8> {
    // Each word by a multiplicative hash of its number (Knuth, The Art of Computer Programming 3, 6.4).
    (0..SIZE / 4).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_depends_on_what_the_server_has_seen() {
        let (server, board) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        assert!(help(Seen::Nothing, server, board).contains("no request has reached 10.0.0.1"));
        let stranger = help(Seen::Stranger("10.0.0.9".parse().unwrap()), server, board);
        assert!(stranger.starts_with("10.0.0.9 has asked"), "{stranger}");
        assert!(help(Seen::Request, server, board).contains("did not get through"));
    }

    #[test]
    fn the_test_file_has_its_size() {
        assert_eq!(test_file().len(), SIZE as usize);
    }
}
