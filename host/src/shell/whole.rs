//! Whether a text is whole commands, so that a line of another kind may follow it in a script.
//!
//! Steps of a test definition are lines of one script: `for i in 1 2; do`, `echo $i` and `done` may be three of them, and
//! a here-document may go over several. Reads the shell's grammar (POSIX.1-2017, Shell Command Language) as far as that
//! needs; where it is not certain, as in bash's own constructs, the text is not taken for whole.

use std::iter::Peekable;
use std::str::Chars;

/// Deepest nesting of substitutions that is followed.
const MAX_DEPTH: u32 = 32;

/// Whether a shell that has read `text` is done with all commands in it.
pub(crate) fn is_whole(text: &str) -> bool {
    Scanner { rest: text.chars().peekable(), here_documents: Vec::new(), depth: 0 }.list(End::Text).is_some()
}

/// What ends a list of commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Text,
    Parenthesis,
}

/// A compound command that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    If,
    Loop,
    Case,
    Brace,
    Parenthesis,
}

struct HereDocument {
    delimiter: String,
    strips_tabs: bool,
    /// Its delimiter has no quotes: what is in it is expanded.
    expands: bool,
}

/// Functions return `None` where the text ends within something, is no shell's, or is not understood.
struct Scanner<'t> {
    rest: Peekable<Chars<'t>>,
    here_documents: Vec<HereDocument>,
    depth: u32,
}

/// Where a list of commands stands.
#[derive(Default)]
struct Place {
    open: Vec<Open>,
    /// The next word is an argument, not a command.
    in_command: bool,
    /// An operator or a function's name waits for its command.
    wants_command: bool,
    /// The next words are a pattern of the innermost `case`.
    in_pattern: bool,
    /// That pattern has begun.
    pattern_began: bool,
    /// The command begins with a redirection: its first word is none that is reserved.
    after_redirection: bool,
}

impl Place {
    fn command_ends(&mut self) {
        (self.in_command, self.after_redirection) = (false, false);
    }

    fn pattern_begins(&mut self) {
        (self.in_pattern, self.pattern_began) = (true, false);
    }

    fn close(&mut self, open: Open) -> Option<()> {
        (self.open.pop()? == open && !self.wants_command).then(|| self.in_pattern = false)
    }
}

impl Scanner<'_> {
    fn list(&mut self, end: End) -> Option<()> {
        self.depth += 1;
        let mut place = Place::default();
        if self.depth > MAX_DEPTH {
            return None;
        }
        loop {
            let Some(&next) = self.rest.peek() else {
                let whole = end == End::Text && place.open.is_empty() && !place.wants_command;
                return (whole && self.here_documents.is_empty()).then_some(());
            };
            match next {
                ' ' | '\t' => {
                    self.rest.next();
                }
                '\\' if self.goes_on() => {}
                '\n' => {
                    self.rest.next();
                    self.here_document_bodies()?;
                    place.command_ends();
                }
                '#' => while self.rest.next_if(|&next| next != '\n').is_some() {},
                ')' if end == End::Parenthesis && place.open.is_empty() => {
                    self.rest.next();
                    self.depth -= 1;
                    return (!place.wants_command).then_some(());
                }
                ';' | '&' | '|' | '(' | ')' => self.operator(&mut place)?,
                '<' | '>' => {
                    self.redirection()?;
                    // A shell knows no reserved word behind one.
                    place.after_redirection = !place.in_command;
                }
                _ => {
                    let word = self.word()?;
                    self.take_word(&mut place, word.as_deref())?;
                }
            }
        }
    }

    fn operator(&mut self, place: &mut Place) -> Option<()> {
        let first = self.rest.next()?;
        match first {
            '(' if place.in_pattern => place.pattern_began = true,
            '(' if place.in_command => {
                // `name()`: nothing but a function's definition has a parenthesis behind a word.
                while self.rest.next_if(|next| matches!(next, ' ' | '\t')).is_some() {}
                self.rest.next_if_eq(&')')?;
                (place.in_command, place.wants_command) = (false, true);
            }
            '(' => {
                place.wants_command = false;
                place.open.push(Open::Parenthesis);
            }
            ')' if place.in_pattern => place.in_pattern = false,
            ')' => {
                place.close(Open::Parenthesis)?;
                place.command_ends();
            }
            ';' if self.rest.next_if_eq(&';').is_some() => {
                (place.open.last() == Some(&Open::Case)).then_some(())?;
                place.pattern_begins();
                place.command_ends();
            }
            '|' if place.in_pattern => {}
            ';' => place.command_ends(),
            '&' if self.rest.next_if_eq(&'&').is_none() => place.command_ends(),
            _ => {
                self.rest.next_if_eq(&'|');
                place.command_ends();
                place.wants_command = true;
            }
        }
        Some(())
    }

    /// Takes a word; `None` for one with quotes or expansions, which is no reserved word.
    fn take_word(&mut self, place: &mut Place, word: Option<&str>) -> Option<()> {
        if place.in_pattern && (word != Some("esac") || place.pattern_began) {
            place.pattern_began = true;
            return Some(());
        }
        if place.in_command {
            return Some(());
        }
        if std::mem::take(&mut place.after_redirection) {
            (place.in_command, place.wants_command) = (true, false);
            return Some(());
        }
        match word {
            Some("if") => place.open.push(Open::If),
            Some("while" | "until") => place.open.push(Open::Loop),
            Some("{") => place.open.push(Open::Brace),
            Some("for") => {
                place.open.push(Open::Loop);
                place.in_command = true;
            }
            Some("case") => {
                self.blank();
                self.word()?;
                self.blank();
                (self.word()?.as_deref() == Some("in")).then_some(())?;
                place.open.push(Open::Case);
                place.pattern_begins();
            }
            Some("fi") => return place.close(Open::If),
            Some("done") => return place.close(Open::Loop),
            Some("esac") => return place.close(Open::Case),
            Some("}") => return place.close(Open::Brace),
            Some("then" | "elif" | "else") => return (place.open.last() == Some(&Open::If)).then_some(()),
            Some("do") => return (place.open.last() == Some(&Open::Loop)).then_some(()),
            Some("!") => {
                place.wants_command = true;
                return Some(());
            }
            Some("[[" | "function" | "select" | "coproc" | "time") => return None,
            _ => place.in_command = true,
        }
        place.wants_command = false;
        Some(())
    }

    fn blank(&mut self) {
        while self.rest.next_if(|next| matches!(next, ' ' | '\t' | '\n')).is_some() || self.goes_on() {}
    }

    /// Takes a backslash and the line's end behind it, which are nothing to a shell.
    fn goes_on(&mut self) -> bool {
        let mut ahead = self.rest.clone();
        let goes_on = ahead.next() == Some('\\') && ahead.next() == Some('\n');
        if goes_on {
            self.rest = ahead;
        }
        goes_on
    }

    /// `<` or `>` and what belongs to the operator; the file's name is a word like others, except that of a here-document.
    fn redirection(&mut self) -> Option<()> {
        let first = self.rest.next()?;
        match self.rest.peek() {
            // A substitution of bash's.
            Some('(') => return None,
            Some('<') if first == '<' => {
                self.rest.next();
            }
            Some('&' | '>' | '|') => {
                self.rest.next();
                return self.redirection_target();
            }
            _ => return self.redirection_target(),
        }
        (self.rest.peek() != Some(&'<')).then_some(())?;
        let strips_tabs = self.rest.next_if_eq(&'-').is_some();
        let (delimiter, quoted) = self.delimiter()?;
        self.here_documents.push(HereDocument { delimiter, strips_tabs, expands: !quoted });
        Some(())
    }

    fn redirection_target(&mut self) -> Option<()> {
        while self.rest.next_if(|next| matches!(next, ' ' | '\t')).is_some() {}
        match self.rest.peek()? {
            '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => None,
            _ => self.word().map(drop),
        }
    }

    /// The word behind `<<` without its quotes, and whether it had any.
    fn delimiter(&mut self) -> Option<(String, bool)> {
        while self.rest.next_if(|next| matches!(next, ' ' | '\t')).is_some() {}
        let (mut delimiter, mut quoted) = (String::new(), false);
        let mut quote = None;
        while let Some(&next) = self.rest.peek() {
            quoted |= matches!(next, '\'' | '"' | '\\');
            match (quote, next) {
                (_, '\n' | '$' | '`') => break,
                (None, ' ' | '\t' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => break,
                (None, '\'' | '"') => quote = Some(next),
                (None, '\\') => {}
                (Some(open), _) if open == next => quote = None,
                _ => delimiter.push(next),
            }
            self.rest.next();
        }
        let ends = !matches!(self.rest.peek(), Some('$' | '`'));
        (quote.is_none() && ends && !delimiter.is_empty()).then_some((delimiter, quoted))
    }

    /// The lines of the here-documents whose command has just ended.
    fn here_document_bodies(&mut self) -> Option<()> {
        for document in std::mem::take(&mut self.here_documents) {
            loop {
                self.rest.peek()?;
                let mut line = String::new();
                while let Some(next) = self.rest.next_if(|&next| next != '\n') {
                    line.push(next);
                }
                let ended = self.rest.next();
                let text = if document.strips_tabs { line.trim_start_matches('\t') } else { &line };
                if text == document.delimiter {
                    break;
                }
                // An expansion or a backslash that goes over the line's end may hide the delimiter.
                let goes_on = || line.ends_with('\\') || !is_whole(&format!("\"{}\"", line.replace('"', "")));
                (!document.expands || !line.contains(['$', '`', '\\']) || !goes_on()).then_some(())?;
                ended?;
            }
        }
        Some(())
    }

    /// Reads a word; its text if that stands there as it is, without quotes and expansions.
    fn word(&mut self) -> Option<Option<String>> {
        let mut text = Some(String::new());
        while let Some(&next) = self.rest.peek() {
            match next {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\\' if self.goes_on() => {}
                '\'' | '"' | '\\' | '$' | '`' => {
                    text = None;
                    self.rest.next();
                    self.quoted_or_expanded(next)?;
                }
                _ => {
                    self.rest.next();
                    if let Some(text) = &mut text {
                        text.push(next);
                    }
                }
            }
        }
        Some(text)
    }

    /// What follows a quote, a backslash, `$` or a backtick, to its end.
    fn quoted_or_expanded(&mut self, begin: char) -> Option<()> {
        match begin {
            '\'' => self.until('\'', &[]),
            '"' => self.in_double_quotes(),
            '`' => self.until('`', &['\\']),
            '\\' => self.rest.next().map(drop),
            _ => match self.rest.peek() {
                // Quotes of bash's.
                Some('\'' | '"') => None,
                Some('(') => {
                    self.rest.next();
                    // Here-documents of the command around it begin at the end of its own line.
                    let outer = std::mem::take(&mut self.here_documents);
                    self.list(End::Parenthesis)?;
                    self.here_documents.is_empty().then_some(())?;
                    self.here_documents = outer;
                    Some(())
                }
                Some('{') => {
                    self.rest.next();
                    self.nested('}')
                }
                _ => Some(()),
            },
        }
    }

    /// Reads to the end of double quotes. What stands in single quotes in an expansion there is quoted for some shells
    /// and not for others.
    fn in_double_quotes(&mut self) -> Option<()> {
        let text: String = self.rest.clone().take_while(|&next| next != '"').collect();
        let certain = !text.split("${").skip(1).any(|expansion| expansion.contains('\''));
        certain.then_some(())?;
        self.until('"', &['\\', '$', '`'])
    }

    /// Reads to `end`; of `special`, each begins what it begins outside of quotes.
    fn until(&mut self, end: char, special: &[char]) -> Option<()> {
        loop {
            let next = self.rest.next()?;
            if next == end {
                return Some(());
            }
            if special.contains(&next) && !(next == '$' && matches!(self.rest.peek(), Some('\'' | '"'))) {
                self.deeper(next)?;
            }
        }
    }

    /// Reads to `end`, over all that is quoted or expanded.
    fn nested(&mut self, end: char) -> Option<()> {
        loop {
            let next = self.rest.next()?;
            if next == end {
                return Some(());
            }
            if matches!(next, '\'' | '"' | '\\' | '$' | '`') {
                self.deeper(next)?;
            }
        }
    }

    fn deeper(&mut self, begin: char) -> Option<()> {
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(())?;
        self.quoted_or_expanded(begin)?;
        self.depth -= 1;
        Some(())
    }
}

#[cfg(test)]
mod tests;
