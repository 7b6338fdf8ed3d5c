//! What `run` needs before it reads a line: who it is, how it reaches what it sends to, a state directory of
//! its own, and a spool in it. Nothing is made, locked or opened for writing.

use std::io::ErrorKind;
use std::net::ToSocketAddrs;
use std::path::Path;

use goldentime_model::config::Check;
use goldentime_transport::client::Client;
use goldentime_transport::identity::{Identity, IdentityError};
use rustix::fs::{Access, access, statvfs};

use super::kafka;
use crate::config::Config;
use crate::ship::spool::{self, SpoolError};
use crate::ship::uplink::kafka::kept_agent_id;
use crate::ship::uplink::quic::{IdentityFailure, token};

/// A file system with less room than this cannot take a flush.
const FREE_BYTES_MIN: u64 = 1 << 20;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Who this host is to its central.
    pub(super) identity: Option<Identity>,
    /// Into how many each topic in Kafka is cut, where it was told.
    pub(super) partitions: Option<u32>,
    /// What `run` can do without, and an operator should know of.
    pub(super) advice: Vec<String>,
}

/// Looks, and refuses with the setting's name what would keep `run` from starting.
pub(super) fn needs(config: &Config, check: &mut Check) -> Found {
    let mut found = Found::default();
    if is_usable(&config.state_dir, check) {
        if config.has_central() {
            found.identity = identity(config, check);
        } else if let Err(error) = kept_agent_id(&config.state_dir) {
            check.refuse("state_dir", chain(&error));
        }
        room(config, check, &mut found.advice);
        spool(config, check, &mut found.advice);
    }
    if config.has_central() {
        for address in config.central.addresses() {
            resolve("the central's address", &address, &mut found.advice);
        }
    }
    if let Some(config) = &config.kafka {
        for broker in &config.connection.brokers {
            resolve("the broker's address", broker, &mut found.advice);
        }
        found.partitions = kafka::partitions(config, check, &mut found.advice);
    }
    found
}

/// Whether the directory, or the folder that it would be made in, is there and may be written to.
fn is_usable(state_dir: &Path, check: &mut Check) -> bool {
    let Some(nearest) = state_dir.ancestors().find(|folder| folder.symlink_metadata().is_ok()) else {
        return false;
    };
    let refused = if nearest.is_dir() {
        access(nearest, Access::WRITE_OK | Access::EXEC_OK).err().map(|error| error.to_string())
    } else {
        Some("not a folder".to_owned())
    };
    if let Some(why) = refused {
        let message = format!(
            "{} cannot be written to ({why}); make {} for the agent's user, or run this as that user or as root",
            nearest.display(),
            state_dir.display()
        );
        check.refuse("state_dir", message);
        return false;
    }
    true
}

fn identity(config: &Config, check: &mut Check) -> Option<Identity> {
    match Identity::load(&config.state_dir) {
        Ok(None) => {
            if let Err(failure) = token(&config.central) {
                refuse_token(config, &failure, check);
            }
            None
        }
        Ok(Some(identity)) => {
            let token = token(&config.central).ok();
            if token.is_some_and(|token| token.authority != identity.authority_fingerprint()) {
                let state_dir = config.state_dir.display().to_string();
                refuse_token(config, &IdentityFailure::OtherCentral { state_dir }, check);
            }
            if let Err(error) = Client::new(&identity) {
                check.refuse("state_dir", format!("the identity in it cannot be used: {}", chain(&error)));
            }
            Some(identity)
        }
        Err(error) => {
            let is_forbidden = matches!(
                &error,
                IdentityError::File { source, .. } if source.kind() == ErrorKind::PermissionDenied
            );
            let hint = if is_forbidden { "; run this as the agent's user or as root" } else { "" };
            check.refuse("state_dir", format!("{}{hint}", chain(&error)));
            None
        }
    }
}

/// At the setting that was meant to give the token.
fn refuse_token(config: &Config, failure: &IdentityFailure, check: &mut Check) {
    let setting = match (&config.central.join_token, &config.central.join_token_file) {
        (Some(_), _) => "central.join_token",
        (None, Some(_)) => "central.join_token_file",
        (None, None) => "central",
    };
    let message = match failure {
        IdentityFailure::TokenFile(why) => why.clone(),
        other => chain(other),
    };
    check.refuse(setting, message);
}

fn room(config: &Config, check: &mut Check, advice: &mut Vec<String>) {
    let nearest = config.state_dir.ancestors().find_map(|folder| statvfs(folder).ok());
    let Some(space) = nearest else { return };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let used = spool_bytes(&config.state_dir);
    let wanted = config.spool.bytes_max.get().saturating_sub(used);
    if free < FREE_BYTES_MIN {
        check.refuse(
            "state_dir",
            "its file system is full: free some space, or nothing is read until there is",
        );
    } else if free < wanted {
        advice.push(format!(
            "the spool may grow by {} MiB (`spool.bytes_max`) while what it is sent to is away, and its file system \
             has {} MiB free",
            wanted >> 20,
            free >> 20
        ));
    }
}

fn spool_bytes(state_dir: &Path) -> u64 {
    std::fs::metadata(spool::file(state_dir)).map_or(0, |file| file.len())
}

fn spool(config: &Config, check: &mut Check, advice: &mut Vec<String>) {
    let path = spool::file(&config.state_dir);
    match spool::look(&config.state_dir) {
        Ok(spool::Found::Damaged) => advice.push(format!(
            "the spool {} is damaged: `run` moves it aside, what it holds is lost, and files are read as if \
             for the first time",
            path.display()
        )),
        Ok(spool::Found::Usable) => {
            if let Err(error) = access(&path, Access::READ_OK | Access::WRITE_OK) {
                let message =
                    format!("{} cannot be written to ({error}); let the agent's user own it", path.display());
                check.refuse("state_dir", message);
            }
        }
        Ok(spool::Found::Nothing) => {}
        Err(error) => {
            let hint = match &error {
                SpoolError::File { .. } => {
                    "; let the agent's user own it, or run this as that user or as root"
                }
                _ => "",
            };
            check.refuse("state_dir", format!("{}{hint}", chain(&error)));
        }
    }
}

/// `run` goes on trying, so that a name server that is away keeps nobody from reading.
fn resolve(what: &str, address: &str, advice: &mut Vec<String>) {
    let why = match address.to_socket_addrs().map(|mut found| found.next()) {
        Ok(Some(_)) => return,
        Ok(None) => "the name has no address".to_owned(),
        Err(error) => error.to_string(),
    };
    advice.push(format!(
        "{what} {address} cannot be resolved from here ({why}): nothing is sent there until it can"
    ));
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}
