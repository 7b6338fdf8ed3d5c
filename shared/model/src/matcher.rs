//! Matchers of labels, as Alertmanager writes them: `severity="page"`, `host=~"web-.*"`, `"팀"!="결제"`.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#matcher>, in the mode that knows UTF-8 names. In JSON a
//! matcher is what Alertmanager's API version 2 has: `{"name", "value", "isRegex", "isEqual"}`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name or value, in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;

/// Matchers in one list.
pub const MATCHERS_MAX: usize = 100;

/// How a value is compared. A label that is not there has the empty value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`: the whole value matches the regular expression.
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    const fn of(is_regex: bool, is_equal: bool) -> Self {
        match (is_regex, is_equal) {
            (false, true) => Self::Equal,
            (false, false) => Self::NotEqual,
            (true, true) => Self::Regex,
            (true, false) => Self::NotRegex,
        }
    }

    /// Whether its value is a regular expression.
    #[must_use]
    pub const fn is_regex(self) -> bool {
        matches!(self, Self::Regex | Self::NotRegex)
    }

    /// Whether it wants the value, and not all others.
    #[must_use]
    pub const fn is_equal(self) -> bool {
        matches!(self, Self::Equal | Self::Regex)
    }

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// What one label must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Json", into = "Json")]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// How it is compared.
    pub op: MatchOp,
    /// With what.
    pub value: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    name: String,
    value: String,
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

const fn yes() -> bool {
    true
}

impl From<Json> for Matcher {
    fn from(Json { name, value, is_regex, is_equal }: Json) -> Self {
        Self { name, value, op: MatchOp::of(is_regex, is_equal) }
    }
}

impl From<Matcher> for Json {
    fn from(Matcher { name, op, value }: Matcher) -> Self {
        Self { name, value, is_regex: op.is_regex(), is_equal: op.is_equal() }
    }
}

/// Why a text is no matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no matcher: {reason}; write it like `severity=\"page\"`, `host=~\"web-.*\"` or `{{a=\"b\",c!=\"d\"}}`"
)]
pub struct MatcherError {
    text: String,
    reason: String,
}

impl Matcher {
    /// Reads one matcher.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        let mut all = Self::parse_all(text)?;
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err(MatcherError { text: text.to_owned(), reason: "not exactly one".into() }),
        }
    }

    /// Reads matchers between commas, with or without braces around them.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, MatcherError> {
        let refuse = |reason: String| MatcherError { text: text.chars().take(200).collect(), reason };
        Reader { rest: text }.list().map_err(refuse)
    }
}

impl fmt::Display for Matcher {
    /// As Alertmanager writes it: the value in quotes, the name too where it is no plain word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let starts_plain = self.name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if starts_plain && self.name.chars().all(is_plain) {
            f.write_str(&self.name)?;
        } else {
            quote(f, &self.name)?;
        }
        f.write_str(self.op.as_str())?;
        quote(f, &self.value)
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// What is left to read.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn list(mut self) -> Result<Vec<Matcher>, String> {
        self.skip_spaces();
        let has_braces = self.eat("{");
        let mut all = Vec::new();
        loop {
            self.skip_spaces();
            if self.rest.is_empty() || (has_braces && self.rest.starts_with('}')) {
                break;
            }
            all.push(self.matcher()?);
            if all.len() > MATCHERS_MAX {
                return Err(format!("more than {MATCHERS_MAX}"));
            }
            self.skip_spaces();
            if !self.eat(",") {
                break;
            }
        }
        if has_braces && !self.eat("}") {
            return Err("a `}` is missing".into());
        }
        self.skip_spaces();
        match self.rest.chars().next() {
            None => Ok(all),
            Some(next) => Err(format!("`{next}` is not expected after a matcher")),
        }
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        let name = self.text("name")?;
        if name.is_empty() {
            return Err("a label's name is empty".into());
        }
        self.skip_spaces();
        let ops = [MatchOp::Regex, MatchOp::NotRegex, MatchOp::NotEqual, MatchOp::Equal];
        let Some(op) = ops.into_iter().find(|op| self.eat(op.as_str())) else {
            return Err("after a label's name comes one of =, !=, =~, !~".into());
        };
        self.skip_spaces();
        let value = self.text("value")?;
        Ok(Matcher { name, op, value })
    }

    /// A word, or a text in quotes.
    fn text(&mut self, what: &str) -> Result<String, String> {
        let text = if self.eat("\"") { self.quoted()? } else { self.word(what)? };
        match text.len() {
            0..=TEXT_BYTES_MAX => Ok(text),
            bytes => Err(format!("a {what} has {bytes} bytes, more than {TEXT_BYTES_MAX}")),
        }
    }

    fn word(&mut self, what: &str) -> Result<String, String> {
        let is_reserved = |c: char| c.is_whitespace() || "{}!=~,\\\"'`".contains(c);
        let end = self.rest.find(is_reserved).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() {
            return Err(match rest.chars().next() {
                Some(next) => format!("`{next}` where a {what} is expected; put it in double quotes"),
                None => format!("it ends where a {what} is expected"),
            });
        }
        self.rest = rest;
        Ok(word.to_owned())
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => match chars.next().map(|(_, escaped)| escaped) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(c @ ('"' | '\\' | '\'')) => text.push(c),
                    // A regular expression is easily written with a single backslash.
                    Some(c) => text.extend(['\\', c]),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err("a closing quote is missing".into())
    }

    fn eat(&mut self, expected: &str) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, &'static str, String)> {
        let all = Matcher::parse_all(text).expect(text);
        all.into_iter().map(|matcher| (matcher.name, matcher.op.as_str(), matcher.value)).collect()
    }

    fn owned(all: &[(&str, &'static str, &str)]) -> Vec<(String, &'static str, String)> {
        all.iter().map(|(name, op, value)| ((*name).to_owned(), *op, (*value).to_owned())).collect()
    }

    #[test]
    fn alertmanagers_ways_to_write_matchers_are_read() {
        assert_eq!(read(r#"foo="bar""#), owned(&[("foo", "=", "bar")]));
        assert_eq!(read("foo!=bar"), owned(&[("foo", "!=", "bar")]));
        assert_eq!(
            read(r#" { foo =~ "a|b" , "팀 이름"!~"결제.*", } "#),
            owned(&[("foo", "=~", "a|b"), ("팀 이름", "!~", "결제.*")])
        );
        assert_eq!(read(r#"a="x,y=\"z\"",b=1"#), owned(&[("a", "=", "x,y=\"z\""), ("b", "=", "1")]));
        assert_eq!(read(r#"a=~"\d+""#), owned(&[("a", "=~", r"\d+")]));
        assert_eq!(read(r#"a="""#), owned(&[("a", "=", "")]));
        assert_eq!(read("{}"), owned(&[]));
    }

    #[test]
    fn what_is_no_matcher_is_refused_with_the_reason() {
        for (text, reason) in [
            ("foo", "one of ="),
            ("=bar", "where a name is expected"),
            (r#"foo="bar"#, "closing quote"),
            ("{foo=bar", "`}` is missing"),
            ("foo=bar baz=1", "not expected"),
            (r#"""="x""#, "empty"),
            ("foo=", "ends where a value"),
        ] {
            let error = Matcher::parse_all(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(Matcher::parse("a=b,c=d").is_err() && Matcher::parse("{}").is_err());
        assert!(Matcher::parse(&format!("a={}", "x".repeat(TEXT_BYTES_MAX + 1))).is_err());
    }

    #[test]
    fn in_json_a_matcher_is_alertmanagers() {
        let json = r#"{"name":"a","value":"b","isRegex":true,"isEqual":false}"#;
        let matcher: Matcher = serde_json::from_str(json).expect("read");
        assert_eq!(matcher.to_string(), r#"a!~"b""#);
        assert_eq!(serde_json::to_string(&matcher).expect("written"), json);
        let old: Matcher = serde_json::from_str(r#"{"name":"a","value":"b","isRegex":false}"#).expect("read");
        assert_eq!(old.op, MatchOp::Equal, "clients of before isEqual leave it out");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(name in ".{1,20}", value in ".{0,40}", op in 0_usize..4) {
            let op = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex][op];
            let matcher = Matcher { name, op, value };
            prop_assert_eq!(Matcher::parse(&matcher.to_string()).expect("read"), matcher);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,200}") {
            let _ = Matcher::parse_all(&text);
        }
    }
}
