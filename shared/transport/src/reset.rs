//! How agents learn at once that their central was killed and runs again.
//!
//! It answers what belongs to a connection of its former process with a stateless reset (RFC 9000,
//! section 10.3). An agent believes it for the token in it, which was told when the connection began and
//! is made from the connection's id and a key. So the key must be the same after a restart, and secret:
//! it is derived from the authority's own. At most 50 are sent in a second (quinn); whoever gets none
//! misses its pongs.
//!
//! Centrals that share an authority must not share the key: what belongs to a connection of one, sent to
//! another, would bring the token to light (RFC 9000, section 21.11). So their names stand in it.

use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use ring::{hkdf, hmac};

/// So many that no id is ever given twice: its token, once shown in a reset, is good for no other
/// connection. Quinn's own ids have three random bytes.
const ID_BYTES: usize = 8;

/// What the key is for.
const PURPOSE: &[u8] = b"goldentime stateless reset";

/// Settings of an endpoint whose resets are believed by all who connected to one with the same secret and
/// name.
pub(crate) fn config(secret: &[u8], name: &str) -> EndpointConfig {
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
    let purpose = [PURPOSE, name.as_bytes()];
    let key = secret.expand(&purpose, hmac::HMAC_SHA256).expect("HKDF gives keys of this length");
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::from(key)));
    config.cid_generator(|| Box::new(RandomIds));
    config
}

struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).expect("the system has given random bytes before");
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
