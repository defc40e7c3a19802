//! Telnet's in-band commands, taken out of and put into a byte stream.
//!
//! Source: RFC 854 (commands, CR NUL), RFC 855 (negotiation), RFC 856 (binary), RFC 857 (echo), RFC 858
//! (suppress go-ahead), RFC 1143 (no negotiation loops).

/// Interpret as command.
const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
/// Subnegotiation begins.
const SB: u8 = 250;
/// A break condition on the line.
const BRK: u8 = 243;
/// Subnegotiation ends.
const SE: u8 = 240;

const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;

/// The telnet codec of one connection: pure, and indifferent to how the input is split.
#[derive(Debug, Default)]
pub struct Telnet {
    state: State,
    /// What we do, by our own offer or at the peer's request.
    ours: Options,
    /// What the peer does.
    theirs: Options,
    after_carriage_return: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Data,
    Command,
    Negotiate(u8),
    Subnegotiation,
    SubnegotiationCommand,
}

/// State of the three options that a console uses.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    binary: Agreement,
    echo: Agreement,
    suppress_go_ahead: Agreement,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Agreement {
    #[default]
    No,
    /// We asked and wait for the answer.
    Asked,
    Yes,
}

impl Options {
    fn get(&mut self, option: u8) -> Option<&mut Agreement> {
        match option {
            BINARY => Some(&mut self.binary),
            ECHO => Some(&mut self.echo),
            SUPPRESS_GO_AHEAD => Some(&mut self.suppress_go_ahead),
            _ => None,
        }
    }
}

impl Telnet {
    /// Asks the server to make a break condition.
    pub const BREAK: [u8; 2] = [IAC, BRK];

    /// A codec for a connection on which [`offer`](Self::offer) is sent first.
    pub fn new() -> Self {
        let asked =
            Options { binary: Agreement::Asked, suppress_go_ahead: Agreement::Asked, ..Options::default() };
        Self { ours: asked, theirs: asked, ..Self::default() }
    }

    /// The first bytes to send: binary and no go-ahead, both ways.
    pub fn offer() -> Vec<u8> {
        let options = [BINARY, SUPPRESS_GO_AHEAD];
        options.into_iter().flat_map(|option| [IAC, WILL, option, IAC, DO, option]).collect()
    }

    /// Decodes `input`: the board's bytes are appended to `data`, negotiation answers to `reply`.
    pub fn decode(&mut self, input: &[u8], data: &mut Vec<u8>, reply: &mut Vec<u8>) {
        for &byte in input {
            self.state = match (self.state, byte) {
                (State::Data, IAC) => State::Command,
                (State::Data, _) => self.data(byte, data),
                (State::Command, IAC) => self.data(IAC, data),
                (State::Command, DO | DONT | WILL | WONT) => State::Negotiate(byte),
                (State::Command, SB) => State::Subnegotiation,
                (State::Command, _) => State::Data,
                (State::Negotiate(verb), option) => {
                    self.negotiate(verb, option, reply);
                    State::Data
                }
                (State::Subnegotiation, IAC) => State::SubnegotiationCommand,
                (State::Subnegotiation, _) => State::Subnegotiation,
                (State::SubnegotiationCommand, SE) => State::Data,
                (State::SubnegotiationCommand, _) => State::Subnegotiation,
            };
        }
    }

    /// Encodes `data`, any bytes, and appends it to `output`.
    pub fn encode(&self, data: &[u8], output: &mut Vec<u8>) {
        for &byte in data {
            output.push(byte);
            match byte {
                IAC => output.push(IAC),
                // RFC 854: without binary mode a bare carriage return is CR NUL.
                b'\r' if self.ours.binary == Agreement::No => output.push(0),
                _ => {}
            }
        }
    }

    fn data(&mut self, byte: u8, data: &mut Vec<u8>) -> State {
        let padding = byte == 0 && self.after_carriage_return && self.theirs.binary != Agreement::Yes;
        if !padding {
            data.push(byte);
        }
        self.after_carriage_return = byte == b'\r';
        State::Data
    }

    fn negotiate(&mut self, verb: u8, option: u8, reply: &mut Vec<u8>) {
        let (side, agree, refuse) = if matches!(verb, DO | DONT) {
            (&mut self.ours, WILL, WONT)
        } else {
            (&mut self.theirs, DO, DONT)
        };
        let wanted = matches!(verb, DO | WILL);
        // We never echo; a console's echo is the board's.
        let acceptable = !(verb == DO && option == ECHO);
        match side.get(option).filter(|_| acceptable) {
            None if wanted => reply.extend([IAC, refuse, option]),
            None => {}
            Some(state) => {
                let answer = match (*state, wanted) {
                    (Agreement::No, true) => Some(agree),
                    (Agreement::Yes, false) => Some(refuse),
                    _ => None,
                };
                *state = if wanted { Agreement::Yes } else { Agreement::No };
                reply.extend(answer.into_iter().flat_map(|verb| [IAC, verb, option]));
            }
        }
    }
}
