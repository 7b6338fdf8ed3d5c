//! What is wrong with a file, where, and what to do.

use std::fmt;

use super::source::Place;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it was written; `None` where nothing was written at all.
    pub place: Option<Place>,
    /// The setting, as `inputs.tail[0].format`; empty for the file as a whole.
    pub path: String,
    /// What is wrong, and the way out.
    pub message: String,
}

impl Fault {
    /// Something wrong at a place that has no setting's name.
    #[must_use]
    pub fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), path: String::new(), message: message.into() }
    }

    /// What is wrong without the place: `http.lisen: unknown key`.
    #[must_use]
    pub fn summary(&self) -> String {
        match self.path.as_str() {
            "" => self.message.clone(),
            path => format!("{path}: {}", self.message),
        }
    }
}

/// `file:line:column: setting: what is wrong`, and below it the line with a mark.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.summary())?;
        match self.place.as_ref().map(Place::quote) {
            Some(quote) if !quote.is_empty() => write!(f, "\n{quote}"),
            _ => Ok(()),
        }
    }
}

/// Everything that is wrong, in the order of the file. Never empty as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Ends well only if there are none.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

/// The known name that is most like `written`, if any is like it at all.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '-'], "");
    let written = plain(written);
    let (name, distance) = known
        .into_iter()
        .map(|name| (name, strsim::damerau_levenshtein(&written, &plain(name))))
        .min_by_key(|(_, distance)| *distance)?;
    (distance <= (written.chars().count() / 3).max(1)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_if_it_is_near() {
        assert_eq!(nearest("lisen", ["listen", "agents"]), Some("listen"));
        assert_eq!(nearest("Lookback-window", ["lookbackWindow"]), Some("lookbackWindow"));
        assert_eq!(nearest("colour", ["listen", "agents"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
