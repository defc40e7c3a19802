//! Consoles that are programs or network ports: how they work and how they fail.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use testbench::fake_board::{Line, on_line};
use testbench::harness::{Job, Testbench, fake_board};

use crate::evidence::{Expected, assert_power_cycled, assert_power_untouched, assert_refused};

/// Telnet (RFC 854, RFC 856, RFC 857, RFC 858).
const IAC: u8 = 255;
const DO: u8 = 253;
const WILL: u8 = 251;
const SUBNEGOTIATION: u8 = 250;
const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;

/// A board behind a network port, as ser2net offers it; `line` makes it of the first connection.
fn port_server(
    scheme: &str,
    line: impl FnOnce(TcpStream) -> io::Result<Line> + Send + 'static,
) -> (Testbench, JoinHandle<io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let bench = Testbench::new().console(&format!("\"{scheme}://{}\"", listener.local_addr().unwrap()));
    let options = bench.options();
    let board = thread::spawn(move || on_line(&options, line(listener.accept()?.0)?));
    (bench, board)
}

#[test]
fn a_tcp_port_serves_as_console() {
    let (bench, board) = port_server("tcp", Line::connection);
    let run = bench.run(&Job::new());
    assert_eq!(run.code, Some(0), "{run}");
    assert_power_cycled(&run);
    board.join().unwrap().unwrap();
}

#[test]
fn a_telnet_port_serves_as_console() {
    let (bench, board) = port_server("telnet", |stream| {
        let mut output = TelnetOutput(stream.try_clone()?);
        let offer = [(WILL, ECHO), (WILL, SUPPRESS_GO_AHEAD), (WILL, BINARY), (DO, BINARY)];
        output.0.write_all(&offer.map(|(verb, option)| [IAC, verb, option]).concat())?;
        Ok(Line { input: Box::new(TelnetInput { stream, skip: Skip::Nothing }), output: Box::new(output) })
    });
    let run = bench.run(&Job::new());
    assert_eq!(run.code, Some(0), "{run}");
    assert_power_cycled(&run);
    board.join().unwrap().unwrap();
}

#[test]
fn a_tcp_port_that_nobody_serves_is_named() {
    let bench = Testbench::new();
    let address = format!("{}:2000", bench.addresses().board);
    let run = bench.console(&format!("\"tcp://{address}\"")).run(&Job::new());
    let said = [address.as_str(), "refused"];
    Expected { class: "infrastructure", phase: "boot-u-boot", said: &said }.assert(&run);
    assert!(run.stdout.contains("help: look at the console server: is its program running"), "{run}");
    assert_power_untouched(&run);
}

#[test]
fn a_tcp_port_that_hangs_up_in_mid_boot_is_told_with_the_boards_last_words() {
    let (bench, board) = port_server("tcp", |stream| {
        Ok(Line { input: Box::new(stream.try_clone()?), output: Box::new(HangUpAt { stream, left: 200 }) })
    });
    let run = bench.run(&Job::new());
    let said = ["the console was closed by the other side", "the board last said:", "U-Boot SPL 2023.01"];
    Expected { class: "infrastructure", phase: "boot-u-boot", said: &said }.assert(&run);
    assert_power_cycled(&run);
    board.join().unwrap().unwrap();
}

#[test]
fn a_console_program_that_ends_in_the_kernel_log_is_told_with_the_boards_last_words() {
    let run = Testbench::new().fault("hang-up").run(&Job::new());
    let said = ["the console command `", "ended", "the board last said:", "Linux version 6.1.0-fake"];
    Expected { class: "infrastructure", phase: "boot-u-boot", said: &said }.assert(&run);
    assert_power_cycled(&run);
}

#[test]
fn a_console_program_that_dies_is_told_with_its_own_last_words() {
    let bench =
        Testbench::new().console(r#"["sh", "-c", "echo U-Boot SPL; echo adapter on fire >&2; exit 7"]"#);
    let run = bench.run(&Job::new());
    let said = ["exit status: 7", "adapter on fire", "the board last said:", "U-Boot SPL"];
    Expected { class: "infrastructure", phase: "boot-u-boot", said: &said }.assert(&run);
    assert_power_cycled(&run);
}

#[test]
fn a_console_program_that_is_not_installed_is_named() {
    let run = Testbench::new().console(r#"["no-such-console", "/dev/ttyUSB0"]"#).run(&Job::new());
    let said = ["board `fake1`", "`no-such-console` is not there", "it is the console", "install it"];
    assert_refused(&run, "bench", &said);
}

#[test]
fn a_console_program_that_is_killed_under_the_agent_keeps_the_results_so_far() {
    let bench = Testbench::new();
    let program = fake_board().display().to_string();
    // The shell's own id is the board's, for it becomes the board.
    let board = bench.path().join("board.pid");
    let options = bench.fake_board_options().join(" ");
    let script = format!("echo $$ > {}; exec {program} {options}", board.display());
    let bench = bench.console(&format!("[\"sh\", \"-c\", {script:?}]"));
    let steps =
        ["lava-test-case before --result pass", &format!("kill -9 $(cat {})", board.display()), "sleep 60"];
    let job = Job::new().definitions(&[testbench::harness::Definition::new("deadly", &steps)]);
    let run = bench.run(&job);
    let said = ["the agent's connection", "the console command `sh", "last frame"];
    Expected { class: "infrastructure", phase: "test-0", said: &said }.assert(&run);
    assert_power_cycled(&run);
    let results = run.results();
    let tests = results["nodes"][0]["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 1, "{run}");
    assert_eq!((tests[0]["case"].as_str(), tests[0]["result"].as_str()), (Some("before"), Some("pass")));
    let definition = &results["nodes"][0]["definitions"][0];
    assert_eq!(definition["outcome"], "error", "{run}");
    assert!(definition["reason"].as_str().unwrap().contains("the agent's connection"), "{run}");
    assert!(run.file("junit.xml").contains("before"), "{run}");
}

/// A connection that is cut after so many bytes.
struct HangUpAt {
    stream: TcpStream,
    left: usize,
}

impl Write for HangUpAt {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.left);
        self.stream.write_all(&bytes[..count])?;
        self.left -= count;
        if self.left == 0 {
            self.stream.shutdown(std::net::Shutdown::Both)?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The board's output in telnet: 255 is doubled.
struct TelnetOutput(TcpStream);

impl Write for TelnetOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            let escaped: &[u8] = if *byte == IAC { &[IAC, IAC] } else { std::slice::from_ref(byte) };
            self.0.write_all(escaped)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for TelnetOutput {
    fn drop(&mut self) {
        // Closed by the other side already is as good.
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

/// What the runner types, without its telnet commands. All that it can ask for was offered.
struct TelnetInput {
    stream: TcpStream,
    skip: Skip,
}

#[derive(Clone, Copy)]
enum Skip {
    Nothing,
    Command,
    Option,
}

impl Read for TelnetInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut byte = [0];
        loop {
            if self.stream.read(&mut byte)? == 0 {
                return Ok(0);
            }
            let (data, skip) = match (self.skip, byte[0]) {
                (Skip::Nothing, IAC) => (false, Skip::Command),
                (Skip::Nothing, _) => (true, Skip::Nothing),
                (Skip::Command, IAC) => (true, Skip::Nothing),
                (Skip::Command, SUBNEGOTIATION) => {
                    return Err(io::Error::other("a subnegotiation that nobody asked for"));
                }
                (Skip::Command, _) => (false, Skip::Option),
                (Skip::Option, _) => (false, Skip::Nothing),
            };
            self.skip = skip;
            if data {
                buffer[0] = byte[0];
                return Ok(1);
            }
        }
    }
}
