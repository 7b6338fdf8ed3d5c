//! What an index knows of a text: short pieces, each hashed to a word.
//!
//! A piece is three neighbouring characters, or two where both are of a CJK script, whose words are
//! too short for three. Trigrams of digits are in almost every block of lines, so pieces with a digit
//! are also taken four characters long: that is what tells one order number from another. A term is
//! in a text only if all of its pieces are; that they are in it is checked against the text.

use hashbrown::HashSet;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Letters and digits that FTS5's `ascii` tokenizer takes as they are.
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// Words of pieces: few enough that hashing is a table, enough that few pieces share one.
const PIECES: u64 = 36 * 36 * 36 * 36;
/// Most pieces of one term that a search asks for: the rest would cost more than they spare.
const ASKED_MAX: usize = 12;

/// The words of a block of lines, each once.
#[derive(Default)]
pub(crate) struct Words {
    pieces: HashSet<u32>,
    names: HashSet<u64>,
    chars: Vec<char>,
}

/// What a name stands for: names of different kinds are different words.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Service = 1,
    Host = 2,
    Trace = 3,
    /// A service's lines of one level.
    ServiceLevel = 4,
    Level = 5,
}

impl Words {
    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
        self.names.clear();
    }

    /// The pieces of a folded text.
    pub(crate) fn add_text(&mut self, folded: &str) {
        self.chars.clear();
        self.chars.extend(folded.chars());
        let pieces = &mut self.pieces;
        each_piece(&self.chars, |piece, _| {
            pieces.insert(piece);
        });
    }

    /// The pieces of a folded text of a single line, which three characters tell apart from others well
    /// enough: pieces of four are left out, and those with a blank at an end.
    pub(crate) fn add_text_of_line(&mut self, folded: &str) {
        self.chars.clear();
        self.chars.extend(folded.chars());
        let pieces = &mut self.pieces;
        each_piece(&self.chars, |piece, weight| {
            if is_of_line(weight) {
                pieces.insert(piece);
            }
        });
    }

    /// A name as a whole.
    pub(crate) fn add_name(&mut self, kind: Kind, name: &str) {
        self.names.insert(name_hash(kind, name));
    }

    /// All words with spaces between, as FTS5 is to index them.
    pub(crate) fn write(&self, out: &mut String) {
        out.clear();
        for piece in &self.pieces {
            push_word(out, u64::from(*piece), 4);
            out.push(' ');
        }
        for name in &self.names {
            push_word(out, *name, 8);
            out.push(' ');
        }
    }
}

/// Words that a block of lines with this folded term has for sure; none when it is too short to tell.
pub(crate) fn of_term(folded: &str) -> Vec<String> {
    asked(folded, |_| true)
}

/// The same of a single line.
pub(crate) fn of_term_in_line(folded: &str) -> Vec<String> {
    asked(folded, is_of_line)
}

/// Whether pieces of this weight are kept of single lines.
const fn is_of_line(weight: u8) -> bool {
    matches!(weight, 1 | 3)
}

fn asked(folded: &str, is_kept: impl Fn(u8) -> bool) -> Vec<String> {
    let chars: Vec<char> = folded.chars().collect();
    let mut pieces = Vec::new();
    each_piece(&chars, |piece, weight| {
        if is_kept(weight) {
            pieces.push((weight, piece));
        }
    });
    // The rarest kinds first; among equals spread over the term rather than its beginning.
    let count = pieces.len();
    let mut ranked: Vec<_> = pieces.into_iter().enumerate().collect();
    ranked.sort_by_key(|(at, (weight, _))| (std::cmp::Reverse(*weight), (at * 7) % count.max(1)));
    let mut words: Vec<String> = Vec::new();
    for (_, (_, piece)) in ranked {
        let mut word = String::new();
        push_word(&mut word, u64::from(piece), 4);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.truncate(ASKED_MAX);
    words
}

/// The word of a name.
pub(crate) fn of_name(kind: Kind, name: &str) -> String {
    let mut word = String::new();
    push_word(&mut word, name_hash(kind, name), 8);
    word
}

/// Calls `found` with each piece and how much it tells.
fn each_piece(chars: &[char], mut found: impl FnMut(u32, u8)) {
    for (at, &a) in chars.iter().enumerate() {
        let Some(&b) = chars.get(at + 1) else { return };
        if is_cjk(a) {
            if is_cjk(b) {
                found(hash(&[a, b]), 3);
            }
            continue;
        }
        let Some(&c) = chars.get(at + 2) else { return };
        if is_cjk(b) || is_cjk(c) {
            continue;
        }
        found(hash(&[a, b, c]), if a == ' ' || c == ' ' { 0 } else { 1 });
        let is_number = a.is_ascii_digit() || b.is_ascii_digit() || c.is_ascii_digit();
        if let Some(&d) = chars.get(at + 3)
            && is_number
            && !is_cjk(d)
        {
            found(hash(&[a, b, c, d]), 2);
        }
    }
}

/// Scripts whose words are one to three characters long (Unicode blocks).
fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x11ff        // Hangul letters
        | 0x2e80..=0x2fdf      // radicals
        | 0x3005..=0x3007
        | 0x3040..=0x30ff      // Hiragana, Katakana
        | 0x3130..=0x318f      // Hangul compatibility letters
        | 0x31f0..=0x31ff
        | 0x3400..=0x4dbf      // Han
        | 0x4e00..=0x9fff
        | 0xa960..=0xa97f
        | 0xac00..=0xd7ff      // Hangul syllables
        | 0xf900..=0xfaff
        | 0xff66..=0xffdc
        | 0x2_0000..=0x3_ffff)
}

fn hash(chars: &[char]) -> u32 {
    let mut hash = chars.len() as u64;
    for c in chars {
        hash = (hash ^ u64::from(u32::from(*c))).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
    }
    u32::try_from(hash % PIECES).unwrap_or(0)
}

fn name_hash(kind: Kind, name: &str) -> u64 {
    xxh3_64_with_seed(name.as_bytes(), kind as u64)
}

fn push_word(out: &mut String, mut hash: u64, letters: usize) {
    for _ in 0..letters {
        let letter = usize::try_from(hash % 36).unwrap_or(0);
        out.push(char::from(ALPHABET[letter]));
        hash /= 36;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let mut words = Words::default();
        words.add_text(text);
        let mut out = String::new();
        words.write(&mut out);
        out
    }

    fn words_of_line(text: &str) -> String {
        let (mut words, mut out) = (Words::default(), String::new());
        words.add_text_of_line(text);
        words.write(&mut out);
        out
    }

    fn is_candidate(text: &str, term: &str) -> bool {
        let has = |words: &str, asked: Vec<String>| {
            asked.iter().all(|word| words.split(' ').any(|have| have == word))
        };
        let of_block = has(&words(text), of_term(term));
        assert!(!of_block || has(&words_of_line(text), of_term_in_line(term)), "{term}");
        of_block
    }

    #[test]
    fn a_text_is_a_candidate_for_each_of_its_parts() {
        let text = "카드결제가 실패 order-8821a7 of 漢字 user@example.com";
        let chars: Vec<char> = text.chars().collect();
        for from in 0..chars.len() {
            for until in from + 1..=chars.len() {
                let part: String = chars[from..until].iter().collect();
                assert!(is_candidate(text, &part), "{part}");
            }
        }
    }

    #[test]
    fn what_is_not_in_a_text_seldom_makes_it_a_candidate() {
        let text = "카드결제가 실패 order-8821a7";
        for absent in ["결재", "order-8821a8", "orden", "12345"] {
            assert!(!is_candidate(text, absent), "{absent}");
        }
    }

    #[test]
    fn terms_too_short_to_tell_ask_for_nothing() {
        for short in ["a", "ab", "가", "a가", "-1"] {
            assert!(of_term(short).is_empty(), "{short}");
        }
    }
}
