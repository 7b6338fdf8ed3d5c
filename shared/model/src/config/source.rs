//! Where a value was written.

use std::fmt;
use std::sync::Arc;

/// A text that settings are read from, with its name for messages.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Path of the file, or what else it is (`environment variable GOLDENTIME_AGENT__HOST`).
    pub name: String,
    /// The whole text, for quoting lines.
    pub text: String,
}

/// A line and column of a [`Source`], both from 1; line 0 means the source as a whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// What was read.
    pub source: Arc<Source>,
    /// From 1; 0 for the source as a whole.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

/// Longest part of a line that is quoted, in characters; long lines are cut around the column.
const QUOTE_CHARS_MAX: usize = 120;

impl Place {
    /// The source as a whole.
    #[must_use]
    pub fn whole(source: Arc<Source>) -> Self {
        Self { source, line: 0, column: 0 }
    }

    /// The line and a mark under the column, indented for a terminal; empty for a whole source.
    #[must_use]
    pub fn quote(&self) -> String {
        let Some(line) = (self.line as usize).checked_sub(1).and_then(|at| self.source.text.lines().nth(at))
        else {
            return String::new();
        };
        let column = (self.column.max(1) - 1) as usize;
        let cut = column.saturating_sub(QUOTE_CHARS_MAX / 2);
        let shown: String = line.chars().skip(cut).take(QUOTE_CHARS_MAX).collect();
        // Tabs stay tabs in the marker's indent, so that the mark stands under the right character.
        let indent: String =
            shown.chars().take(column - cut).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let number = self.line.to_string();
        let blank = " ".repeat(number.len());
        format!("  {number} | {}\n  {blank} | {indent}^", shown.trim_end())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.source.name),
            line => write!(f, "{}:{line}:{}", self.source.name, self.column),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}
