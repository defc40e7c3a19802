//! The path to the agent: NFS root to shell prompt to program on the tty and back.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use clap::Parser as _;

use super::nfs::testing;
use super::uart::Uart;
use super::{Line, Options, kernel, shell};

/// Reads until `text` came, and returns all that came.
fn expect(runner: &mut TcpStream, text: &str) -> String {
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains(text) {
        let mut byte = [0];
        assert_eq!(runner.read(&mut byte).unwrap(), 1, "no {text:?} in {:?}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_program_of_the_nfs_root_runs_on_the_boards_own_tty() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut runner = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let board = thread::spawn(move || -> io::Result<()> {
        let options = Options::parse_from(["fake-board"]);
        let mut uart = Uart::connect(Line::connection(listener.accept()?.0)?)?;
        let port = testing::serve();
        let bootargs = format!("root=/dev/nfs nfsroot=127.0.0.1:/123,tcp,port={port},mountport={port}");
        let kernel::Outcome::Mounted(rootfs) = kernel::boot(&mut uart, &options, &bootargs)? else {
            return Err(io::Error::other("no root"));
        };
        shell::run(&mut uart, &options, &rootfs)?;
        uart.disconnect();
        Ok(())
    });

    expect(&mut runner, "root@debian:~# ");
    runner.write_all(b"/lava-7/bin/lava-wait console; echo \"<status:$?>\"\n").unwrap();
    let said = expect(&mut runner, "lava-7/bin\r\n");
    assert!(said.contains("agent console in "), "{said}");
    runner.write_all(b"hello\n").unwrap();
    let said = expect(&mut runner, "root@debian:~# ");
    assert!(said.contains("got hello\r\n<status:3>\r\n"), "{said}");
    runner.write_all(b"poweroff\n").unwrap();
    expect(&mut runner, "reboot: Power down");
    board.join().unwrap().unwrap();
    assert_eq!(runner.read_to_end(&mut Vec::new()).unwrap(), "\r\n".len());
}
