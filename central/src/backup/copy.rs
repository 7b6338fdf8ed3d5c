//! Copies one file: private, on disk when it returns, its checksum taken.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use ring::digest::{Context, SHA256};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::error::BackupError;

/// Read and written at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// How long a copy waits for a lock; in WAL mode readers wait only while a file is made or closed.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Size and checksum of a copied file.
pub(super) struct Copied {
    pub bytes: u64,
    pub sha256: String,
}

/// Copies a database that others write to, as it is in one read transaction.
pub(super) async fn database(from: &Path, to: &Path) -> Result<Copied, BackupError> {
    // SQLite fills a file that is there and empty: made by us, nobody else can read it at any time.
    make(to)?;
    let failed = |source: sqlx::Error| {
        if goldentime_sqlite::is_full(&source) {
            BackupError::Full(to.to_owned())
        } else {
            BackupError::Database { path: from.to_owned(), source }
        }
    };
    let options = SqliteConnectOptions::new().filename(from).busy_timeout(BUSY_TIMEOUT);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    let copy = sqlx::query("VACUUM INTO ?").bind(to.to_string_lossy()).execute(&mut connection).await;
    copy.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    checksum(to)
}

/// Copies a file that nobody writes to.
pub(super) fn plain(from: &Path, to: &Path) -> Result<Copied, BackupError> {
    let mut source = File::open(from).map_err(BackupError::file("read", from))?;
    let mut target = make(to)?;
    let mut digest = Digest::default();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let read = read(&mut source, &mut block).map_err(BackupError::file("read", from))?;
        if read == 0 {
            break;
        }
        digest.add(&block[..read]);
        target.write_all(&block[..read]).map_err(BackupError::file("write", to))?;
    }
    target.sync_all().map_err(BackupError::file("write", to))?;
    Ok(digest.finish())
}

/// Waits until a folder's entries are on disk.
pub(super) fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(BackupError::file("sync", folder))
}

/// Makes a file that only its owner may read.
pub(super) fn make(path: &Path) -> Result<File, BackupError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(BackupError::file("make", path))
}

/// Waits until a written file is on disk, and reads it back.
fn checksum(path: &Path) -> Result<Copied, BackupError> {
    let mut file = File::open(path).map_err(BackupError::file("read", path))?;
    file.sync_all().map_err(BackupError::file("sync", path))?;
    let mut digest = Digest::default();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match read(&mut file, &mut block).map_err(BackupError::file("read", path))? {
            0 => return Ok(digest.finish()),
            read => digest.add(&block[..read]),
        }
    }
}

fn read(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

struct Digest {
    context: Context,
    bytes: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { context: Context::new(&SHA256), bytes: 0 }
    }
}

impl Digest {
    fn add(&mut self, block: &[u8]) {
        self.context.update(block);
        self.bytes += block.len() as u64;
    }

    fn finish(self) -> Copied {
        let sha256 = self.context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Copied { bytes: self.bytes, sha256 }
    }
}
