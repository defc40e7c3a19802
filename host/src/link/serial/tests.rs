use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// The board's end of a serial line, with the adapter's stable name as a link to the other end.
struct Adapter {
    board: fs::File,
    link: PathBuf,
}

impl Adapter {
    fn plug_in(link: &Path) -> Self {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        // A new pseudo-terminal echoes, which no serial adapter does.
        let port = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut termios = tcgetattr(&port).unwrap();
        termios.make_raw();
        tcsetattr(&port, OptionalActions::Now, &termios).unwrap();
        symlink(name.to_str().unwrap(), link).unwrap();
        Self { board: master.into(), link: link.to_owned() }
    }

    fn unplug(self) {
        fs::remove_file(&self.link).unwrap();
    }
}

fn recorder() -> (Notice, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    (Arc::new(move |line: &str| sink.lock().unwrap().push(line.to_owned())), lines)
}

#[tokio::test]
async fn bytes_cross_a_serial_port_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyBOARD");
    let mut adapter = Adapter::plug_in(&path);
    let mut line = open(&path, 115_200, recorder().0).unwrap();

    let every_byte: Vec<u8> = (0..=255).collect();
    adapter.board.write_all(&every_byte).unwrap();
    let mut received = vec![0; 256];
    line.read_exact(&mut received).await.unwrap();
    assert_eq!(received, every_byte);

    line.write_all(&every_byte).await.unwrap();
    adapter.board.read_exact(&mut received).unwrap();
    assert_eq!(received, every_byte);
}

#[tokio::test]
async fn an_absent_port_says_what_to_check() {
    let error = open(Path::new("/dev/nonexistent-port"), 115_200, recorder().0).unwrap_err();
    assert!(matches!(&error, SerialError::Absent(_)));
    assert!(error.to_string().contains("is the adapter plugged in"), "{error}");
}

#[tokio::test]
async fn a_port_in_use_names_its_holder() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyBOARD");
    let _adapter = Adapter::plug_in(&path);
    let _first = open(&path, 115_200, recorder().0).unwrap();

    let error = open(&path, 115_200, recorder().0).unwrap_err();

    assert!(matches!(&error, SerialError::Busy { .. }));
    assert!(error.to_string().contains(&format!("(pid {})", std::process::id())), "{error}");
}

#[tokio::test]
async fn a_file_is_not_a_serial_port() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = open(file.path(), 115_200, recorder().0).unwrap_err();
    assert!(matches!(&error, SerialError::NoPort { what: "a file", .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unplugged_adapter_that_comes_back_is_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyBOARD");
    let adapter = Adapter::plug_in(&path);
    let (notice, notices) = recorder();
    let mut line = open(&path, 115_200, notice).unwrap();

    adapter.unplug();
    let back = {
        let path = path.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(20)).await;
            let mut adapter = Adapter::plug_in(&path);
            adapter.board.write_all(b"U-Boot").unwrap();
            adapter
        })
    };
    let mut banner = [0; 6];
    line.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"U-Boot");
    let mut adapter = back.await.unwrap();
    line.write_all(b"boot\r").await.unwrap();
    let mut typed = [0; 5];
    adapter.board.read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"boot\r");

    let notices = notices.lock().unwrap();
    assert!(notices[0].contains("was unplugged"), "{notices:?}");
    assert!(notices[1].contains("is back"), "{notices:?}");
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_stays_away_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyBOARD");
    let adapter = Adapter::plug_in(&path);
    let mut line = open(&path, 115_200, recorder().0).unwrap();

    adapter.unplug();
    let error = line.read_u8().await.unwrap_err();

    let gone = error.get_ref().unwrap().downcast_ref::<Gone>().unwrap();
    assert!(gone.waited >= REPLUG_LIMIT);
    assert!(matches!(gone.last, SerialError::Absent(_)));
    assert!(error.to_string().contains("is gone: unplugged 30 s ago"), "{error}");
}

#[tokio::test]
async fn a_line_that_changes_hands_stays_open_and_what_came_meanwhile_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyBOARD");
    let mut adapter = Adapter::plug_in(&path);
    let line = open(&path, 115_200, recorder().0).unwrap();
    let kept = Box::new(line).into_descriptor().unwrap();
    adapter.board.write_all(b"between the two").unwrap();
    let mut line = adopt(&path, 115_200, recorder().0, kept).unwrap();
    let mut received = [0; 15];
    line.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"between the two");
    let error = open(&path, 115_200, recorder().0).unwrap_err();
    assert!(matches!(&error, SerialError::Busy { .. }), "{error}");
    line.write_all(b"and back").await.unwrap();
    let mut sent = [0; 8];
    adapter.board.read_exact(&mut sent).unwrap();
    assert_eq!(&sent, b"and back");
}

#[tokio::test]
async fn another_port_in_the_place_of_the_one_that_was_kept_is_opened_instead() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyBOARD");
    let first = Adapter::plug_in(&path);
    let kept = Box::new(open(&path, 115_200, recorder().0).unwrap()).into_descriptor().unwrap();
    let link = first.link.clone();
    // The first one stays there: the second cannot get its number.
    fs::remove_file(&link).unwrap();
    let mut second = Adapter::plug_in(&link);
    let mut line = adopt(&path, 115_200, recorder().0, kept).unwrap();
    second.board.write_all(b"new").unwrap();
    let mut received = [0; 3];
    line.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"new");
}

#[tokio::test]
async fn modem_lines_keep_their_state_when_a_port_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyBOARD");
    let _adapter = Adapter::plug_in(&path);
    let port = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let mut settings = tcgetattr(&port).unwrap();
    settings.control_modes |= ControlModes::HUPCL;
    tcsetattr(&port, OptionalActions::Now, &settings).unwrap();
    drop(port);
    let line = open(&path, 115_200, recorder().0).unwrap();
    let State::Open(port) = &line.state else { panic!("it is open") };
    assert!(!tcgetattr(&port.kept).unwrap().control_modes.contains(ControlModes::HUPCL));
}
