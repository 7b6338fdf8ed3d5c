//! A Unix datagram socket to listen on.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::net::sockopt;

use super::config::Unix;

/// Longest path: the kernel's limit less what the name of a socket in the making adds.
pub const PATH_BYTES_MAX: usize = 100;
/// Behind the name of a socket in the making.
const NEW: &str = ".new";

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum UnixError {
    /// The path is not absolute or too long.
    #[error("`{0}` is no absolute path of at most {PATH_BYTES_MAX} bytes")]
    Path(String),
    /// The mode is not octal.
    #[error("mode `{0}` is not octal from 0000 to 0777, such as \"0722\"")]
    Mode(String),
    /// There is no such user or group.
    #[error("there is no user or group `{0}`")]
    Nobody(String),
    /// Something else stands in its place.
    #[error("{0} is there and is no socket: remove it, or set another path")]
    Occupied(PathBuf),
    /// Another program listens there.
    #[error("another program listens on {0}: stop it, or set another path")]
    InUse(PathBuf),
    /// The system refuses.
    #[error("cannot listen on {path}: {source}; its folder must be there and writable")]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What a socket is to be, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    path: PathBuf,
    mode: u32,
    tells_senders: bool,
    owner: Option<u32>,
    group: Option<u32>,
}

impl Place {
    /// Checks a configuration. The socket asks the kernel who sent each datagram if it `tells_senders`.
    pub fn new(config: &Unix, tells_senders: bool) -> Result<Self, UnixError> {
        if !config.path.starts_with('/') || config.path.len() > PATH_BYTES_MAX {
            return Err(UnixError::Path(config.path.clone()));
        }
        let mode = u32::from_str_radix(&config.mode, 8).ok().filter(|mode| *mode <= 0o777);
        let id =
            |name: &Option<String>, table: &str| name.as_deref().map(|name| id_of(name, table)).transpose();
        Ok(Self {
            path: PathBuf::from(&config.path),
            mode: mode.ok_or_else(|| UnixError::Mode(config.mode.clone()))?,
            tells_senders,
            owner: id(&config.owner, "/etc/passwd")?,
            group: id(&config.group, "/etc/group")?,
        })
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the kernel is asked who sent each datagram.
    #[must_use]
    pub const fn tells_senders(&self) -> bool {
        self.tells_senders
    }

    /// What keeps a socket from being made here, besides the system.
    pub fn ensure_free(&self) -> Result<(), UnixError> {
        match fs::symlink_metadata(&self.path) {
            Ok(there) if !there.file_type().is_socket() => Err(UnixError::Occupied(self.path.clone())),
            Ok(_) if is_listened_to(&self.path) => Err(UnixError::InUse(self.path.clone())),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(UnixError::Io { path: self.path.clone(), source }),
        }
    }

    /// Listens. The socket appears with its permissions, in the place of one that nobody listens on.
    pub fn listen(&self) -> Result<Socket, UnixError> {
        self.ensure_free()?;
        let made = self.make();
        made.map_err(|source| UnixError::Io { path: self.path.clone(), source })
    }

    fn make(&self) -> io::Result<Socket> {
        let mut new = self.path.clone().into_os_string();
        new.push(NEW);
        let new = PathBuf::from(new);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixDatagram::bind(&new)?;
        if self.tells_senders {
            sockopt::set_socket_passcred(&socket, true)?;
        }
        fs::set_permissions(&new, Permissions::from_mode(self.mode))?;
        if self.owner.is_some() || self.group.is_some() {
            chown(&new, self.owner, self.group)?;
        }
        let inode = fs::symlink_metadata(&new)?.ino();
        fs::rename(&new, &self.path)?;
        Ok(Socket { socket, path: self.path.clone(), inode })
    }
}

/// A socket that is listened on. Its path goes with it.
#[derive(Debug)]
pub struct Socket {
    /// What is read from.
    pub socket: UnixDatagram,
    path: PathBuf,
    inode: u64,
}

impl Socket {
    /// Whether its path still leads to it: a cleaner of temporary files may have removed it.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|there| there.ino() == self.inode)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_reachable() {
            // A socket that stays is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether somebody listens: a socket whose owner is gone refuses.
fn is_listened_to(path: &Path) -> bool {
    UnixDatagram::unbound().is_ok_and(|socket| socket.connect(path).is_ok())
}

/// Number of a user or group, by `/etc/passwd` or `/etc/group`.
fn id_of(name: &str, table: &str) -> Result<u32, UnixError> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let text = fs::read_to_string(table).unwrap_or_default();
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    let id = line.and_then(|line| line.split(':').nth(2)?.parse().ok());
    id.ok_or_else(|| UnixError::Nobody(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: &Path) -> Unix {
        Unix { path: path.display().to_string(), mode: "0666".into(), owner: None, group: None }
    }

    #[test]
    fn a_socket_appears_with_its_mode_and_goes_with_its_listener() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("dsd.sock");
        let mut config = config(&path);
        config.owner = Some(rustix::process::getuid().as_raw().to_string());
        let socket = Place::new(&config, false).expect("valid").listen().expect("listens");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o666);
        assert!(socket.is_reachable());
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("dsd.sock");
        drop(UnixDatagram::bind(&path).expect("bound"));
        let place = Place::new(&config(&path), false).expect("valid");
        let socket = place.listen().expect("the old one is stale");
        assert!(matches!(place.listen(), Err(UnixError::InUse(_))));
        drop(socket);
        fs::write(&path, "notes").expect("written");
        assert!(matches!(place.listen(), Err(UnixError::Occupied(_))));
        assert_eq!(fs::read(&path).expect("untouched"), b"notes");
    }

    #[test]
    fn a_socket_whose_path_was_removed_knows() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("dsd.sock");
        let place = Place::new(&config(&path), false).expect("valid");
        let socket = place.listen().expect("listens");
        fs::remove_file(&path).expect("removed");
        assert!(!socket.is_reachable());
        let next = place.listen().expect("listens anew");
        drop(socket);
        assert!(next.is_reachable(), "the old one does not take the new one's path with it");
    }

    #[test]
    fn a_wrong_configuration_is_refused() {
        let path = PathBuf::from("/run/x.sock");
        let wrong = |change: fn(&mut Unix)| {
            let mut config = config(&path);
            change(&mut config);
            Place::new(&config, false).expect_err("wrong")
        };
        assert!(matches!(wrong(|unix| unix.path = "run/x".into()), UnixError::Path(_)));
        assert!(matches!(wrong(|unix| unix.mode = "0888".into()), UnixError::Mode(_)));
        assert!(matches!(wrong(|unix| unix.mode = "7777".into()), UnixError::Mode(_)));
        assert!(matches!(
            wrong(|unix| unix.owner = Some("nobody-of-this-name".into())),
            UnixError::Nobody(_)
        ));
    }
}
