//! What stands in the search box: words, phrases in quotes, and exclusions.

use std::fmt;
use std::str::FromStr;

use crate::fold::fold;

/// Longest text of a search, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Most words and phrases in one search.
pub const TERMS_MAX: usize = 16;

/// Words and phrases that a line must hold, and such that it must not. Each matches wherever it stands
/// in the line, also inside a word, in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Folded; the line holds each of them.
    pub wanted: Vec<String>,
    /// Folded; the line holds none of them.
    pub unwanted: Vec<String>,
}

/// Why a text is no search.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Too long.
    #[error("{0} bytes are more than the {TEXT_BYTES_MAX} that a search may have")]
    TooLong(usize),
    /// Too many words.
    #[error(
        "{0} words and phrases are more than the {TERMS_MAX} that a search may have; put words that stand together in quotes"
    )]
    TooMany(usize),
    /// A quote that is not closed.
    #[error("the quote at character {0} is not closed; to search for a quote itself write \\\"")]
    Unclosed(usize),
    /// A control character, which no term may hold.
    #[error("character {0} is a control character; leave it out")]
    Control(usize),
    /// Quotes around nothing.
    #[error("the quotes at character {0} hold nothing; leave them out")]
    Empty(usize),
}

impl Terms {
    /// Whether every line has them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    fn add(&mut self, text: &str, is_wanted: bool) {
        let terms = if is_wanted { &mut self.wanted } else { &mut self.unwanted };
        let folded = fold(text).into_owned();
        if !terms.contains(&folded) {
            terms.push(folded);
        }
    }
}

/// `timeout "card declined" -healthz`: both of the first, not the last. A backslash takes the next
/// character as it is; nothing else has a meaning of its own.
impl FromStr for Terms {
    type Err = TermsError;

    fn from_str(text: &str) -> Result<Self, TermsError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(TermsError::TooLong(text.len()));
        }
        if let Some(at) = text.chars().position(|c| c.is_control() && !c.is_whitespace()) {
            return Err(TermsError::Control(at + 1));
        }
        let mut terms = Self::default();
        let mut chars = text.chars().enumerate().peekable();
        loop {
            while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
            let Some(&(start, first)) = chars.peek() else { break };
            let mut is_wanted = true;
            if first == '-' {
                chars.next();
                // A dash on its own is text.
                if chars.peek().is_none_or(|(_, c)| c.is_whitespace()) {
                    terms.add("-", true);
                    continue;
                }
                is_wanted = false;
            }
            let is_phrase = chars.next_if(|(_, c)| *c == '"').is_some();
            let (mut word, mut is_closed) = (String::new(), !is_phrase);
            while let Some(&(_, c)) = chars.peek() {
                if is_phrase && c == '"' {
                    chars.next();
                    is_closed = true;
                    break;
                }
                if !is_phrase && c.is_whitespace() {
                    break;
                }
                chars.next();
                match chars.next_if(|(_, next)| c == '\\' && matches!(next, '"' | '\\' | '-')) {
                    Some((_, escaped)) => word.push(escaped),
                    None => word.push(c),
                }
            }
            if !is_closed {
                return Err(TermsError::Unclosed(start + 1));
            }
            if word.is_empty() {
                return Err(TermsError::Empty(start + 1));
            }
            terms.add(&word, is_wanted);
        }
        let count = terms.wanted.len() + terms.unwanted.len();
        if count > TERMS_MAX {
            return Err(TermsError::TooMany(count));
        }
        Ok(terms)
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |term: &String| format!("\"{}\"", term.replace('\\', "\\\\").replace('"', "\\\""));
        let all = self.wanted.iter().map(quoted);
        let all: Vec<_> = all.chain(self.unwanted.iter().map(|term| format!("-{}", quoted(term)))).collect();
        f.write_str(&all.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Terms {
        text.parse().expect("a search")
    }

    #[test]
    fn words_phrases_and_exclusions_are_told_apart() {
        let terms = read("  Timeout \"card  declined\" -healthz -\"GET /\" a-b timeout ");
        assert_eq!(terms.wanted, ["timeout", "card  declined", "a-b"]);
        assert_eq!(terms.unwanted, ["healthz", "get /"]);
        assert!(read(" \t").is_empty());
    }

    #[test]
    fn a_backslash_takes_quotes_and_dashes_as_text() {
        assert_eq!(
            read(r#"\"x \-v C:\temp "a \" b" - --v"#).wanted,
            ["\"x", "-v", "c:\\temp", "a \" b", "-"]
        );
        assert_eq!(read("--v").unwanted, ["-v"]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        assert_eq!("a \"b".parse::<Terms>(), Err(TermsError::Unclosed(3)));
        assert_eq!("a \"\"".parse::<Terms>(), Err(TermsError::Empty(3)));
        assert_eq!("a\0".parse::<Terms>(), Err(TermsError::Control(2)));
        assert_eq!("x".repeat(1025).parse::<Terms>(), Err(TermsError::TooLong(1025)));
        let many: Vec<_> = (0..17).map(|n| n.to_string()).collect();
        assert_eq!(many.join(" ").parse::<Terms>(), Err(TermsError::TooMany(17)));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let terms = read(r#"a "b \" c\\" -"d e""#);
        assert_eq!(read(&terms.to_string()), terms);
    }
}
