//! Patterns of paths: `*`, `?`, `[a-z]`, `[!a-z]` inside one part of a path, `**` for any number of
//! folders.

use std::path::{Component, Path, PathBuf};

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Glob {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`
    Folders,
    /// One part of a path, wildcards and all.
    Name(Vec<u8>),
}

impl Glob {
    /// Compiles a pattern. Every text is one.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let parts = pattern.split('/').filter(|part| !part.is_empty());
        let part = |part: &str| if part == "**" { Part::Folders } else { Part::Name(part.into()) };
        Self { parts: parts.map(part).collect() }
    }

    /// Whether an absolute path matches.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        let names: Vec<&[u8]> = names(path).collect();
        matches(&self.parts, &names)
    }

    /// Whether a folder may hold a match somewhere below it.
    #[must_use]
    pub fn may_hold(&self, folder: &Path) -> bool {
        let mut parts = self.parts.iter();
        for name in names(folder) {
            match parts.next() {
                None => return false,
                Some(Part::Folders) => return true,
                Some(Part::Name(pattern)) if !matches_name(pattern, name) => return false,
                Some(Part::Name(_)) => {}
            }
        }
        parts.len() > 0
    }
}

/// The longest folder of a pattern without wildcards.
#[must_use]
pub fn root(pattern: &str) -> PathBuf {
    let is_wild = |part: &str| part.contains(['*', '?', '[']);
    let mut parts: Vec<&str> = pattern.split('/').take_while(|part| !is_wild(part)).collect();
    if parts.len() == pattern.split('/').count() {
        parts.pop();
    }
    let root = parts.join("/");
    PathBuf::from(if root.is_empty() { "/" } else { &root })
}

fn names(path: &Path) -> impl Iterator<Item = &[u8]> {
    use std::os::unix::ffi::OsStrExt as _;
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.as_bytes()),
        _ => None,
    })
}

fn matches(parts: &[Part], names: &[&[u8]]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((Part::Folders, parts)), _) => {
            (0..=names.len()).any(|skipped| matches(parts, &names[skipped..]))
        }
        (Some((Part::Name(pattern), parts)), Some((name, names))) => {
            matches_name(pattern, name) && matches(parts, names)
        }
        _ => false,
    }
}

/// Matches with one place to come back to, so that no pattern takes more than length × length steps.
fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => set(&pattern[p..], name[n]),
            Some(&literal) => (literal == name[n]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => (p, n) = (p + length, n + 1),
            (None, Some((star_p, star_n))) => {
                star = Some((star_p, star_n + 1));
                (p, n) = (star_p + 1, star_n + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// The length of a `[…]` at the pattern's start if it holds `byte`. Without its end it is a literal.
fn set(pattern: &[u8], byte: u8) -> Option<usize> {
    let Some(end) = pattern.iter().skip(2).position(|&b| b == b']').map(|at| at + 2) else {
        return (byte == b'[').then_some(1);
    };
    let inner = &pattern[1..end];
    let (negated, inner) = match inner {
        [b'!' | b'^', rest @ ..] => (true, rest),
        inner => (false, inner),
    };
    let mut at = 0;
    let mut found = false;
    while at < inner.len() {
        if at + 2 < inner.len() && inner[at + 1] == b'-' {
            found |= (inner[at]..=inner[at + 2]).contains(&byte);
            at += 3;
        } else {
            found |= inner[at] == byte;
            at += 1;
        }
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is(pattern: &str, path: &str) -> bool {
        Glob::new(pattern).matches(Path::new(path))
    }

    #[test]
    fn a_star_stays_inside_its_part_and_two_do_not() {
        assert!(is("/var/log/*/access.log", "/var/log/nginx/access.log"));
        assert!(!is("/var/log/*.log", "/var/log/nginx/access.log"));
        assert!(is("/var/**/*.log", "/var/log/nginx/access.log"));
        assert!(is("/var/**/*.log", "/var/access.log"));
        assert!(is("/a/app-[0-9]?.log", "/a/app-7x.log"));
        assert!(!is("/a/app-[!0-9].log", "/a/app-7.log"));
    }

    #[test]
    fn only_folders_that_may_hold_a_match_are_looked_into() {
        let glob = Glob::new("/var/log/*/a.log");
        assert!(glob.may_hold(Path::new("/var/log")));
        assert!(glob.may_hold(Path::new("/var/log/nginx")));
        assert!(!glob.may_hold(Path::new("/var/log/nginx/old")));
        assert!(!glob.may_hold(Path::new("/etc")));
        assert_eq!(root("/var/log/*/a.log"), Path::new("/var/log"));
        assert_eq!(root("/var/log/a.log"), Path::new("/var/log"));
        assert_eq!(root("/*.log"), Path::new("/"));
    }

    proptest! {
        #[test]
        fn no_pattern_panics_or_hangs(pattern in "[a*?\\[\\]!-]{0,30}", name in "[a-c\\[-]{0,30}") {
            let _ = is(&format!("/{pattern}"), &format!("/{name}"));
        }
    }
}
