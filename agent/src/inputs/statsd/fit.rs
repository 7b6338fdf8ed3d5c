//! Names from datagrams, made fit for records.

use goldentime_model::identity::NAME_BYTES_MAX;

/// A text without control characters, of at most [`NAME_BYTES_MAX`] bytes or fewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The text.
    pub text: String,
    /// Something was cut off.
    pub is_cut: bool,
}

/// Bytes that a name keeps free for what is put behind it, such as `.count`.
const SUFFIX_BYTES: usize = 6;

/// The name of a metric, fit for a record and a suffix.
#[must_use]
pub fn fit_name(bytes: &[u8]) -> Fit {
    fit_to(bytes, NAME_BYTES_MAX - SUFFIX_BYTES)
}

/// Makes bytes a text: what is no UTF-8 is repaired, control characters become `_`, what is too long
/// is cut.
#[must_use]
pub fn fit(bytes: &[u8]) -> Fit {
    fit_to(bytes, NAME_BYTES_MAX)
}

fn fit_to(bytes: &[u8], bytes_max: usize) -> Fit {
    let text = String::from_utf8_lossy(bytes);
    let cut = &text[..text.floor_char_boundary(bytes_max)];
    let is_cut = cut.len() < text.len();
    Fit { text: cut.chars().map(|c| if c.is_control() { '_' } else { c }).collect(), is_cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_what_a_record_can_carry() {
        assert_eq!(fit("결제.시간".as_bytes()), Fit { text: "결제.시간".into(), is_cut: false });
        assert_eq!(fit(b"a\tb\xff").text, "a_b\u{fffd}");
        let long = fit("제".repeat(100).as_bytes());
        assert!(long.is_cut && long.text.len() == 198, "{}", long.text.len());
    }
}
