//! What the central asks of a record, whichever way it comes.

use goldentime_model::ServiceId;
use goldentime_wire::proto::Record;
use goldentime_wire::record;

/// Why a record is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable reason.
    pub reason: &'static str,
    /// What exactly.
    pub detail: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// Checks a record of an agent whose project is `project`, and gives its service (`None` for bare progress).
/// Anybody's project if none is given.
pub fn check(record: &Record, partitions: u32, project: Option<&str>) -> Result<Option<ServiceId>, Refusal> {
    let service = record::check(record, partitions)
        .map_err(|invalid| Refusal::new(invalid.reason.as_str(), invalid.detail))?;
    match (&service, project) {
        (Some(service), Some(project)) if service.project() != project => {
            Err(Refusal::new("project", format!("{service} is not of the agent's project {project}")))
        }
        _ => Ok(service),
    }
}
