//! Texts cut to what a record may hold.

/// The text up to a length in bytes, between two characters; counts it where something went.
pub fn within(mut text: String, bytes_max: usize, cut: &mut u64) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        *cut += 1;
    }
    text
}
