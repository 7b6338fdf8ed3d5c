//! Names of metrics with places left open: `shop.*.{endpoint}.time`.

/// What a name says besides the tags, by the placeholders that it was matched with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Captures<'a> {
    /// `{service}`.
    pub service: Option<&'a [u8]>,
    /// `{endpoint}`.
    pub endpoint: Option<&'a [u8]>,
    /// `{method}`.
    pub method: Option<&'a [u8]>,
    /// `{status}`.
    pub status: Option<&'a [u8]>,
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
    /// Ends in `**`: anything may follow.
    is_open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// What stands before and behind a `*`; without one the whole part stands in the first.
    Glob(Box<[u8]>, Box<[u8]>),
    Exact(Box<[u8]>),
    Capture(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Service,
    Endpoint,
    Method,
    Status,
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It has an empty part.
    #[error("`{0}`: a part between two dots is empty")]
    Empty(String),
    /// `**` is not alone at the end.
    #[error("`{0}`: `**` stands for all that is left, and can only be the last part")]
    Rest(String),
    /// A part has more than one `*`.
    #[error("`{0}`: a part can have one `*`")]
    Stars(String),
    /// A placeholder is not known or not alone in its part.
    #[error("`{0}`: {{service}}, {{endpoint}}, {{method}} and {{status}} stand for whole parts")]
    Placeholder(String),
}

impl Pattern {
    /// Compiles a pattern: parts with dots between, in which `*` stands for any characters of one
    /// part, `{service}`, `{endpoint}`, `{method}` and `{status}` for a part that says so, and `**`
    /// at the end for any parts or none.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let own = || text.to_owned();
        let (body, is_open) = match text.strip_suffix("**") {
            Some("") => return Ok(Self { parts: Vec::new(), is_open: true }),
            Some(before) => (before.strip_suffix('.').ok_or_else(|| PatternError::Rest(own()))?, true),
            None => (text, false),
        };
        let part = |part: &str| match part {
            "" => Err(PatternError::Empty(own())),
            "{service}" => Ok(Part::Capture(Place::Service)),
            "{endpoint}" => Ok(Part::Capture(Place::Endpoint)),
            "{method}" => Ok(Part::Capture(Place::Method)),
            "{status}" => Ok(Part::Capture(Place::Status)),
            part if part.contains(['{', '}']) => Err(PatternError::Placeholder(own())),
            part if part.contains("**") => Err(PatternError::Rest(own())),
            part => match part.split_once('*') {
                None => Ok(Part::Exact(part.as_bytes().into())),
                Some((_, after)) if after.contains('*') => Err(PatternError::Stars(own())),
                Some((before, after)) => Ok(Part::Glob(before.as_bytes().into(), after.as_bytes().into())),
            },
        };
        Ok(Self { parts: body.split('.').map(part).collect::<Result<_, _>>()?, is_open })
    }

    /// What a name says by this pattern; `None` if it does not match.
    #[must_use]
    pub fn captures<'a>(&self, name: &'a [u8]) -> Option<Captures<'a>> {
        let mut captures = Captures::default();
        let mut given = name.split(|byte| *byte == b'.');
        for part in &self.parts {
            let text = given.next()?;
            match part {
                Part::Exact(exact) if **exact == *text => {}
                Part::Glob(before, after)
                    if text.len() >= before.len() + after.len()
                        && text.starts_with(before)
                        && text.ends_with(after) => {}
                Part::Capture(_) if text.is_empty() => return None,
                Part::Capture(Place::Service) => captures.service = Some(text),
                Part::Capture(Place::Endpoint) => captures.endpoint = Some(text),
                Part::Capture(Place::Method) => captures.method = Some(text),
                Part::Capture(Place::Status) => captures.status = Some(text),
                Part::Exact(_) | Part::Glob(..) => return None,
            }
        }
        (self.is_open || given.next().is_none()).then_some(captures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).expect("valid").captures(name.as_bytes()).is_some()
    }

    #[test]
    fn stars_stand_for_one_part_and_two_for_the_rest() {
        for (pattern, name, is_match) in [
            ("**", "anything.at.all", true),
            ("http.request.time", "http.request.time", true),
            ("http.request.time", "http.request.time.max", false),
            ("http.*.time", "http.request.time", true),
            ("http.*.time", "http.a.b.time", false),
            ("http.req*st.time", "http.request.time", true),
            ("http.re*", "http.re", true),
            ("ab*ba", "aba", false),
            ("http.**", "http.request.time", true),
            ("http.**", "http", true),
            ("http.**", "https.request", false),
        ] {
            assert_eq!(matches(pattern, name), is_match, "{pattern} on {name}");
        }
    }

    #[test]
    fn placeholders_take_what_the_name_says() {
        let pattern = Pattern::new("{service}.api.{endpoint}.{method}.{status}").expect("valid");
        let captures = pattern.captures(b"shop.api.cart.GET.200").expect("matches");
        assert_eq!(captures.service, Some(&b"shop"[..]));
        assert_eq!(captures.endpoint, Some(&b"cart"[..]));
        assert_eq!((captures.method, captures.status), (Some(&b"GET"[..]), Some(&b"200"[..])));
        assert_eq!(pattern.captures(b"shop.api..GET.200"), None);
    }

    #[test]
    fn a_pattern_that_means_nothing_is_refused() {
        assert!(matches!(Pattern::new("a..b"), Err(PatternError::Empty(_))));
        assert!(matches!(Pattern::new(""), Err(PatternError::Empty(_))));
        assert!(matches!(Pattern::new("a.**.b"), Err(PatternError::Rest(_))));
        assert!(matches!(Pattern::new("a**"), Err(PatternError::Rest(_))));
        assert!(matches!(Pattern::new("a*b*"), Err(PatternError::Stars(_))));
        assert!(matches!(Pattern::new("a.{name}"), Err(PatternError::Placeholder(_))));
        assert!(matches!(Pattern::new("x{service}"), Err(PatternError::Placeholder(_))));
    }
}
