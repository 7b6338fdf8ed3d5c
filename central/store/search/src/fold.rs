//! When two texts are the same to a searcher: in any case, and however their accents and Hangul
//! syllables are composed.
//!
//! Folding is Unicode's normalisation form C (UAX #15), then lower case character by character, so
//! that a part of a text folds to a part of the folded text.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// The folded text.
#[must_use]
pub fn fold(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    Cow::Owned(NFC.normalize(text).chars().flat_map(char::to_lowercase).collect())
}

/// Whether folding the text is no more than lowering its ASCII letters: it keeps its length then, and
/// every place in it.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.is_ascii() || (text.chars().all(is_lowered) && NFC.is_normalized(text))
}

fn is_lowered(c: char) -> bool {
    c.is_ascii() || {
        let mut lower = c.to_lowercase();
        lower.next() == Some(c) && lower.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_composition_make_no_difference() {
        assert_eq!(fold("GET /Orders"), "get /orders");
        assert_eq!(fold("CAFE\u{301}"), fold("café"));
        // A file name as macOS gives it: 결제 in single letters.
        assert_eq!(fold("\u{1100}\u{1167}\u{11af}\u{110c}\u{1166}"), "결제");
    }

    #[test]
    fn only_texts_that_keep_their_places_are_plain() {
        assert!(is_plain("POST /결제 漢字") && is_plain(""));
        assert!(!is_plain("Ärger") && !is_plain("\u{1100}\u{1167}") && !is_plain("İ"));
    }
}
