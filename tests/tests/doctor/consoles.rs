//! Consoles, as far as no board is touched.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use testbench::fake_board::PtyPair;
use testbench::harness::Testbench;

use super::doctor;

#[test]
fn a_serial_port_that_is_not_there_is_found() {
    let found = doctor(&Testbench::new().console("\"/dev/serial/by-id/usb-none\""), &[]);
    found.assert_fault(
        "console",
        "infrastructure",
        &["/dev/serial/by-id/usb-none is not there", "plugged in"],
    );
    let bench = Testbench::new();
    let link = bench.path().join("ttyGONE");
    std::os::unix::fs::symlink("/dev/ttyNONE9", &link).expect("an own directory");
    let found = doctor(&bench.console(&format!("{:?}", link.display().to_string())), &[]);
    found.assert_fault("console", "infrastructure", &["ttyGONE leads to /dev/ttyNONE9, which is not there"]);
}

#[test]
fn a_console_that_is_a_file_is_found() {
    let bench = Testbench::new();
    let file = bench.write("ttyFILE", "");
    let found = doctor(&bench.console(&format!("{:?}", file.display().to_string())), &[]);
    found.assert_fault("console", "bench", &["is a file and no serial port"]);
}

#[test]
fn a_serial_port_that_another_program_has_is_found_with_the_program() {
    let bench = Testbench::new();
    let port = bench.path().join("ttyBUSY");
    let _pair = PtyPair::linked(&port).expect("a pseudo-terminal");
    let bench = bench.console(&format!("{:?}", port.display().to_string()));
    assert_eq!(doctor(&bench, &[]).bad(), []);
    let other = File::options().read(true).write(true).open(&port).expect("a pseudo-terminal");
    let held = format!("(pid {})", std::process::id());
    doctor(&bench, &[]).assert_fault(
        "console",
        "infrastructure",
        &["is held by ", &held, "first: one program at a time"],
    );
    drop(other);
}

#[test]
fn an_unusual_speed_is_a_warning() {
    let bench = Testbench::new();
    let port = bench.path().join("ttyODD");
    let _pair = PtyPair::linked(&port).expect("a pseudo-terminal");
    let bench = bench.console(&format!("{:?}", port.display().to_string())).board_line("baud = 115201");
    doctor(&bench, &[])
        .assert_warning("console", &["115201 baud", "an unusual speed", "`baud` in `[boards.fake1]`"]);
}

/// A console server's port, and a bench whose board is behind it.
fn console_server(scheme: &str) -> (TcpListener, Testbench) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, Testbench::new().console(&format!("\"{scheme}://127.0.0.1:{port}\"")))
}

#[test]
fn a_console_server_is_connected_to() {
    for scheme in ["tcp", "telnet"] {
        let (_listener, bench) = console_server(scheme);
        let found = doctor(&bench, &[]);
        assert_eq!((found.bad(), found.code), (Vec::new(), Some(0)), "{}", found.all);
        assert!(found.ok("console").starts_with(&format!("{scheme}://127.0.0.1:")), "{}", found.all);
        assert!(found.ok("console").ends_with(" takes a connection, and keeps it"), "{}", found.all);
    }
}

#[test]
fn a_console_server_that_refuses_is_found() {
    let (listener, bench) = console_server("tcp");
    drop(listener);
    let said = ["127.0.0.1:", "cannot be reached", "refused", "systemctl status ser2net"];
    doctor(&bench, &[]).assert_fault("console", "infrastructure", &said);
}

#[test]
fn a_console_server_that_another_program_uses_is_found_with_what_it_says() {
    let (listener, bench) = console_server("tcp");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.write_all(b"Port already in use\r\n").expect("a connection");
    });
    let said = ["closes the connection at once; it said: Port already in use", "another program"];
    doctor(&bench, &[]).assert_fault("console", "infrastructure", &said);
    server.join().expect("it has served");
}

#[test]
fn a_console_server_whose_name_has_no_address_is_found() {
    let found = doctor(&Testbench::new().console("\"tcp://no-such-host.invalid:2001\""), &[]);
    found.assert_fault("console", "bench", &["no-such-host.invalid cannot be resolved", "`[boards.fake1]`"]);
}
