//! Just enough of U-Boot's command language: `;`, quotes, `$name` and `${name}`.

/// One command: its words, quotes removed and variables put in.
pub(super) type Words = Vec<String>;

/// Splits `line` into commands; `variable` gives the values.
pub(super) fn parse(line: &str, variable: impl Fn(&str) -> String) -> Vec<Words> {
    let mut commands = Vec::new();
    let (mut words, mut word): (Words, Option<String>) = (Vec::new(), None);
    let mut quote = None;
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '$') => {
                let braced = rest.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(part) = rest
                    .next_if(|&part| part.is_ascii_alphanumeric() || part == '_' || (braced && part != '}'))
                {
                    name.push(part);
                }
                if braced {
                    rest.next_if_eq(&'}');
                }
                word.get_or_insert_default().push_str(&variable(&name));
            }
            (None, ';') => {
                words.extend(word.take());
                commands.push(std::mem::take(&mut words));
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, '\\') => word.get_or_insert_default().extend(rest.next()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    commands.push(words);
    commands.retain(|words| !words.is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_variables_and_semicolons_are_understood() {
        let parsed = parse("setenv bootargs 'a; b=${c}' ;run x; tftp ${addr} \"$file\"; ", str::to_uppercase);
        assert_eq!(
            parsed,
            [vec!["setenv", "bootargs", "a; b=${c}"], vec!["run", "x"], vec!["tftp", "ADDR", "FILE"]]
        );
    }
}
