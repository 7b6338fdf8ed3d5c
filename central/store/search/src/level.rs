//! Levels: the many words that programs have for the same six grades.

use std::fmt;
use std::str::FromStr;

/// How grave a line says it is. Ordered: `Trace < … < Fatal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Finest detail.
    Trace,
    /// Detail for developers.
    Debug,
    /// What happens when all is well; `notice` too.
    Info,
    /// What may become a problem.
    Warn,
    /// Something failed.
    Error,
    /// The program or more cannot go on: `fatal`, `critical`, `alert`, `emerg`, `panic`.
    Fatal,
}

impl Level {
    /// All, least grave first.
    pub const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// The grade of a level as programs and syslog write it, in any case; `None` for other words.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let grades: [(&[&str], Self); 6] = [
            (&["info", "information", "informational", "notice"], Self::Info),
            (&["error", "err", "severe"], Self::Error),
            (&["warn", "warning"], Self::Warn),
            (&["debug", "fine"], Self::Debug),
            (&["trace", "verbose", "finest"], Self::Trace),
            (&["fatal", "critical", "crit", "alert", "emerg", "emergency", "panic"], Self::Fatal),
        ];
        let is = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        grades.iter().find(|(words, _)| is(words)).map(|(_, level)| *level)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no level; known are trace, debug, info, warn, error, fatal, and unknown")]
pub struct UnknownLevel(String);

/// A set of levels, with a place for lines that name none.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Levels(u8);

impl Levels {
    /// Every line.
    pub const ALL: Self = Self(0x7f);
    /// Lines whose level is missing or a word of their own.
    pub const UNKNOWN: Self = Self(0x40);
    /// Slots of [`Levels::slot`].
    pub const SLOTS: usize = 7;

    /// Just this level.
    #[must_use]
    pub const fn just(level: Level) -> Self {
        Self(1 << level as u8)
    }

    /// This level and graver ones; lines that name none are not among them.
    #[must_use]
    pub fn at_least(level: Level) -> Self {
        Level::ALL
            .into_iter()
            .filter(|other| *other >= level)
            .fold(Self(0), |all, one| all.with(Self::just(one)))
    }

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The one-element set that a line of this level belongs to.
    #[must_use]
    pub fn of(word: &str) -> Self {
        Level::of(word).map_or(Self::UNKNOWN, Self::just)
    }

    /// Whether the sets share a level.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Number of a one-element set: 0 for trace to 5 for fatal, 6 for unknown.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.0.trailing_zeros() as usize
    }

    /// The one-element sets that it is made of.
    pub fn each(self) -> impl Iterator<Item = Self> {
        (0..Self::SLOTS).map(|slot| Self(1 << slot)).filter(move |one| self.meets(*one))
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            self.each().map(|one| Level::ALL.get(one.slot()).map_or("unknown", |level| level.as_str()));
        f.debug_set().entries(names).finish()
    }
}

/// `warn`: at least that. `=warn`: just that. `info,error,unknown`: any of these.
impl FromStr for Levels {
    type Err = UnknownLevel;

    fn from_str(written: &str) -> Result<Self, UnknownLevel> {
        let named = |word: &str| match word.trim() {
            "unknown" => Ok(Self::UNKNOWN),
            word => Level::of(word).map(Self::just).ok_or_else(|| UnknownLevel(word.to_owned())),
        };
        match written.strip_prefix('=') {
            Some(just) => named(just),
            None if written.contains(',') => {
                written.split(',').try_fold(Self(0), |all, word| Ok(all.with(named(word)?)))
            }
            None if written == "unknown" => Ok(Self::UNKNOWN),
            None => Level::of(written).map(Self::at_least).ok_or_else(|| UnknownLevel(written.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_alone_means_at_least_and_a_list_just_these() {
        let read = |text: &str| text.parse::<Levels>().expect("levels");
        assert!(read("warn").meets(Levels::of("CRITICAL")) && read("warn").meets(Levels::of("warning")));
        assert!(!read("warn").meets(Levels::of("notice")) && !read("warn").meets(Levels::of("")));
        assert!(read("=warn").meets(Levels::of("warn")) && !read("=warn").meets(Levels::of("error")));
        assert_eq!(read("info,unknown"), Levels::just(Level::Info).with(Levels::UNKNOWN));
        assert!("loud".parse::<Levels>().expect_err("no level").to_string().contains("`loud`"));
    }
}
