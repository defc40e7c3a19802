//! `host-runner init`: the first bench file, from what is plugged in and what its user says.

mod answer;
mod ask;
mod power;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rustix::fs::{Access, access};

use self::ask::{agrees, ask};
use crate::board::{Bench, BoardType};
use crate::cli::args::seconds;
use crate::cli::doctor::examine;
use crate::cli::message::{Failure, note};
use crate::cli::runtime::block_on;
use crate::diagnostic::{Source, did_you_mean};
use crate::doctor::network_address;
use crate::fault::{Chain, Class, Fault};
use crate::init::{
    Adapter, BoardDraft, Draft, Ear, LOCAL_RULES, Listened, Places, listen, listen_in_network, udev_rule,
};
use crate::link::{SerialError, Target, check_serial, driver_of};

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner init                            asks what it cannot find out
  host-runner init --non-interactive          takes what it finds, and says what is left to fill in
  host-runner init --device /dev/ttyUSB0 --out lab/bench.toml
  host-runner init --device telnet://ser2net:2001

Reset or switch on the boards while it listens: then they say what they are. It types to a board only if you agree: the
Enter key, a space to stop U-Boot's countdown, and `printenv cpu board board_name` at its prompt. It ends with what
`host-runner doctor` says of the file, whose exit codes it has.";

/// What is written for a board that does not say what it is.
const USUAL_TYPE: &str = "u-boot-arm";
/// The speed of nearly all boards, in baud.
const USUAL_SPEED: u32 = 115_200;
/// `host-runner init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Asks nothing, types nothing
    #[arg(long)]
    non_interactive: bool,
    /// The bench file to write; it must not exist yet
    #[arg(long, value_name = "FILE", default_value = "bench.toml")]
    out: PathBuf,
    /// Serial ports to use, instead of all USB adapters, or consoles in the network: tcp://HOST:PORT, telnet://HOST:PORT
    #[arg(long, value_name = "DEVICE", value_parser = device)]
    device: Vec<PathBuf>,
    /// How long to listen to each port, at each speed
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds())]
    listen: Duration,
    /// Where sysfs is
    #[arg(long, value_name = "DIR", default_value = "/sys", hide = true)]
    sysfs: PathBuf,
    /// Where devices are
    #[arg(long, value_name = "DIR", default_value = "/dev", hide = true)]
    dev: PathBuf,
}

/// Reads the name of a serial port, or of a console in the network.
fn device(text: &str) -> Result<PathBuf, String> {
    match text.contains("://") && Target::in_network(text).is_none() {
        true => {
            Err("a console in the network is tcp://HOST:PORT or telnet://HOST:PORT, with a port up to 65535"
                .to_owned())
        }
        false => Ok(PathBuf::from(text)),
    }
}

/// Writes the bench file, and has the doctor look at it.
pub(super) fn init(args: &InitArgs) -> Result<Option<Class>, Failure> {
    if args.out.exists() {
        let text = "it is there already";
        return Err(Fault::new(Class::Usage, args.out.display().to_string(), text)
            .with_help("name another file with --out, or `host-runner doctor --bench FILE` to check this one")
            .into());
    }
    make_directory(directory(&args.out))?;
    let adapters = adapters(args)?;
    let mut draft = Draft { address: address(args)?, boards: Vec::new() };
    let mut rules = Vec::new();
    for adapter in &adapters {
        note(&format!("{}: {}", adapter.device.display(), adapter.describe()));
        let types = !args.non_interactive
            && agrees(
                "  May keys be typed there: Enter, and at U-Boot's prompt the question what it runs on?",
            )?;
        let listened = heard(args, adapter, types)?;
        let name = format!("board{}", draft.boards.len() + 1);
        let board = board(args, adapter, listened.as_ref(), name)?;
        rules.extend(udev_rule(adapter, &board.name));
        draft.boards.push(board);
    }
    write(&args.out, &draft)?;
    for text in draft.left_to_fill_in() {
        note(&format!("left to fill in: {text}"));
    }
    if !rules.is_empty() {
        note(&format!(
            "adapters without a serial number have names by the USB port they are plugged into. For shorter ones put this \
             into {LOCAL_RULES} (udev/README.md), and `/dev/NAME` into the bench file:\n{}",
            rules.join("\n")
        ));
    }
    note(&format!("{} is written; what `host-runner doctor` says of it:", args.out.display()));
    examine(&args.out)
}

/// The adapters that boards may be behind.
fn adapters(args: &InitArgs) -> Result<Vec<Adapter>, Fault> {
    let places = Places { sysfs: args.sysfs.clone(), dev: args.dev.clone() };
    let adapters = match args.device.is_empty() {
        true => Adapter::all(&places),
        false => {
            args.device.iter().try_for_each(|path| check_named(&places, path))?;
            args.device.iter().map(|path| Adapter::named(&places, path)).collect()
        }
    };
    if adapters.is_empty() {
        let fault = Fault::new(Class::Infrastructure, "serial ports", "there is no USB serial adapter");
        return Err(fault.with_help("plug one in, or name a port of another kind with --device"));
    }
    Ok(adapters)
}

/// Whether what somebody has named is a serial port that is there, or a console in the network.
fn check_named(places: &Places, path: &Path) -> Result<(), Fault> {
    if in_network(path).is_some() {
        return Ok(());
    }
    let text = match driver_of(path) {
        Ok(_) => return Ok(()),
        Err(SerialError::Absent(_)) => "it is not there".to_owned(),
        Err(SerialError::NoPort { what, .. }) => format!("it is {what} and no serial port"),
        Err(error) => Chain(&error).to_string(),
    };
    let present: Vec<_> =
        Adapter::all(places).iter().map(|adapter| adapter.device.display().to_string()).collect();
    let help = match present.is_empty() {
        true => "no USB serial adapter is plugged in".to_owned(),
        false => format!("the USB serial adapters are {}", present.join(", ")),
    };
    Err(Fault::new(Class::Usage, path.display().to_string(), text).with_help(help))
}

/// What a board says; `None` if its console cannot be opened, which is told.
fn heard(args: &InitArgs, adapter: &Adapter, types: bool) -> Result<Option<Listened>, Fault> {
    let network = in_network(&adapter.device);
    if network.is_none()
        && let Err(error) = check_serial(&adapter.device)
    {
        note(&format!("  not listened to: {error}"));
        return Ok(None);
    }
    let begin = |baud: Option<u32>, again: bool| {
        let what = if again { "reset the board again now" } else { "reset or switch on the board now" };
        let speed = baud.map(|baud| format!(" at {baud} baud")).unwrap_or_default();
        note(&format!("  listening for {} s{speed}: {what}", args.listen.as_secs()));
    };
    let ear = Ear { time: args.listen, types, begin: &begin };
    let listening = async {
        match &network {
            Some(target) => listen_in_network(target, &ear).await,
            None => listen(&adapter.device, &ear).await,
        }
    };
    let listened = block_on(async |cancel| {
        tokio::select! {
            listened = listening => Ok(listened),
            () = cancel.cancelled() => Err(cancelled()),
        }
    })?;
    Ok(match listened {
        Ok(listened) => {
            note(&said(&listened));
            Some(listened)
        }
        Err(error) => {
            note(&format!("  not listened to: {}", Chain(&error)));
            None
        }
    })
}

/// The console in the network that somebody has named instead of a serial port.
fn in_network(device: &Path) -> Option<Target> {
    Target::in_network(device.to_str()?)
}

fn cancelled() -> Fault {
    Fault::new(Class::Cancelled, "init", "cancelled: nothing is written")
}

/// What came of listening, for people.
fn said(listened: &Listened) -> String {
    let speeds = |speeds: &[u32]| speeds.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let model = listened.banner.as_ref().and_then(|banner| banner.model.clone());
    if listened.is_text {
        let speed = listened.baud.map(|baud| format!("{baud} baud")).into_iter();
        let what = model.unwrap_or_else(|| format!("it said last: {}", listened.last));
        return format!("  {}", speed.chain([what]).collect::<Vec<_>>().join(": "));
    }
    match (listened.noise.as_slice(), listened.silent.as_slice()) {
        ([], _) if listened.last.is_empty() => "  nothing was heard".to_owned(),
        ([], _) => {
            "  what came was no text: is the speed of its serial port right, where that is?".to_owned()
        }
        (noise, []) => {
            format!("  noise at all speeds ({}): is the ground wire in place?", speeds(noise))
        }
        (noise, silent) => format!(
            "  noise at {} baud, nothing at {}: its speed was not found. Was the board reset at each? If so, is the \
             ground wire in place?",
            speeds(noise),
            speeds(silent)
        ),
    }
}

/// What is known of a board, by listening and by asking.
fn board(
    args: &InitArgs,
    adapter: &Adapter,
    listened: Option<&Listened>,
    name: String,
) -> Result<BoardDraft, Fault> {
    let guess = listened.and_then(|listened| listened.banner.as_ref()?.board_type());
    let baud = listened.and_then(|listened| listened.baud);
    let is_serial = in_network(&adapter.device).is_none();
    let mut board = BoardDraft {
        name,
        board_type: guess.unwrap_or(USUAL_TYPE).to_owned(),
        is_type_unsure: guess.is_none(),
        adapter: adapter.describe(),
        console: adapter.stable_name().to_owned(),
        baud: is_serial.then_some(baud.unwrap_or(USUAL_SPEED)),
        is_baud_unsure: is_serial && baud.is_none(),
        address: None,
        power: None,
    };
    if args.non_interactive {
        return Ok(board);
    }
    board.name = ask("  Its name", &board.name, |text| {
        let is_name =
            |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
        match !text.is_empty() && text.chars().all(is_name) {
            true => Ok(text.to_owned()),
            false => Err("letters, digits, `-` and `_`".to_owned()),
        }
    })?;
    let known: Vec<_> = BoardType::built_in_names().collect();
    let question = format!("  Its type ({}, or the path of a file of its own)", known.join(", "));
    board.board_type =
        ask(&question, &board.board_type, |text| board_type(text, &known, directory(&args.out)))?;
    board.is_type_unsure = false;
    board.address = ask("  Its address; empty if it is not known yet", "", |text| match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("`{text}` is no IP address")),
    })?;
    board.power = power::ask_power()?;
    Ok(board)
}

/// A board type that a person names: a built-in one, or a file, seen from `directory`, where the bench file will be.
fn board_type(text: &str, known: &[&str], directory: &Path) -> Result<String, String> {
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    if !text.ends_with(".toml") {
        return Err(did_you_mean(text, known.iter().copied())
            .unwrap_or_else(|| format!("one of {}, or a path that ends in `.toml`", known.join(", "))));
    }
    let source = Source::read(&directory.join(text)).map_err(|error| Chain(&error).to_string())?;
    BoardType::parse(&source).map(|_| text.to_owned()).map_err(|problems| problems.to_string())
}

/// This PC's address in the boards' network.
fn address(args: &InitArgs) -> Result<Option<IpAddr>, Fault> {
    let found = network_address();
    if args.non_interactive {
        return Ok(found);
    }
    let usual = found.map(|address| address.to_string()).unwrap_or_default();
    ask("This PC's address on the network card that leads to the boards", &usual, |text| match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("`{text}` is no IP address")),
    })
}

/// The directory of a file.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the directory of the bench file, before anything is asked, and checks that the file can be written there.
fn make_directory(directory: &Path) -> Result<(), Fault> {
    let failed = |error: io::Error| {
        let fault = Fault::from_error(Class::Usage, directory.display().to_string(), &error);
        fault.with_help("name another file with --out")
    };
    fs::create_dir_all(directory).map_err(failed)?;
    access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| failed(error.into()))
}

/// Writes the file, which must not exist. It is read as a bench file before. Where it has a password, others may not read it.
fn write(path: &Path, draft: &Draft) -> Result<(), Failure> {
    let text = draft.to_toml();
    let source = Source::new(path.display().to_string(), text.clone());
    let directory = directory(path);
    if let Err(error) = Bench::parse(&source, directory) {
        return Err(Fault::from_error(Class::Usage, "the bench file that the answers make", &error).into());
    }
    let mode = if draft.has_password() { 0o600 } else { 0o666 };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written
        .map_err(|error| Fault::from_error(Class::Infrastructure, path.display().to_string(), &error).into())
}
