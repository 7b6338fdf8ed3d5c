//! Fixed-size states as bytes: a version byte, then numbers in little-endian order.

use std::fmt;

/// Why bytes are no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// There are fewer bytes than the version has.
    Short,
    /// A version that this program does not know.
    Version(u8),
    /// A number that no state holds, such as NaN.
    Number,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the bytes end too soon"),
            Self::Version(version) => write!(f, "version {version} is not known"),
            Self::Number => f.write_str("a number is out of range"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Appends numbers.
#[derive(Debug)]
pub(crate) struct Writer<'a>(pub(crate) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(crate) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn integer(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A statistic; four bytes are enough for it.
    pub(crate) fn number(&mut self, value: f64) {
        self.0.extend_from_slice(&(value as f32).to_le_bytes());
    }
}

/// Takes numbers off the front.
#[derive(Debug)]
pub(crate) struct Reader<'a, 'b>(pub(crate) &'a mut &'b [u8]);

impl Reader<'_, '_> {
    pub(crate) fn version(&mut self, newest: u8) -> Result<u8, DecodeError> {
        let version = self.byte()?;
        if (1..=newest).contains(&version) { Ok(version) } else { Err(DecodeError::Version(version)) }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn integer(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A number of at least `least`; minus infinity only where `least` is that.
    pub(crate) fn number(&mut self, least: f64) -> Result<f64, DecodeError> {
        let value = f64::from(f32::from_le_bytes(self.array()?));
        if value.is_nan() || value < least || value == f64::INFINITY {
            return Err(DecodeError::Number);
        }
        Ok(value)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (front, rest) = self.0.split_first_chunk::<N>().ok_or(DecodeError::Short)?;
        *self.0 = rest;
        Ok(*front)
    }
}
