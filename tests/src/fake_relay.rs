//! A relay on the network: the web requests of Tasmota and of both kinds of Shelly, as their makers document them, and faults.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// What the relay asks its password under.
const REALM: &str = "shellyplus1-a8032ab12345";

/// Its nonce; a real one is made anew for each request.
const NONCE: &str = "60dc59c6";

/// The user that is let in.
const USER: &str = "admin";

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest request, in bytes.
const MAX_REQUEST: u64 = 16 * 1024;

/// What the relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With the firmware Tasmota.
    Tasmota,
    /// A Shelly of the first generation.
    ShellyGen1,
    /// A Shelly of the second generation.
    ShellyGen2,
}

/// What is wrong with the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It takes orders and stays as it is.
    Disobeys,
    /// It answers what is no JSON, with signs that steer a terminal.
    Garbage,
    /// It takes connections and says nothing.
    Silent,
    /// Its answer does not end.
    Endless,
}

/// The relay; it ends when dropped.
#[derive(Debug)]
pub struct FakeRelay {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    kind: Kind,
    password: Option<String>,
    fault: Option<Fault>,
    ends: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_on: bool,
    requests: Vec<String>,
    silent: Vec<TcpStream>,
}

impl FakeRelay {
    /// Starts it, switched off.
    ///
    /// # Panics
    /// When the loopback network has no port for it.
    pub fn start(kind: Kind, password: Option<&str>, fault: Option<Fault>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            kind,
            password: password.map(str::to_owned),
            fault,
            ends: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        let server = thread::spawn(move || {
            for stream in listener.incoming() {
                if served.ends.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away is its own business.
                let _ = stream.and_then(|stream| served.serve(stream));
            }
        });
        Self { address, shared, server: Some(server) }
    }

    /// Its port on the loopback network.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.shared.state().is_on
    }

    /// What it was asked, as `GET /…`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }
}

impl Drop for FakeRelay {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        // Wakes the server.
        let _ = TcpStream::connect(self.address);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// A status line's end, further headers, and a body.
type Answer = (&'static str, String, String);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut lines = BufReader::new(stream.try_clone()?.take(MAX_REQUEST)).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        let mut authorization = None;
        for line in lines.by_ref() {
            let line = line?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("authorization")
            {
                authorization = Some(value.to_owned());
            }
        }
        let target = request.split(' ').nth(1).unwrap_or_default();
        self.state().requests.push(format!("GET {target}"));
        match self.fault {
            Some(Fault::Silent) => {
                self.state().silent.push(stream);
                return Ok(());
            }
            Some(Fault::Endless) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"POWER1\":\"")?;
                loop {
                    stream.write_all(&[b'O'; 4096])?;
                }
            }
            _ => {}
        }
        let (status, headers, body) = match self.fault {
            Some(Fault::Garbage) => ("200 OK", String::new(), "<html>\u{1b}[2Jrouter</html>".to_owned()),
            _ => self.answer(target, authorization.as_deref()),
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
        )
    }

    fn answer(&self, target: &str, authorization: Option<&str>) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: HashMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('=').map(|(name, value)| (name, decoded(value))))
            .collect();
        match self.kind {
            Kind::Tasmota => self.tasmota(path, &query),
            Kind::ShellyGen1 => self.first(path, &query, authorization),
            Kind::ShellyGen2 => self.second(target, path, &query, authorization),
        }
    }

    fn tasmota(&self, path: &str, query: &HashMap<&str, String>) -> Answer {
        let given = |name| query.get(name).map(String::as_str);
        if self.password.is_some()
            && (given("user"), given("password")) != (Some(USER), self.password.as_deref())
        {
            let body = r#"{"WARNING":"Need user=<username>&password=<password>"}"#;
            return ("401 Unauthorized", String::new(), body.to_owned());
        }
        let command = given("cmnd").filter(|_| path == "/cm").unwrap_or_default();
        let (relay, order) = command.split_once(' ').unwrap_or((command, ""));
        if relay != "Power1" {
            return ok(r#"{"Command":"Unknown"}"#.to_owned());
        }
        if !order.is_empty() {
            self.switch(order == "ON");
        }
        ok(format!(r#"{{"POWER":"{}"}}"#, if self.state().is_on { "ON" } else { "OFF" }))
    }

    fn first(&self, path: &str, query: &HashMap<&str, String>, authorization: Option<&str>) -> Answer {
        if path == "/shelly" {
            let auth = self.password.is_some();
            return ok(format!(r#"{{"type":"SHPLG-S","mac":"98CDAC1EA123","auth":{auth},"num_outputs":1}}"#));
        }
        // `admin:s3cret`
        let basic = self.password.as_ref().map(|_| "Basic YWRtaW46czNjcmV0");
        if basic.is_some() && basic != authorization {
            let demand = "WWW-Authenticate: Basic realm=\"shellyplug-s\"\r\n".to_owned();
            return ("401 Unauthorized", demand, "401 Unauthorized".to_owned());
        }
        if path != "/relay/0" {
            return ("404 Not Found", String::new(), "Not Found".to_owned());
        }
        if let Some(turn) = query.get("turn") {
            self.switch(turn == "on");
        }
        ok(format!(r#"{{"ison":{},"has_timer":false,"source":"http"}}"#, self.state().is_on))
    }

    fn second(
        &self,
        target: &str,
        path: &str,
        query: &HashMap<&str, String>,
        authorization: Option<&str>,
    ) -> Answer {
        if path == "/shelly" {
            let auth = self.password.is_some();
            return ok(format!(r#"{{"id":"{REALM}","model":"SNSW-001X16EU","gen":2,"auth_en":{auth}}}"#));
        }
        if let Some(password) = &self.password
            && !authorization.is_some_and(|given| is_proof(given, password, target))
        {
            let demand = format!(
                "WWW-Authenticate: Digest qop=\"auth\", realm=\"{REALM}\", nonce=\"{NONCE}\", algorithm=SHA-256\r\n"
            );
            return ("401 Unauthorized", demand, String::new());
        }
        if query.get("id").map(String::as_str) != Some("0") {
            let body = r#"{"code":-105,"message":"Argument 'id', value 9 not found!"}"#;
            return ("500 Internal Server Error", String::new(), body.to_owned());
        }
        match path {
            "/rpc/Switch.Set" => {
                let was_on = self.state().is_on;
                self.switch(query.get("on").is_some_and(|on| on == "true"));
                ok(format!(r#"{{"was_on":{was_on}}}"#))
            }
            "/rpc/Switch.GetStatus" => {
                ok(format!(r#"{{"id":0,"source":"HTTP_in","output":{},"apower":0.0}}"#, self.state().is_on))
            }
            _ => ("404 Not Found", String::new(), r#"{"code":404,"message":"No handler"}"#.to_owned()),
        }
    }

    fn switch(&self, on: bool) {
        if self.fault != Some(Fault::Disobeys) {
            self.state().is_on = on;
        }
    }
}

fn ok(body: String) -> Answer {
    ("200 OK", String::new(), body)
}

/// Whether `given` proves the password (RFC 7616 §3.4.1, with SHA-256 and `auth`).
fn is_proof(given: &str, password: &str, target: &str) -> bool {
    let Some(given) = given.strip_prefix("Digest ") else { return false };
    let given: HashMap<&str, &str> = given
        .split(',')
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    let of = |name: &str| given.get(name).copied().unwrap_or_default();
    let secret = hash(&format!("{USER}:{REALM}:{password}"));
    let request = hash(&format!("GET:{target}"));
    let proof = hash(&format!("{secret}:{NONCE}:{}:{}:auth:{request}", of("nc"), of("cnonce")));
    (of("username"), of("realm"), of("nonce"), of("uri"), of("response"))
        == (USER, REALM, NONCE, target, proof.as_str())
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut text, byte| {
        // Writing to text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A part of a query without `%20` and `+`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
