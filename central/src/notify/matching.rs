//! Matchers at work: parsed once, with their expressions compiled.

use goldentime_model::matcher::MATCHERS_MAX;
use goldentime_model::{Labels, Matcher};
use regex::{Regex, RegexBuilder};

/// Memory of one compiled expression. Expressions of this kind are matched in time linear in the text, so that is
/// the only bound that they need.
const REGEX_BYTES_MAX: usize = 128 * 1024;

/// All of them match, or not.
#[derive(Clone, Debug, Default)]
pub struct Matchers(Vec<One>);

#[derive(Clone, Debug)]
struct One {
    name: String,
    is_equal: bool,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    Text(String),
    Regex(Regex),
}

impl Matchers {
    /// Compiles matchers, or says which of them cannot be.
    pub fn new(matchers: &[Matcher]) -> Result<Self, String> {
        if matchers.len() > MATCHERS_MAX {
            return Err(format!("at most {MATCHERS_MAX} matchers"));
        }
        matchers.iter().map(One::new).collect::<Result<_, _>>().map(Self)
    }

    /// Reads and compiles texts, each with one matcher or more.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let mut matchers = Vec::new();
        for text in texts {
            matchers.extend(Matcher::parse_all(text).map_err(|error| error.to_string())?);
        }
        Self::new(&matchers)
    }

    /// Whether all of them match; a label that is not there has the empty value.
    pub fn match_all(&self, labels: &Labels) -> bool {
        self.0.iter().all(|one| one.matches(labels.get(&one.name).map_or("", String::as_str)))
    }

    /// Whether an alert without any label would match: then they say nothing.
    pub fn match_nothing(&self) -> bool {
        self.match_all(&Labels::new())
    }
}

impl One {
    fn new(matcher: &Matcher) -> Result<Self, String> {
        let wanted = if matcher.op.is_regex() {
            let regex =
                RegexBuilder::new(&format!("^(?:{})$", matcher.value)).size_limit(REGEX_BYTES_MAX).build();
            Wanted::Regex(regex.map_err(|error| format!("`{matcher}`: {error}"))?)
        } else {
            Wanted::Text(matcher.value.clone())
        };
        Ok(Self { name: matcher.name.clone(), is_equal: matcher.op.is_equal(), wanted })
    }

    fn matches(&self, value: &str) -> bool {
        let is_so = match &self.wanted {
            Wanted::Text(text) => text == value,
            Wanted::Regex(regex) => regex.is_match(value),
        };
        is_so == self.is_equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn matches(text: &str, pairs: &[(&str, &str)]) -> bool {
        Matchers::parse(&[text.to_owned()]).expect(text).match_all(&labels(pairs))
    }

    #[test]
    fn expressions_match_the_whole_value_and_a_missing_label_is_empty() {
        assert!(matches(r#"host=~"web-.*""#, &[("host", "web-1")]));
        assert!(!matches(r#"host=~"web""#, &[("host", "web-1")]), "anchored");
        assert!(!matches(r#"host=~"a|web-1x""#, &[("host", "web-1")]), "each branch is");
        assert!(matches(r#"team!="db""#, &[("host", "web-1")]));
        assert!(
            matches(r#"team="""#, &[]) && matches(r#"team=~".*""#, &[]) && !matches(r#"team=~".+""#, &[])
        );
        assert!(matches(r#"{"팀"="결제",host!~"db.*"}"#, &[("팀", "결제"), ("host", "web-1")]));
    }

    #[test]
    fn matchers_that_every_alert_has_say_nothing() {
        let of = |text: &str| Matchers::parse(&[text.to_owned()]).expect(text).match_nothing();
        assert!(of(r#"a!="b""#) && of(r#"a=~".*""#) && of("{}") && !of(r#"a="b",c!="d""#));
    }

    #[test]
    fn an_expression_that_is_wrong_or_too_large_is_refused() {
        for text in [r#"a=~"(""#, r#"a=~"(x{1000}){1000}""#] {
            assert!(Matchers::parse(&[text.to_owned()]).is_err(), "{text}");
        }
    }
}
