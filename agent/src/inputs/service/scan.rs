//! All processes of the machine, looked through for those that entries pick.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::kernel_file::Text;
use super::process::Stat;
use super::processes::is_denied;
use super::selector::ProcessPattern;

/// Processes looked at in one scan.
pub(super) const SCANNED_MAX: usize = 65_536;
/// Bytes of a command line that are looked at.
const CMDLINE_BYTES_MAX: u64 = 4 << 10;
/// Where users' names are.
const PASSWD: &str = "/etc/passwd";

/// What one pattern picked.
#[derive(Debug, Default)]
pub(super) struct Picked {
    pub(super) pids: Vec<u32>,
    /// Processes of which the kernel does not tell us what was asked for.
    pub(super) denied: usize,
    /// Its user is not known here.
    pub(super) is_user_unknown: bool,
}

/// Looks through the processes once, and gives what each pattern picked, in their order. This process
/// itself is passed over.
pub(super) fn scan(proc: &Path, patterns: &[&ProcessPattern], text: &mut Text) -> Vec<Picked> {
    let users: Vec<Option<u32>> =
        patterns.iter().map(|pattern| pattern.user.as_deref().and_then(user)).collect();
    let mut picked: Vec<Picked> = Vec::new();
    for (pattern, user) in patterns.iter().zip(&users) {
        let is_user_unknown = pattern.user.is_some() && user.is_none();
        picked.push(Picked { is_user_unknown, ..Picked::default() });
    }
    let mut parents = Vec::new();
    let own = std::process::id();
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.filter(|pid| *pid != own).take(SCANNED_MAX) {
        let folder = proc.join(pid.to_string());
        let Ok(file) = fs::File::open(folder.join("stat")) else { continue };
        let Some(stat) = text.record(&file).ok().and_then(Stat::parse).filter(|stat| !stat.is_zombie) else {
            continue;
        };
        parents.push((pid, stat.parent));
        let mut candidate = Candidate { folder, name: stat.name, exe: None, cmdline: None, user: None };
        for ((pattern, user), picked) in patterns.iter().zip(&users).zip(&mut picked) {
            match candidate.is(pattern, *user) {
                Some(true) => picked.pids.push(pid),
                Some(false) => {}
                None => picked.denied += 1,
            }
        }
    }
    for (pattern, picked) in patterns.iter().zip(&mut picked) {
        if pattern.children {
            add_children(&mut picked.pids, &parents);
        }
    }
    picked
}

/// One process, of which more is asked only where it matters.
struct Candidate<'a> {
    folder: PathBuf,
    name: &'a [u8],
    /// `Some(None)`: denied.
    exe: Option<Option<PathBuf>>,
    cmdline: Option<String>,
    user: Option<Option<u32>>,
}

impl Candidate<'_> {
    /// Whether the pattern picks it; `None` where the kernel does not tell us.
    fn is(&mut self, pattern: &ProcessPattern, user: Option<u32>) -> Option<bool> {
        if pattern.name.as_ref().is_some_and(|name| name != self.name) {
            return Some(false);
        }
        if pattern.user.is_some() {
            let own = *self.user.get_or_insert_with(|| effective_user(&self.folder));
            if user.is_none() || own != user {
                return Some(false);
            }
        }
        if pattern.cmdline.as_ref().is_some_and(|regex| !self.has_cmdline(regex)) {
            return Some(false);
        }
        let Some(glob) = &pattern.exe else { return Some(true) };
        let exe = self.exe.get_or_insert_with(|| {
            let exe = fs::read_link(self.folder.join("exe"));
            // A thread of the kernel has none.
            if is_denied(&exe) { None } else { Some(exe.unwrap_or_default()) }
        });
        exe.as_ref().map(|exe| {
            // A program that was replaced while it runs.
            let text = exe.to_string_lossy();
            glob.matches(Path::new(text.strip_suffix(" (deleted)").unwrap_or(&text)))
        })
    }

    fn has_cmdline(&mut self, regex: &Regex) -> bool {
        let cmdline = self.cmdline.get_or_insert_with(|| {
            let mut bytes = Vec::new();
            if let Ok(file) = fs::File::open(self.folder.join("cmdline")) {
                // Cut short where the process ends meanwhile.
                let _ = file.take(CMDLINE_BYTES_MAX).read_to_end(&mut bytes);
            }
            let text = String::from_utf8_lossy(&bytes);
            text.trim_end_matches('\0').replace('\0', " ")
        });
        // A thread of the kernel has none, and would match whatever matches nothing.
        !cmdline.is_empty() && regex.is_match(cmdline)
    }
}

fn effective_user(folder: &Path) -> Option<u32> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The number of a user.
fn user(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let users = fs::read_to_string(PASSWD).ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

/// Adds what those picked have started, and what that has, …
fn add_children(pids: &mut Vec<u32>, parents: &[(u32, u32)]) {
    let mut known: std::collections::HashSet<u32> = pids.iter().copied().collect();
    loop {
        let before = pids.len();
        for (pid, parent) in parents {
            if known.contains(parent) && known.insert(*pid) {
                pids.push(*pid);
            }
        }
        if pids.len() == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_children_are_found_in_whatever_order() {
        let mut pids = vec![10];
        add_children(&mut pids, &[(13, 12), (12, 11), (11, 10), (20, 1), (10, 13)]);
        pids.sort_unstable();
        assert_eq!(pids, [10, 11, 12, 13]);
    }
}
