//! `NetworkService` and `SSHDriver`: the address of a board, and how SSH reaches one that is up by itself.

use std::net::IpAddr;

use super::board::Board;
use crate::diagnostic::Code;
use crate::import::keys::Item;
use crate::import::ssh::SshLogin;

/// Reads the address and the port, and how to log in if the board is up by itself.
pub(super) fn read(board: &mut Board<'_, '_>) {
    let Some(service) = board.parts.first("NetworkService") else {
        if board.is_up_by_itself {
            let message = format!("nothing says where SSH reaches `{}`", board.name);
            let help = "labgrid has it in a `NetworkService` with an `address`";
            board.findings.error(Code::ImportNoBoard, board.span, message, help);
        }
        return;
    };
    let host = board.text(&service, "address").map(|(address, item)| {
        read_address(board, &address, &item);
        (address, item.origin())
    });
    let port = board.parts.take(&service, "port").and_then(|item| read_port(board, &item));
    let user = board.parts.take(&service, "username");
    if !board.is_up_by_itself {
        if let Some(user) = user.filter(|user| user.text().as_deref() != Some("root")) {
            board.findings.leave(&user, "the runner logs in as root");
        }
        return;
    }
    let driver = board.parts.first("SSHDriver");
    let key = driver.and_then(|driver| board.text(&driver, "keyfile"));
    let (Some(host), Some((key, item))) = (host, key) else {
        let message = format!("nothing says how SSH logs in to `{}`", board.name);
        let help = "labgrid has it in `address` of `NetworkService` and `keyfile` of `SSHDriver`; the runner has no password";
        return board.findings.error(Code::ImportNoBoard, service.item.span, message, help);
    };
    let user = user.and_then(|user| Some((user.non_empty()?, user.origin())));
    let (span, identity_file) = (service.item.span, (key, item.origin()));
    let login = SshLogin { host, span, port, user, identity_file };
    login.write(&board.name, &mut board.draft, board.findings);
}

fn read_address(board: &mut Board<'_, '_>, address: &str, item: &Item<'_>) {
    if address.parse::<IpAddr>().is_ok() {
        let comment = format!("{}: must always be the same, TFTP and NFS answer nobody else", item.origin());
        board.set(&["address"], address, &comment);
    } else if !board.is_up_by_itself {
        board.findings.leave(item, "`address` of the bench file is an IP address, not a name");
    }
}

/// The port, if it is not the usual one.
fn read_port(board: &mut Board<'_, '_>, item: &Item<'_>) -> Option<(u16, String)> {
    match item.number().and_then(|number| u16::try_from(number).ok()).filter(|number| *number != 0) {
        Some(22) => None,
        Some(number) => {
            board.set(&["ssh_port"], i64::from(number), &item.origin());
            Some((number, item.origin()))
        }
        None => {
            board.findings.leave(item, "it is no port");
            None
        }
    }
}
