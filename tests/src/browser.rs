//! Chromium without a window, driven by the DevTools protocol over a pair of pipes.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::PATIENCE;

/// How often a page that says nothing is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A browser with one page; ended when dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    commands: File,
    messages: Receiver<Value>,
    session: Option<String>,
    next: u64,
    complaints: Vec<String>,
    _directory: TempDir,
}

impl Browser {
    /// Starts it with an empty page of `width` pixels.
    ///
    /// # Panics
    /// When Chromium does not run: these tests require it (Debian package chromium).
    pub fn start(width: u32) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let [to, from] = ["to", "from"].map(|name| directory.path().join(name));
        let made = Command::new("mkfifo").args([&to, &from]).status().expect("mkfifo runs");
        assert!(made.success(), "mkfifo: {made}");
        // Its pipes are the descriptors 3 and 4. It loads nothing but the pages of the program under test, and a test may
        // run as root, where it has no sandbox.
        let child = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<\"$0/to\" 4>\"$0/from\""])
            .arg(directory.path())
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--window-size={width},900"))
            .arg(format!("--user-data-dir={}", directory.path().join("profile").display()))
            .env("HOME", directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        let commands = OpenOptions::new().write(true).open(&to).expect("a pipe");
        let answers = File::open(&from).expect("a pipe");
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            commands,
            messages,
            session: None,
            next: 0,
            complaints: Vec::new(),
            _directory: directory,
        };
        browser.open_page();
        browser
    }

    fn open_page(&mut self) {
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call("Target.attachToTarget", attach);
        self.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Runtime", "Log", "Page"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
    }

    /// Goes to a page.
    ///
    /// # Panics
    /// When it is not loaded.
    pub fn go(&mut self, url: &str) {
        let loaded = self.call("Page.navigate", json!({ "url": url }));
        assert_eq!(loaded["errorText"], Value::Null, "{url}");
        self.wait_for("document.readyState === 'complete'");
    }

    /// Lets the page run no script, or run them again.
    pub fn disable_scripts(&mut self, disabled: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": disabled }));
    }

    /// The value of an expression in the page; a promise is waited for.
    ///
    /// # Panics
    /// When it throws.
    pub fn value(&mut self, expression: &str) -> Value {
        self.try_value(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// As [`Browser::value`]; an error if it throws, or the page is left meanwhile.
    fn try_value(&mut self, expression: &str) -> Result<Value, Value> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.try_call("Runtime.evaluate", parameters)?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            thrown => Err(thrown["exception"]["description"].clone()),
        }
    }

    /// Waits until an expression in the page is true, also in one that is gone to meanwhile.
    ///
    /// # Panics
    /// When it does not become so in time.
    pub fn wait_for(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE / 2;
        // Timers of the page do not run where it may run no script; between two pages there is none.
        loop {
            let value = self.try_value(&format!("Boolean({expression})"));
            if value == Ok(Value::Bool(true)) {
                return;
            }
            if Instant::now() > deadline {
                let text = self.value("document.body.innerText");
                panic!("never: {expression}: {value:?}\n{}", text.as_str().unwrap_or_default());
            }
            if let Ok(message) = self.messages.recv_timeout(LOOK_AGAIN) {
                self.listen(&message);
            }
        }
    }

    /// Types text where the page has its focus.
    pub fn type_in(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// What the browser's console had to complain of: errors and warnings of pages, scripts and policies.
    pub fn complaints(&mut self) -> &[String] {
        // Whatever was reported before this call is answered before it.
        self.call("Browser.getVersion", json!({}));
        &self.complaints
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.try_call(method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_call(&mut self, method: &str, parameters: Value) -> Result<Value, Value> {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": parameters });
        if let Some(session) = self.session.as_ref().filter(|_| !method.starts_with("Browser.")) {
            message["sessionId"] = session.as_str().into();
        }
        let text = format!("{message}\0");
        self.commands.write_all(text.as_bytes()).expect("chromium runs (Debian package chromium)");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.messages.recv_timeout(left);
            let answer = answer.unwrap_or_else(|error| panic!("{method}: chromium does not answer: {error}"));
            if answer["id"] == self.next {
                let error = &answer["error"];
                return if error.is_null() { Ok(answer["result"].clone()) } else { Err(error.clone()) };
            }
            self.listen(&answer);
        }
    }

    fn listen(&mut self, message: &Value) {
        let parameters = &message["params"];
        let is_bad = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                ["error", "warning", "assert"].contains(&parameters["type"].as_str().unwrap_or_default())
            }
            Some("Log.entryAdded") => {
                ["error", "warning"].contains(&parameters["entry"]["level"].as_str().unwrap_or_default())
            }
            _ => false,
        };
        if is_bad {
            self.complaints.push(parameters.to_string());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
