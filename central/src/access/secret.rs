//! What is drawn at random and shown once: only its hash is kept.

use std::fmt;

use goldentime_catalog::SecretHash;
use ring::digest::{SHA256, digest};

/// Longest text that is looked at as a secret.
const TEXT_BYTES_MAX: usize = 256;

/// What a secret lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Stay signed in: the value of a cookie, 256 bits.
    Session,
    /// Ask as a program: `gta_…`, 160 bits.
    ApiToken,
    /// Set up an account: `gts_…`, 160 bits.
    SetupLink,
}

impl Purpose {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "",
            Self::ApiToken => "gta_",
            Self::SetupLink => "gts_",
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Session => 32,
            Self::ApiToken | Self::SetupLink => 20,
        }
    }
}

/// A secret as its holder gets it. `Debug` hides it; `Display` shows it.
pub struct Secret(String);

impl Secret {
    /// Draws one.
    pub fn draw(purpose: Purpose) -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; 32];
        let bytes = &mut bytes[..purpose.bytes()];
        getrandom::fill(bytes)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(format!("{}{digits}", purpose.prefix())))
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        hash(&self.0)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The hash under which a secret of this purpose is kept; `None` for a text that cannot be one.
#[must_use]
pub fn read(purpose: Purpose, text: &str) -> Option<SecretHash> {
    let text = text.trim();
    (text.len() <= TEXT_BYTES_MAX && text.starts_with(purpose.prefix())).then(|| hash(text))
}

fn hash(text: &str) -> SecretHash {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    SecretHash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_again_by_its_hash_and_hidden_from_logs() {
        for purpose in [Purpose::Session, Purpose::ApiToken, Purpose::SetupLink] {
            let secret = Secret::draw(purpose).expect("random");
            assert_eq!(read(purpose, &secret.to_string()), Some(secret.hash()));
            assert!(!format!("{secret:?}").contains(&secret.to_string()));
        }
        assert_ne!(
            Secret::draw(Purpose::Session).expect("random").hash(),
            Secret::draw(Purpose::Session).expect("random").hash()
        );
    }

    #[test]
    fn a_secret_of_another_purpose_is_none() {
        let token = Secret::draw(Purpose::ApiToken).expect("random").to_string();
        assert_eq!(read(Purpose::SetupLink, &token), None);
        assert_eq!(read(Purpose::ApiToken, &format!("gta_{}", "0".repeat(300))), None);
    }
}
