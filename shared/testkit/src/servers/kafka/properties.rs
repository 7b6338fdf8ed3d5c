//! What a broker is told.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::{PASSWORD, STRANGER, USER, WAYS, certificate};
use crate::ports;

/// The cluster's id: sixteen bytes in base64.
pub(super) const CLUSTER: &str = "Z29sZGVudGltZS10ZXN0cw";

/// Where one broker listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    /// To clients, or to the proxies before it, by the way they come.
    pub(super) clients: [u16; WAYS],
    /// To the other brokers, which never go through a proxy.
    brokers: u16,
    /// As one of those who elect.
    voters: u16,
    /// To clients with a password.
    pub(super) secure: Option<u16>,
}

impl Ports {
    pub(super) fn free(is_secured: bool) -> Self {
        Self {
            clients: std::array::from_fn(|_| ports::free_tcp()),
            brokers: ports::free_tcp(),
            voters: ports::free_tcp(),
            secure: is_secured.then(ports::free_tcp),
        }
    }
}

/// The file of the broker with this index; clients are told to come to `advertised`.
pub(super) fn of(index: usize, all: &[Ports], advertised: [SocketAddr; WAYS], folder: &Path) -> String {
    let own = all[index];
    let voters: Vec<String> =
        (1..).zip(all).map(|(id, ports)| format!("{id}@127.0.0.1:{}", ports.voters)).collect();
    let (replicas, in_sync) = if all.len() == 1 { (1, 1) } else { (3, 2) };
    let mut listeners = format!("BROKERS://127.0.0.1:{},VOTERS://127.0.0.1:{}", own.brokers, own.voters);
    let mut shown = format!("BROKERS://127.0.0.1:{}", own.brokers);
    let mut protocols = "BROKERS:PLAINTEXT,VOTERS:PLAINTEXT".to_owned();
    for (way, (port, address)) in own.clients.iter().zip(advertised).enumerate() {
        let _ = write!(listeners, ",CLIENTS{way}://127.0.0.1:{port}");
        let _ = write!(shown, ",CLIENTS{way}://{address}");
        let _ = write!(protocols, ",CLIENTS{way}:PLAINTEXT");
    }
    if let Some(port) = own.secure {
        let _ = write!(listeners, ",SECURE://127.0.0.1:{port}");
        let _ = write!(shown, ",SECURE://localhost:{port}");
        protocols.push_str(",SECURE:SASL_SSL");
    }
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         controller.quorum.voters={voters}\n\
         controller.listener.names=VOTERS\n\
         inter.broker.listener.name=BROKERS\n\
         listeners={listeners}\n\
         advertised.listeners={shown}\n\
         listener.security.protocol.map={protocols}\n\
         log.dirs=data\n\
         auto.create.topics.enable=false\n\
         default.replication.factor={replicas}\n\
         min.insync.replicas={in_sync}\n\
         offsets.topic.replication.factor={replicas}\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor={replicas}\n\
         transaction.state.log.min.isr={in_sync}\n\
         transaction.state.log.num.partitions=1\n\
         group.initial.rebalance.delay.ms=0\n\
         broker.session.timeout.ms=3000\n\
         broker.heartbeat.interval.ms=500\n",
        id = index + 1,
        voters = voters.join(","),
    );
    if own.secure.is_some() {
        text.push_str(&secured(folder));
    }
    text
}

/// Passwords and TLS on the secure listener, and rights for all: who comes without a name may do
/// everything, the others what they were granted.
fn secured(folder: &Path) -> String {
    let keys = folder.join(certificate::KEYS);
    let modules = "org.apache.kafka.common.security";
    format!(
        "sasl.enabled.mechanisms=SCRAM-SHA-256,PLAIN\n\
         listener.name.secure.scram-sha-256.sasl.jaas.config={modules}.scram.ScramLoginModule required;\n\
         listener.name.secure.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required \
         user_{USER}=\"{PASSWORD}\" user_{STRANGER}=\"{PASSWORD}\";\n\
         listener.name.secure.ssl.keystore.type=PEM\n\
         listener.name.secure.ssl.keystore.location={keys}\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS;User:{USER}\n",
        keys = keys.display()
    )
}
