//! Signatures of webhook bodies.

use std::fmt::Write as _;

use ring::hmac;

/// Header that carries the signature.
pub(super) const SIGNATURE_HEADER: &str = "goldentime-signature";

/// `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. The time is signed too, so that a
/// receiver can refuse what was recorded and sent again later.
pub(super) fn signature(secret: &str, at_s: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{at_s}.").as_bytes());
    context.update(body);
    let mut text = format!("t={at_s},v1=");
    for byte in context.sign().as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    /// Computed by `printf '1700000000.{}' | openssl dgst -sha256 -hmac secret`.
    #[test]
    fn the_signature_is_that_of_openssl() {
        let expected = "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163";
        assert_eq!(super::signature("secret", 1_700_000_000, b"{}"), expected);
    }
}
