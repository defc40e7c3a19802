//! What is behind the escape key: power, breaks, files, marks, and who is there.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::board::power::{Power, Switch};
use crate::cli::console::Line;
use crate::cli::console::keys::{ORDERS, Order};
use crate::fault::Chain;
use crate::link::control::{self, ControlError, Watcher};

use super::Session;
use super::send_file::Sending;

/// How long a person may take to switch a board.
const PERSON_LIMIT: Duration = Duration::from_secs(600);

impl Session {
    pub(super) fn obey(&mut self, order: Order, line: Option<&Line>) {
        let is_own = line.is_some_and(|line| line.owner.is_some());
        match order {
            Order::Quit => {}
            Order::Help => self.say(&self.help()),
            Order::Cycle | Order::PowerOn | Order::PowerOff if is_own => self.switch(switch_of(order)),
            Order::Cycle | Order::PowerOn | Order::PowerOff => self.ask_for_power(order, line),
            Order::Break => self.ask_owner(control::send_break),
            Order::Who => {
                let holder = line.and_then(|line| line.holder.as_ref()).map(ToString::to_string);
                self.ask_owner(move |name| {
                    let list = control::attached(name)?;
                    Ok(who(holder.as_deref(), &list.watchers))
                });
            }
            Order::SendFile if self.sending.is_some() => self.stop_sending(),
            Order::SendFile => match line {
                None => self.say("the console is not open now: no file can be sent"),
                Some(line) if line.holder.is_some() && !self.may_type => self.refuse_to_type(),
                Some(_) => self.ask(order, "Which file is to be sent? Type its name and press Enter."),
            },
            Order::Log if self.log.take().is_some() => self.say("the log file is closed"),
            Order::Log => self.ask(order, "Which file is to be written? Type its name and press Enter."),
            Order::Mark => self.mark(),
            Order::Typing if is_own => self.say("the board is yours: keys are for it"),
            Order::Typing => {
                self.may_type = !self.may_type;
                if !self.may_type {
                    self.stop_sending();
                }
                self.say(match self.may_type {
                    true => {
                        "keys are for the board now, though a run has it; while the agent runs test definitions it has \
                         the console for itself, and throws keys away"
                    }
                    false => "keys are not for the board any more",
                });
            }
        }
    }

    /// Asks the person for a line of text; `question` is whole sentences.
    fn ask(&mut self, order: Order, question: &str) {
        self.say(&format!("{question} Press Ctrl-C to give up."));
        self.keys.ask(order);
    }

    /// Ends what was begun at a console that is gone: a question, and a file on its way.
    pub(in crate::cli::console) fn part_with_line(&mut self) {
        if self.keys.give_up() {
            self.say("the question is given up: the console that it was asked at is gone");
        }
        self.stop_sending();
    }

    fn stop_sending(&mut self) {
        if let Some(file) = self.sending.take() {
            let (sent, all) = (file.sent(), file.length());
            self.say(&format!("the file is not sent any further: {sent} of its {all} bytes were"));
        }
    }

    pub(super) fn answered(&mut self, order: Order, text: Option<&str>) {
        let Some(path) = text.filter(|text| !text.is_empty()) else { return self.say("given up") };
        match order {
            Order::Cycle | Order::PowerOn | Order::PowerOff if path == "yes" => {
                self.say("asking whoever has the board to switch its power");
                let limit = self.settings.power.as_ref().and_then(Power::usual_limit).unwrap_or(PERSON_LIMIT);
                self.ask_owner(move |name| control::switch(name, switch_of(order), limit));
            }
            Order::Cycle | Order::PowerOn | Order::PowerOff => self.say("the power stays as it is"),
            Order::SendFile => match Sending::read(Path::new(path)) {
                Ok(file) => {
                    self.say(&format!("sending {} bytes; {} f stops it", file.length(), self.escape()));
                    self.sending = Some(file);
                }
                Err(text) => self.say(&format!("{path} is not sent: {text}")),
            },
            _ => match self.log_to(Path::new(path)) {
                Ok(()) => {
                    self.say(&format!("all that comes goes into {path}, too; {} l ends it", self.escape()))
                }
                Err(fault) => self.say(&fault.to_string()),
            },
        }
    }

    fn mark(&mut self) {
        self.marks += 1;
        let text = format!("mark {}, {}", self.marks, jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"));
        if let Some(log) = &mut self.log {
            // What comes next tells if the disk is full.
            let _ = write!(log, "\n[{text}]\n");
        }
        self.say(&text);
    }

    /// Asks before the power of a board is switched that somebody else has.
    fn ask_for_power(&mut self, order: Order, line: Option<&Line>) {
        let Some(holder) = line.and_then(|line| line.holder.as_ref()) else {
            return self.say("the console is not open now");
        };
        let switch = switch_of(order);
        let words =
            self.settings.power.as_ref().map_or_else(|| switch.to_string(), |power| power.words(switch));
        let question = format!("{holder} has the board. Type yes and press Enter to go on with: {words}.");
        self.ask(order, &question);
    }

    /// Asks whoever has the console for something, and has the answer told.
    fn ask_owner(&self, ask: impl FnOnce(&str) -> Result<String, ControlError> + Send + 'static) {
        let (name, sender) = (self.settings.name.clone(), self.sender.clone());
        tokio::task::spawn_blocking(move || {
            let text = ask(&name).unwrap_or_else(|error| Chain(&error).to_string());
            // The person may have left.
            let _ = sender.blocking_send(text);
        });
    }

    /// Has the power switched, and told when that is done.
    fn switch(&self, switch: Switch) {
        let Some(power) = self.settings.power.clone().filter(|power| power.can(switch)) else {
            return self.say("the bench file has nothing that does it");
        };
        if power.is_by_hand() {
            return self.say("this board is switched by hand: do it now");
        }
        let sender = self.sender.clone();
        self.say("switching the power");
        tokio::spawn(async move {
            let limit = power.usual_limit().unwrap_or_default();
            let text = match power.run(switch, limit, &|_| {}).await {
                Ok(_) => format!("{}: done", power.words(switch)),
                Err(error) => Chain(&error).to_string(),
            };
            // The person may have left.
            let _ = sender.send(text).await;
        });
    }

    fn help(&self) -> String {
        let escape = self.escape();
        let lines: Vec<_> =
            ORDERS.iter().map(|(key, _, text)| format!("{escape} {}  {text}", char::from(*key))).collect();
        format!("keys:\n{}\n{escape} {escape}  the key itself", lines.join("\n"))
    }
}

/// What a key does to the power.
const fn switch_of(order: Order) -> Switch {
    match order {
        Order::PowerOn => Switch::On,
        Order::PowerOff => Switch::Off,
        _ => Switch::Reset,
    }
}

/// Who has the board, and who is attached to its console.
fn who(holder: Option<&str>, watchers: &[Watcher]) -> String {
    let all: Vec<String> = watchers.iter().map(ToString::to_string).collect();
    format!("{} has the board; attached: {}", holder.unwrap_or("this console"), all.join(", "))
}
