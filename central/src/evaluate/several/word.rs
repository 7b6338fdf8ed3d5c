//! What partitions say to each other.

use std::sync::Arc;

use goldentime_model::{Second, ServiceId, StageTimes};
use serde::{Deserialize, Serialize};

use super::super::expectation::Gap;
use super::super::ring::Tally;

/// Something that is said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// To every partition: report everything to this one.
    Ask {
        /// The partition that asks.
        by: u32,
    },
    /// To the partition that it names.
    Report(Report),
}

/// What changed in one partition of what another judges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Who reports.
    pub from: u32,
    /// Who judges.
    pub to: u32,
    /// Which evaluator of that partition reports: each has its own, and numbers from 1.
    pub life: i64,
    /// Number of the report among those to this partition. A gap means that one was lost.
    pub number: u64,
    /// How far the partition's log is merged. What an earlier owner of the partition says is behind it.
    pub offset: u64,
    /// Everything is told anew, from this report on: what was said before is gone.
    pub whole: bool,
    /// Digests of the rules of which everything is told with this report.
    pub rules: Vec<u64>,
    /// By rule and group.
    pub addends: Vec<Addend>,
}

/// What the services of one partition add to one rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Addend {
    /// Id of the SLO in its project and environment.
    pub group: ServiceId,
    /// The rule's [digest](super::rule::Several::digest).
    pub rule: u64,
    /// Sums of the seconds that changed.
    pub seconds: Vec<(Second, Tally)>,
    /// What is expected and was not seen.
    pub gaps: Vec<Gap>,
    /// Event time that the newest window ends at, in milliseconds.
    pub watermark_ms: i64,
    /// Event time up to which everything is there; `None` where nobody is expected.
    pub complete_until_ms: Option<i64>,
    /// First second since when nothing was missed.
    pub covered_from: Second,
    /// Number of services.
    pub services: u32,
    /// Those with the most bad events in the window, worst first.
    pub worst: Vec<(Arc<str>, Tally)>,
    /// Stages of the newest record, where one came.
    pub stages: StageTimes,
}
