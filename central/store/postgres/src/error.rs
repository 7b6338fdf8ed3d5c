//! What may go wrong with a PostgreSQL database, and what to do about it.

use std::time::Duration;

use goldentime_model::config::SecretError;

/// Why a call did not end well. Never shows a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file with the password cannot be used.
    #[error("`password_file`: {0}")]
    Password(SecretError),
    /// Nobody answered in time.
    #[error("no answer within {0:?}; is it running, and does the network reach it?")]
    Silent(Duration),
    /// All connections are in use.
    #[error(
        "all {connections} connections were in use for {waited:?}; raise `connections_max`, or look for slow calls"
    )]
    Busy {
        /// How many there may be.
        connections: u32,
        /// How long one was waited for.
        waited: Duration,
    },
    /// The store was closed.
    #[error("it is closed")]
    Closed,
    /// The server's disk is full.
    #[error("the disk of the server is full")]
    Full,
    /// The layout is of a newer version.
    #[error("its layout of `{part}` is {found}, this version knows up to {known}")]
    Newer {
        /// Which tables.
        part: &'static str,
        /// Layout found.
        found: i64,
        /// Newest layout known.
        known: i64,
    },
    /// The server or the database cannot be used by this version.
    #[error("{0}")]
    Unfit(String),
    /// What is stored cannot be understood.
    #[error("{0}")]
    Corrupt(String),
    /// The server refused for a reason that somebody can do something about.
    #[error("{said}; {way_out}")]
    Refused {
        /// What the server said.
        said: String,
        /// What to do.
        way_out: &'static str,
    },
    /// The engine's own error.
    #[error(transparent)]
    Engine(sqlx::Error),
}

/// An error with the database that it came from.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {error}")]
pub struct Placed {
    /// The database.
    pub place: String,
    /// The error. Stands in the message, so it is not its source again.
    pub error: Error,
}

/// What to do about what a server says, by the first characters of its code (SQLSTATE, appendix A of
/// PostgreSQL's manual).
const WAYS_OUT: [(&str, &str); 10] = [
    ("28", "check `user` and `password_file`, and the server's pg_hba.conf"),
    ("3D000", "create the database, owned by `user`, in UTF-8"),
    ("42501", "give the user its rights: make it the owner of the database"),
    ("25006", "the server is read-only: name the primary in `host`, or end its recovery"),
    ("53300", "lower `connections_max` here or raise `max_connections` there"),
    ("57P03", "it is starting or stopping: this is tried again"),
    ("57014", "it took longer than `call_timeout`: this is tried again"),
    ("55P03", "another call holds what this one needs: this is tried again"),
    ("42P01", "tables are missing: the database was replaced while the central ran; restart it"),
    ("42703", "columns are missing: something else has changed the tables; restore them from a backup"),
];

const TLS: &str = "check `tls`; name the authority of the server's certificate in `ca_file`, and in `host` \
                   the name that the certificate bears";

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
        if code == "53100" {
            return Self::Full;
        }
        let way_out = WAYS_OUT.iter().find(|(known, _)| code.starts_with(known)).map(|(_, way_out)| *way_out);
        let way_out = match (&error, way_out) {
            (_, Some(way_out)) => way_out,
            // A handshake that fails comes as data that cannot be understood.
            (sqlx::Error::Io(io), None) if io.kind() == std::io::ErrorKind::InvalidData => TLS,
            (sqlx::Error::Tls(_), None) => TLS,
            (sqlx::Error::Io(_), None) => "check `host` and `port`, and whether it runs; this is tried again",
            _ => return Self::Engine(error),
        };
        Self::Refused { said: error.to_string(), way_out }
    }
}
