//! How the services stand whose saturation is read, as text.

use std::fmt::{self, Display, Formatter};

use super::page::size;
use crate::inputs::service::ServiceStatus;
use crate::inputs::service::status::GroupStatus;

/// Writes them all under a heading of their own.
pub(super) fn write(f: &mut Formatter<'_>, services: &[ServiceStatus]) -> fmt::Result {
    if services.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nsaturation of services")?;
    services.iter().try_for_each(|status| {
        write!(f, "{}", Standing(status))?;
        status.problems.iter().try_for_each(|problem| writeln!(f, "    problem: {problem}"))
    })
}

/// One entry and what was found for it.
pub(crate) struct Standing<'a>(pub(crate) &'a ServiceStatus);

impl Display for Standing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let status = self.0;
        let service = if status.service.is_empty() { "named by their path" } else { &status.service };
        let standing = if status.is_up { "" } else { ": not running" };
        writeln!(f, "  {service} ({}){standing}", status.looks_for)?;
        for group in &status.groups {
            writeln!(f, "    {}", Line { group, is_named: status.service.is_empty() })?;
        }
        if status.further > 0 {
            writeln!(f, "    and {} more", status.further)?;
        }
        Ok(())
    }
}

struct Line<'a> {
    group: &'a GroupStatus,
    /// The service is not in the heading.
    is_named: bool,
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let group = self.group;
        write!(f, "{}: ", group.name)?;
        if self.is_named {
            write!(f, "{}, ", group.service)?;
        }
        if !group.is_up {
            write!(f, "not there, ")?;
        }
        write!(f, "{} processes, {} threads", group.processes, group.threads)?;
        let percent = |share: f64| format!("{:.0}%", share * 100.0);
        if let Some(cpu) = group.cpu {
            write!(f, ", CPU {}", percent(cpu))?;
        }
        if let (Some(bytes), Some(share)) = (group.memory_bytes, group.memory) {
            write!(f, ", memory {} ({} of its limit)", size(bytes), percent(share))?;
        }
        if let Some(files) = group.open_files {
            write!(f, ", open files {}", percent(files))?;
        }
        for (count, what) in [(group.oom_kills, "killed for want of memory"), (group.restarts, "restarts")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
