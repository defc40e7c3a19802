//! Programs run as an ordinary user: not root, no capabilities, no groups of root's.

use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

/// User and group id of the ordinary user when the tests are root's: nobody else's, and in no file of the system.
const ID: u32 = 59_999;

/// Gives all capabilities back on the way to the program.
const WITHOUT_CAPABILITIES: &str = "setpriv --ambient-caps=-all --inh-caps=-all --";

/// Ends what was started beside the program when that ends.
const BESIDE: &str = "setpriv --pdeathsig TERM --";

/// The name of a user; the number where there is none.
///
/// # Panics
/// Where there is no `id`.
pub fn user_name(user: u32) -> String {
    let named = Command::new("id").args(["-un", &user.to_string()]).output().expect("id of coreutils");
    if !named.status.success() {
        return user.to_string();
    }
    String::from_utf8(named.stdout).expect("a name is text").trim().to_owned()
}

/// What is at `/dev/net/tun`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tun {
    /// The device, usable for everybody, as distributions have it.
    Usable,
    /// Nothing.
    Absent,
    /// Something that the user may not write.
    Forbidden,
}

/// How to start a program as an ordinary user, in namespaces of its own where the test changes something of the system.
///
/// Tests of root's become user 59999. Tests of an ordinary user stay what they are; a user namespace permits the changes.
#[derive(Clone, Debug, Default)]
pub struct OrdinaryUser {
    /// Shell commands that change what the program sees; with the right to do so.
    changes: Vec<String>,
    network: bool,
    low_ports: bool,
    no_user_namespaces: bool,
    /// Options of systemd-socket-activate, which then starts the program.
    handed_over: Option<String>,
}

impl OrdinaryUser {
    /// The user on the system as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the tests are root's.
    pub fn is_another() -> bool {
        geteuid().is_root()
    }

    /// Shows the directory `from` at the existing directory `to`, whoever may get to `from` otherwise.
    #[must_use]
    pub fn with_directory(mut self, from: &Path, to: &Path) -> Self {
        // With what is mounted below it: a user namespace permits nothing less.
        self.changes.push(format!("mount --rbind '{}' '{}'", from.display(), to.display()));
        self
    }

    /// A disk of one MiB at the existing directory `at`.
    #[must_use]
    pub fn with_small_disk(mut self, at: &Path) -> Self {
        self.changes.push(format!("mount -t tmpfs -o size=1m,mode=0777 tmpfs '{}'", at.display()));
        self
    }

    /// Changes `/dev/net/tun`. An ordinary user's tests cannot make a usable one: theirs has to be.
    #[must_use]
    pub fn with_tun(mut self, tun: Tun) -> Self {
        let empty = "mount -t tmpfs -o mode=0755 tmpfs /dev/net".to_owned();
        match tun {
            Tun::Usable if Self::is_another() => {
                self.changes.extend([empty, "mknod -m 0666 /dev/net/tun c 10 200".to_owned()]);
            }
            Tun::Usable => {}
            Tun::Absent => self.changes.push(empty),
            // Stands for a device of root's alone, which only root could make.
            Tun::Forbidden => self.changes.push("mount --bind /etc/passwd /dev/net/tun".to_owned()),
        }
        self
    }

    /// In a network of its own, whose ports below 1024 are privileged as the kernel has it by default.
    #[must_use]
    pub fn with_network(mut self) -> Self {
        self.network = true;
        self.changes.push("PATH=$PATH:/usr/sbin:/sbin ip link set dev lo up".to_owned());
        self
    }

    /// With the one capability that permits ports below 1024, as `setcap` gives it. An ordinary user's tests cannot give
    /// it: theirs have to be permitted such ports by the system.
    #[must_use]
    pub fn with_low_ports(mut self) -> Self {
        self.low_ports = true;
        self
    }

    /// With the port service of `program` beside it, in the same network and with the one capability that it needs. It listens
    /// at `socket`, which gets `mode`, and tells in `log` who has got what.
    #[must_use]
    pub fn with_port_service(self, program: &Path, socket: &Path, mode: &str, log: &Path) -> Self {
        let (program, socket, log) = (program.display(), socket.display(), log.display());
        let listen = format!("systemd-socket-activate --seqpacket --listen '{socket}' '{program}' ports");
        let mut user = self.with_process(&format!("{listen} >'{log}' 2>&1"), &format!("[ -S '{socket}' ]"));
        user.changes.push(format!("chmod {mode} '{socket}'"));
        user
    }

    /// With a process of the user's beside it, which may bind low ports; the program starts once the shell's `condition` holds.
    #[must_use]
    pub fn with_process(mut self, command: &str, condition: &str) -> Self {
        // The end of a process is told to its child only if both are of one user.
        let become_user =
            if Self::is_another() { become_user("-all,+net_bind_service") } else { String::new() };
        self.changes.push(format!("{become_user} {BESIDE} {command} &\n{}", until(condition)));
        self
    }

    /// With UDP sockets at `listen` that are handed over at the start, as systemd does it (sd_listen_fds(3)) when the first
    /// datagram comes to `address`. `variables` are all that the program gets of the environment, beside `PATH` and `HOME`.
    #[must_use]
    pub fn with_handed_over(mut self, listen: &[&str], address: &str, variables: &[&str]) -> Self {
        let (host, port) = address.rsplit_once(':').expect("an address with a port");
        // An ERROR of TFTP, which nobody answers, until somebody has taken one.
        let send = format!(
            "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.connect(('{host}', {port}))\n\
             for _ in range(600):\n  try:\n    s.send(b'\\0\\5\\0\\0\\0'); time.sleep(0.05); s.send(b'\\0\\5\\0\\0\\0'); break\n\
             \x20 except OSError: time.sleep(0.05)"
        );
        self = self.with_process(&format!("python3 -c \"{send}\""), "true");
        let listen = listen.iter().map(|listen| format!("--listen {listen} "));
        let variables = variables.iter().map(|name| format!("--setenv {name} "));
        self.handed_over = Some(listen.chain(variables).collect());
        self
    }

    /// Where the system's `user.max_user_namespaces` is 0.
    #[must_use]
    pub fn without_user_namespaces(mut self) -> Self {
        self.no_user_namespaces = true;
        self
    }

    /// The user's id.
    pub fn id() -> u32 {
        if Self::is_another() { ID } else { geteuid().as_raw() }
    }

    /// Makes `directory` and all that is in it, or a device, the user's.
    ///
    /// # Panics
    /// When that is not permitted.
    pub fn own(&self, directory: &Path) {
        if Self::is_another() {
            let status = Command::new("chown")
                .args(["--recursive", "--no-dereference", &format!("{ID}:{ID}")])
                .arg(directory)
                .status()
                .expect("chown runs");
            assert!(status.success(), "{} cannot be given away", directory.display());
        }
    }

    /// Starts `program`; add arguments and environment. All that lies between becomes the program: same process.
    pub fn command(&self, program: &Path) -> Command {
        let capabilities = if self.low_ports { "-all,+net_bind_service" } else { "-all" };
        let become_user = become_user(capabilities);
        let mut words: Vec<&str> = Vec::new();
        let drop: &str = match Self::is_another() {
            true => {
                words.extend(["unshare", "--mount", "--propagation=private"]);
                &become_user
            }
            false if self.changes.is_empty() => "",
            false => {
                words.extend(["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"]);
                WITHOUT_CAPABILITIES
            }
        };
        if self.network {
            words.push("--net");
        }
        let activate = self
            .handed_over
            .as_ref()
            .map_or_else(String::new, |options| format!("systemd-socket-activate --datagram {options} --"));
        let script = format!("{}\nexec {activate} {drop} \"$@\"", self.changes.join("\n"));
        let limit =
            format!("echo 0 > /proc/sys/user/max_user_namespaces; exec {WITHOUT_CAPABILITIES} \"$@\"");
        if !words.is_empty() {
            words.extend(["--", "sh", "-ec", &script, "sh"]);
        }
        if self.no_user_namespaces {
            words.extend(["unshare", "--user", "--map-current-user", "--keep-caps", "--"]);
            words.extend(["sh", "-ec", &limit, "sh"]);
        }
        match words.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        }
    }
}

/// What makes root the ordinary user with these capabilities, and then runs what follows.
fn become_user(capabilities: &str) -> String {
    format!(
        "setpriv --reuid={ID} --regid={ID} --clear-groups --inh-caps={capabilities} \
         --ambient-caps={capabilities} --bounding-set={capabilities} --"
    )
}

/// Shell commands that wait until `condition` holds, for half a minute.
fn until(condition: &str) -> String {
    format!(
        "tries=0; until {condition}; do tries=$((tries + 1)); \
         [ $tries -lt 600 ] || {{ echo \"not within 30 s: {condition}\" >&2; exit 1; }}; sleep 0.05; done"
    )
}
