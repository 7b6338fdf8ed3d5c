//! Passwords and tokens, which no log or answer may show.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Largest secret; a token has some dozen bytes, a key in PEM some thousand.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// A password or token: given as `{file: /path}`, as `{env: NAME}`, or as it is. Read once, when the
/// configuration is loaded; one trailing newline is cut. Debug and serialisation show `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a secret was not read. Never shows it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The path depends on where the program is started.
    #[error("{0:?} is not an absolute path; write it from `/` on")]
    Relative(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {path:?}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Anybody on the machine can read the file.
    #[error("{0:?} can be read by every user of this machine; run `chmod 600` on it, and change the secret")]
    WorldReadable(PathBuf),
    /// Too large for a secret.
    #[error(
        "{path:?} has {bytes} bytes, more than the {SECRET_BYTES_MAX} of a secret; is it the right file?"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The variable is not set.
    #[error("environment variable `{0}` is not set")]
    Variable(String),
    /// There is nothing in it.
    #[error("the secret is empty")]
    Empty,
}

impl Secret {
    /// Takes a secret as it is.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself. Whoever calls this must not show it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Reads a file that only its owner (and group) may read.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        if !path.is_absolute() {
            return Err(SecretError::Relative(path.to_owned()));
        }
        let unreadable = |source| SecretError::Read { path: path.to_owned(), source };
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o004 != 0 {
            return Err(SecretError::WorldReadable(path.to_owned()));
        }
        if metadata.len() > SECRET_BYTES_MAX {
            return Err(SecretError::TooLarge { path: path.to_owned(), bytes: metadata.len() });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::trimmed(&text)
    }

    /// Reads an environment variable.
    pub fn from_env(name: &str) -> Result<Self, SecretError> {
        let text = std::env::var(name).map_err(|_| SecretError::Variable(name.to_owned()))?;
        Self::trimmed(&text)
    }

    fn trimmed(text: &str) -> Result<Self, SecretError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() { Err(SecretError::Empty) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Elsewhere {
    File(PathBuf),
    Env(String),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> de::Visitor<'de> for Written {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret as text, `{file: /path}` or `{env: NAME}`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                Secret::trimmed(text).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
                Err(E::custom("is a number to YAML; put the secret in quotes"))
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
                self.visit_u64(0)
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
                self.visit_u64(0)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
                match Elsewhere::deserialize(de::value::MapAccessDeserializer::new(map))? {
                    Elsewhere::File(path) => Secret::from_file(&path),
                    Elsewhere::Env(name) => Secret::from_env(&name),
                }
                .map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "secret",
            "$comment": "Text, or where it stands: `{file: /path}`, a file that not every user of the \
                         machine may read, or `{env: NAME}`, an environment variable. Read once, at start.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object", "properties": { "file": { "type": "string" } },
                    "required": ["file"], "additionalProperties": false,
                },
                {
                    "type": "object", "properties": { "env": { "type": "string" } },
                    "required": ["env"], "additionalProperties": false,
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).expect("serializable"), "\"***\"");
    }

    #[test]
    fn a_file_that_everybody_can_read_is_no_place_for_a_secret() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("token");
        std::fs::write(&path, "hunter2\n").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
        assert!(matches!(Secret::from_file(&path), Err(SecretError::WorldReadable(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
        assert_eq!(Secret::from_file(&path).expect("readable").expose(), "hunter2");
    }

    #[test]
    fn a_secret_may_stand_elsewhere() {
        let read = |json: &str| serde_json::from_str::<Secret>(json).map_err(|error| error.to_string());
        assert!(read(r#"{"env": "GOLDENTIME_NO_SUCH_VARIABLE"}"#).expect_err("unset").contains("is not set"));
        assert!(read(r#"{"file": "token"}"#).expect_err("relative").contains("absolute"));
        assert!(read("5").expect_err("number").contains("quotes"));
        assert_eq!(read(r#""inline""#).expect("inline").expose(), "inline");
    }
}
