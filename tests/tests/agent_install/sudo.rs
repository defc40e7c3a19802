//! A log-in without root's rights on a board, and what `sudo -n` says there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::fixture::{Fixture, listing, script};
use crate::ssh::{Board, busybox};

/// What the real one says without a terminal.
const REFUSAL: &str = "sudo: a password is required";

/// What to do about it.
const HELP: &str = "log in as root, or let `sudo` be used there without a password";

/// A board whose user may not write where an agent belongs, with a stand-in for `sudo` that asks nothing.
fn board(sudo: impl Fn(&Fixture) -> String) -> Board {
    let board = Board::of_user(|fixture| {
        fs::create_dir(fixture.path("stand-ins")).unwrap();
        let asks_nothing = "[ \"$1\" = -n ] || { echo 'sudo: a terminal is required' >&2; exit 1; }\nshift";
        script(&fixture.path("stand-ins/sudo"), &format!("{asks_nothing}\n{}", sudo(fixture)));
        format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", fixture.path("stand-ins").display())
    });
    close(&board);
    board
}

fn close(board: &Board) {
    for closed in ["usr/lib", "usr/bin"] {
        fs::set_permissions(board.fixture.root().join(closed), Permissions::from_mode(0o555)).unwrap();
    }
}

/// Makes sure that neither installing nor looking changes anything, and that the refusal says `said`.
fn assert_refusal(board: &Board, said: &[&str]) {
    let (root, before) = (board.root(), listing(&board.fixture.root()));
    let target = ["ssh:board", "--root", &root];
    board.run(&[&["status"][..], &target].concat()).assert(1, &["no agent is installed"]);
    let ended = board.run(&[&["install", "--agents", "agents"][..], &target].concat());
    ended.assert(3, &[said, &[HELP]].concat());
    assert_eq!(listing(&board.fixture.root()), before);
}

#[test]
fn an_agent_lives_on_a_board_with_a_sudo_that_permits_all() {
    // Root's rights, as far as they are needed: the directories can be written as long as `sudo` runs.
    let board = board(|fixture| {
        let places =
            ["lib", "bin"].map(|name| format!("'{}'", fixture.root().join("usr").join(name).display()));
        let places = places.join(" ");
        format!("chmod u+w {places}\n\"$@\"\ncode=$?\nchmod u-w {places}\nexit $code")
    });
    board.assert_life("ssh:board");
}

#[test]
fn a_sudo_that_wants_a_password_is_told_with_what_to_do() {
    let board = board(|_| format!("echo '{REFUSAL}' >&2\nexit 1"));
    assert_refusal(&board, &[REFUSAL, "Permission denied"]);
}

#[test]
fn a_sudo_that_permits_another_program_only_is_told_with_what_to_do() {
    let board = board(|_| format!("[ \"$1\" = true ] && exit 0\necho '{REFUSAL}' >&2\nexit 1"));
    assert_refusal(&board, &[REFUSAL, "Permission denied"]);
}

#[test]
fn a_board_without_sudo_is_told_with_what_to_do() {
    let board = Board::of_user(busybox);
    close(&board);
    assert_refusal(&board, &["Permission denied"]);
}
