//! How high a value went in ordinary times.

use crate::bytes::{DecodeError, Reader, Writer};

/// Stretches that are remembered: a week.
const STRETCHES: usize = 12;
/// Length of one, in seconds.
const STRETCH_S: i64 = 14 * 3600;

/// The highest value of each of the last stretches of fourteen hours.
///
/// A CUSUM of independent requests hardly ever strays far; one of a service whose errors come in heaps does
/// so every day. What it did by itself lately is asked for no model.
#[derive(Clone, Debug, PartialEq)]
pub struct Excursions {
    highest: [f64; STRETCHES],
    stretch: i64,
}

impl Default for Excursions {
    fn default() -> Self {
        Self { highest: [0.0; STRETCHES], stretch: i64::MIN }
    }
}

impl Excursions {
    /// Takes the value at `second`. Time that goes back is the present.
    pub fn note(&mut self, second: i64, value: f64) {
        let stretch = second.div_euclid(STRETCH_S);
        if stretch > self.stretch {
            let passed = stretch.saturating_sub(self.stretch).min(STRETCHES as i64);
            for step in 0..passed {
                self.highest[slot(stretch - step)] = 0.0;
            }
            self.stretch = stretch;
        }
        let highest = &mut self.highest[slot(self.stretch)];
        *highest = highest.max(value);
    }

    /// The highest value that is remembered.
    #[must_use]
    pub fn highest(&self) -> f64 {
        self.highest.iter().copied().fold(0.0, f64::max)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        writer.integer(self.stretch);
        self.highest.iter().for_each(|value| writer.number(*value));
    }

    pub(crate) fn decode(reader: &mut Reader<'_, '_>) -> Result<Self, DecodeError> {
        let stretch = reader.integer()?;
        let mut highest = [0.0; STRETCHES];
        for value in &mut highest {
            *value = reader.number(0.0)?;
        }
        Ok(Self { highest, stretch })
    }
}

const fn slot(stretch: i64) -> usize {
    stretch.rem_euclid(STRETCHES as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_of_a_week_is_known_and_forgotten_after_it() {
        let mut excursions = Excursions::default();
        excursions.note(1_700_000_000, 5.0);
        for second in 1_700_000_001..1_700_000_000 + 11 * STRETCH_S {
            excursions.note(second, 1.0);
        }
        assert_eq!(excursions.highest(), 5.0);
        excursions.note(1_700_000_000 + 12 * STRETCH_S, 1.0);
        assert_eq!(excursions.highest(), 1.0);
        excursions.note(i64::MAX, 2.0);
        assert_eq!(excursions.highest(), 2.0);
    }
}
