//! What can be asked for, and whether a line is meant.

use std::fmt;
use std::str::FromStr;

use goldentime_model::identity::{NameError, check_name};
use goldentime_model::{LogRecord, ServiceId, UnixNanos};

use crate::fold::fold;
use crate::level::Levels;
use crate::terms::Terms;

/// What lines are meant. An empty one means all.
///
/// **Text.** A term is looked for in the message and in each attribute, written `key=value`; it does
/// not reach from one into the next. A term that is a whole trace id also means the lines of that
/// trace. **Time.** `from` is the first instant, `until` the first one after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Words and phrases.
    pub terms: Terms,
    /// Only these levels.
    pub levels: Levels,
    /// Only these services.
    pub service: Option<ServicePattern>,
    /// Only this host.
    pub host: Option<String>,
    /// Only this trace, in any case.
    pub trace_id: Option<String>,
    /// First instant.
    pub from: UnixNanos,
    /// First instant after.
    pub until: UnixNanos,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            terms: Terms::default(),
            levels: Levels::ALL,
            service: None,
            host: None,
            trace_id: None,
            from: UnixNanos(i64::MIN),
            until: UnixNanos(i64::MAX),
        }
    }
}

impl Query {
    /// Whether this line is meant. This is the definition; an index may only be quicker.
    #[must_use]
    pub fn matches(&self, service: &ServiceId, host: &str, record: &LogRecord) -> bool {
        self.spans(record.at)
            && self.levels.meets(Levels::of(&record.level))
            && self.service.as_ref().is_none_or(|pattern| pattern.matches(service))
            && self.host.as_ref().is_none_or(|wanted| wanted == host)
            && self.trace_id.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&record.trace_id))
            && (self.terms.is_empty() || self.matches_text(record))
    }

    /// Whether the instant lies in its time.
    #[must_use]
    pub fn spans(&self, at: UnixNanos) -> bool {
        self.from <= at && at < self.until
    }

    fn matches_text(&self, record: &LogRecord) -> bool {
        let mut fields = vec![fold(&record.message)];
        for (key, value) in &record.attributes {
            fields.push(fold(&format!("{key}={value}")).into_owned().into());
        }
        let holds = |term: &String| {
            fields.iter().any(|field| field.contains(&**term)) || term.eq_ignore_ascii_case(&record.trace_id)
        };
        self.terms.wanted.iter().all(holds) && !self.terms.unwanted.iter().any(holds)
    }
}

/// Services by the three parts of their id, each a name or `*` for any: `shop/prod/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePattern([Option<String>; 3]);

/// A text that names no services.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServicePatternError {
    /// Not three parts.
    #[error("`{0}` is not of the form project/environment/service, each a name or `*` for any")]
    Parts(String),
    /// A part is no name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl ServicePattern {
    /// Whether it means this service.
    #[must_use]
    pub fn matches(&self, service: &ServiceId) -> bool {
        let (project, environment, name) = service.parts();
        self.0
            .iter()
            .zip([project, environment, name])
            .all(|(wanted, is)| wanted.as_ref().is_none_or(|it| it == is))
    }

    /// Project, environment and name; none for any.
    pub(crate) fn parts(&self) -> [Option<&str>; 3] {
        self.0.each_ref().map(|part| part.as_deref())
    }

    /// The id, where it means just one.
    #[must_use]
    pub fn exact(&self) -> Option<ServiceId> {
        let [Some(project), Some(environment), Some(name)] = &self.0 else { return None };
        ServiceId::new(project, environment, name).ok()
    }
}

impl From<&ServiceId> for ServicePattern {
    fn from(service: &ServiceId) -> Self {
        let (project, environment, name) = service.parts();
        Self([project, environment, name].map(|part| Some(part.to_owned())))
    }
}

impl FromStr for ServicePattern {
    type Err = ServicePatternError;

    fn from_str(written: &str) -> Result<Self, ServicePatternError> {
        let parts: Vec<_> = written.splitn(4, '/').collect();
        let parts: [&str; 3] =
            parts.try_into().map_err(|_| ServicePatternError::Parts(written.chars().take(80).collect()))?;
        for part in parts {
            if part != "*" {
                check_name(part)?;
            }
        }
        Ok(Self(parts.map(|part| (part != "*").then(|| part.to_owned()))))
    }
}

impl fmt::Display for ServicePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [project, environment, name] = self.0.each_ref().map(|part| part.as_deref().unwrap_or("*"));
        write!(f, "{project}/{environment}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_the_services_whose_named_parts_agree() {
        let pattern: ServicePattern = "shop/*/api".parse().expect("a pattern");
        let service = |id: &str| id.parse::<ServiceId>().expect("an id");
        assert!(pattern.matches(&service("shop/prod/api")) && !pattern.matches(&service("shop/prod/web")));
        assert_eq!((pattern.to_string(), pattern.exact()), ("shop/*/api".into(), None));
        assert!("shop/api".parse::<ServicePattern>().is_err());
        assert!("shop//api".parse::<ServicePattern>().is_err());
    }
}
