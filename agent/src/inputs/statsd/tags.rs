//! Tags: `service:shop,env:prod,canary`.

/// Value of a tag that is only a name.
pub const BARE: &[u8] = b"true";

/// Names and values, in the order in which they were sent.
pub fn tags(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|byte| *byte == b',').filter(|tag| !tag.is_empty()).map(|tag| {
        match memchr::memchr(b':', tag) {
            Some(colon) => (&tag[..colon], &tag[colon + 1..]),
            None => (tag, BARE),
        }
    })
}

/// The value of the first of `names` that is among the tags and not empty.
pub fn first_of<'a>(text: &'a [u8], names: &[String]) -> Option<&'a [u8]> {
    names.iter().find_map(|name| {
        let own = tags(text).find(|(tag, value)| *tag == name.as_bytes() && !value.is_empty());
        own.map(|(_, value)| value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_split_at_their_first_colon() {
        let read: Vec<_> = tags(b"service:shop,url:http://a/b,canary,,").collect();
        let expected: [(&[u8], &[u8]); 3] =
            [(b"service", b"shop"), (b"url", b"http://a/b"), (b"canary", b"true")];
        assert_eq!(read, expected);
        assert_eq!(tags(b"").count(), 0);
    }

    #[test]
    fn the_first_name_of_the_list_that_says_something_holds() {
        let names = ["endpoint".to_owned(), "route".to_owned()];
        assert_eq!(first_of(b"route:/b,endpoint:/a", &names), Some(&b"/a"[..]));
        assert_eq!(first_of(b"endpoint:,route:/b", &names), Some(&b"/b"[..]));
        assert_eq!(first_of(b"service:shop", &names), None);
    }
}
