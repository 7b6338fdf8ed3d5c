//! nginx's own configuration, where it is found: which access logs are written late.

use std::path::{Path, PathBuf};

/// Where Debian, Red Hat and the official images keep it.
const FOLDERS: [&str; 4] =
    ["/etc/nginx", "/etc/nginx/conf.d", "/etc/nginx/sites-enabled", "/usr/local/etc/nginx"];

/// Files read, and the longest of them: a configuration is small.
const FILES_MAX: usize = 500;
const FILE_BYTES_MAX: u64 = 1 << 20;

/// An `access_log` directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccessLog {
    /// Where nginx writes.
    pub(super) path: PathBuf,
    /// nginx gathers lines before it writes them.
    pub(super) is_buffered: bool,
    /// File and line of the directive.
    pub(super) place: String,
}

/// The `access_log` directives in the usual places. What cannot be read is passed over: `check` may
/// run as another user than nginx.
pub(super) fn access_logs() -> Vec<AccessLog> {
    let mut logs = Vec::new();
    let folders = FOLDERS.iter().filter_map(|folder| std::fs::read_dir(folder).ok());
    for entry in folders.flatten().flatten().take(FILES_MAX) {
        let is_small =
            std::fs::metadata(entry.path()).is_ok_and(|file| file.is_file() && file.len() <= FILE_BYTES_MAX);
        if is_small && let Ok(text) = std::fs::read_to_string(entry.path()) {
            logs.extend(parse(&entry.path(), &text));
        }
    }
    logs
}

fn parse<'a>(file: &'a Path, text: &'a str) -> impl Iterator<Item = AccessLog> + 'a {
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let directive = line.split('#').next()?.trim().strip_prefix("access_log")?;
        let mut words = directive.trim_end_matches(';').split_whitespace();
        let path = words.next().filter(|path| path.starts_with('/'))?;
        let is_buffered = words.any(|word| {
            word.starts_with("buffer=") || word.starts_with("flush=") || word.starts_with("gzip")
        });
        Some(AccessLog { path: path.into(), is_buffered, place: format!("{}:{number}", file.display()) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffered_access_log_is_found_with_its_place() {
        let text = "http {\n  # access_log /no buffer=1k;\n  access_log /var/log/a.log main buffer=32k flush=1s;\n  \
                    access_log off;\n  access_log /var/log/b.log;\n}\n";
        let found: Vec<_> = parse(Path::new("/etc/nginx/nginx.conf"), text).collect();
        let a = AccessLog {
            path: "/var/log/a.log".into(),
            is_buffered: true,
            place: "/etc/nginx/nginx.conf:3".into(),
        };
        let b = AccessLog {
            path: "/var/log/b.log".into(),
            is_buffered: false,
            place: "/etc/nginx/nginx.conf:5".into(),
        };
        assert_eq!(found, [a, b]);
    }
}
