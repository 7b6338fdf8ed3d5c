//! Join tokens: `gt1.<SHA-256 of the authority's certificate, hex>.<secret, hex>`.
//!
//! The fingerprint lets an agent know its central before it trusts anything that it says; the secret
//! lets the central know that the agent was invited. The central keeps only the secret's SHA-256. The
//! secret has 160 random bits, so a plain hash is enough: there is nothing to guess.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// Version prefix.
const PREFIX: &str = "gt1";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 20;

/// SHA-256 of a certificate's DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertificateHash(pub [u8; SHA256_OUTPUT_LEN]);

/// What the central keeps of a token.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; SHA256_OUTPUT_LEN]);

/// An invitation of agents into one project of one central. `Debug` hides the secret; `Display`
/// shows all of it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The authority whose central the agent may trust.
    pub authority: CertificateHash,
    secret: String,
}

/// Why a text is no join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Other than three parts with dots between.
    #[error(
        "a join token has the form gt1.<fingerprint>.<secret>; copy it whole from the central's log or `goldentime-central token create`"
    )]
    Form,
    /// Made by a newer central.
    #[error("this join token is of a version that this program does not know; upgrade the agent")]
    Version,
    /// The fingerprint is not 64 hexadecimal digits.
    #[error("the join token's fingerprint is not 64 hexadecimal digits; copy the token again")]
    Fingerprint,
    /// The secret is not 40 hexadecimal digits.
    #[error("the join token's secret is not 40 hexadecimal digits; copy the token again")]
    Secret,
}

impl CertificateHash {
    /// The hash of a certificate.
    #[must_use]
    pub fn of(certificate_der: &[u8]) -> Self {
        Self(sha256(certificate_der))
    }
}

impl JoinToken {
    /// A new token for the central of `authority`.
    pub fn generate(authority: CertificateHash) -> Result<Self, getrandom::Error> {
        let mut secret = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut secret)?;
        Ok(Self { authority, secret: to_hex(&secret) })
    }

    /// What is sent to the central, once its authority was found to be the right one.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What the central keeps.
    #[must_use]
    pub fn secret_hash(&self) -> SecretHash {
        SecretHash::of(&self.secret)
    }
}

impl SecretHash {
    /// The hash of a secret as it was sent.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(sha256(secret.as_bytes()))
    }

    /// A hash as it was stored; `None` if it has another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// For the store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SHA256_OUTPUT_LEN] {
        &self.0
    }

    /// Whether both are of one secret, in a time that does not tell where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(&other.0).fold(0, |bits, (a, b)| bits | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let mut parts = text.trim().split('.');
        let (Some(prefix), Some(authority), Some(secret), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Form);
        };
        if prefix != PREFIX {
            return Err(if prefix.starts_with("gt") { TokenError::Version } else { TokenError::Form });
        }
        let authority = authority.parse().map_err(|()| TokenError::Fingerprint)?;
        if secret.len() != 2 * SECRET_BYTES || !secret.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(TokenError::Secret);
        }
        Ok(Self { authority, secret: secret.to_ascii_lowercase() })
    }
}

impl FromStr for CertificateHash {
    type Err = ();

    fn from_str(hex: &str) -> Result<Self, ()> {
        let mut hash = [0_u8; SHA256_OUTPUT_LEN];
        if hex.len() != 2 * hash.len() || !hex.is_ascii() {
            return Err(());
        }
        for (byte, digits) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| ())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ())?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}.{}.{}", self.authority, self.secret)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}.{}.<secret>", self.authority)
    }
}

impl fmt::Display for CertificateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for CertificateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

fn sha256(bytes: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_as_it_was_printed() {
        let token = JoinToken::generate(CertificateHash::of(b"authority")).expect("random");
        assert_eq!(format!(" {token}\n").parse(), Ok(token.clone()));
        assert!(token.secret_hash().matches(&SecretHash::of(token.secret())));
        assert!(!token.secret_hash().matches(&SecretHash::of("another")));
    }

    #[test]
    fn a_token_does_not_show_its_secret_in_logs() {
        let token = JoinToken::generate(CertificateHash::of(b"authority")).expect("random");
        assert!(!format!("{token:?}").contains(token.secret()));
    }

    #[test]
    fn what_is_wrong_with_a_token_is_named() {
        let good = JoinToken::generate(CertificateHash::of(b"authority")).expect("random").to_string();
        assert_eq!("hello".parse::<JoinToken>(), Err(TokenError::Form));
        assert_eq!(good.replacen("gt1", "gt2", 1).parse::<JoinToken>(), Err(TokenError::Version));
        assert_eq!(good[..good.len() - 1].parse::<JoinToken>(), Err(TokenError::Secret));
        assert_eq!(good.replacen('.', ".é", 1).parse::<JoinToken>(), Err(TokenError::Fingerprint));
        assert_eq!("gt1.zz.00".parse::<JoinToken>(), Err(TokenError::Fingerprint));
    }
}
