//! Where records go, as text.

use std::fmt::{self, Formatter};

use goldentime_model::UnixNanos;

use super::page::{or_none, seconds};
use super::report::Report;
use crate::ship::uplink::{KafkaPhase, KafkaStatus, LinkPhase, UplinkStatus};

/// Writes what is told of the uplink.
pub(super) fn write(f: &mut Formatter<'_>, report: &Report) -> fmt::Result {
    let uplink = &report.uplink;
    let section = Section { report, uplink };
    let Some(kafka) = &uplink.kafka else {
        section.central(f, "uplink")?;
        section.records(f)?;
        return section.clock(f);
    };
    section.kafka(f, kafka)?;
    section.records(f)?;
    if uplink.address.is_empty() {
        return writeln!(f, "  clock not corrected: no central is configured (`central.address`)");
    }
    section.central(f, "control connection")?;
    section.clock(f)
}

struct Section<'a> {
    report: &'a Report,
    uplink: &'a UplinkStatus,
}

impl Section<'_> {
    fn ago(&self, at: UnixNanos) -> String {
        let offset_ns = (self.uplink.clock_offset_ms.unwrap_or_default() * 1e6) as i64;
        seconds(self.report.now.saturating_add(offset_ns).since(at))
    }

    fn kafka(&self, f: &mut Formatter<'_>, kafka: &KafkaStatus) -> fmt::Result {
        writeln!(f, "\nuplink to Kafka {}", kafka.brokers.join(", "))?;
        let phase = match kafka.phase {
            KafkaPhase::Looking => "looking for the topics".to_owned(),
            KafkaPhase::Left => "left".to_owned(),
            KafkaPhase::Sending => {
                let since = kafka.sending_since.map(|at| self.ago(at)).unwrap_or_default();
                format!("sending for {since}")
            }
        };
        let partitions = match kafka.partitions {
            Some(partitions) => format!("{partitions} partitions each"),
            None => "partitions not known yet".to_owned(),
        };
        writeln!(f, "  {phase}; topics {}, {partitions}", kafka.topics.join(" and "))?;
        writeln!(f, "  agent {} in project {}", or_none(&self.report.agent), or_none(&self.report.project))?;
        if let Some(trouble) = &kafka.trouble {
            writeln!(f, "  TROUBLE: {trouble}")?;
        }
        writeln!(f, "  {} records in flight", kafka.in_flight)
    }

    fn central(&self, f: &mut Formatter<'_>, what: &str) -> fmt::Result {
        let (report, uplink) = (self.report, self.uplink);
        write!(f, "\n{what} to {}", uplink.address)?;
        let others: Vec<&str> =
            uplink.addresses.iter().map(String::as_str).filter(|other| *other != uplink.address).collect();
        match others.is_empty() {
            true => writeln!(f)?,
            false => writeln!(f, ", or else {}", others.join(", "))?,
        }
        let phase = match uplink.phase {
            LinkPhase::Starting => "not tried yet".to_owned(),
            LinkPhase::Enrolling => "asking for a certificate with the join token".to_owned(),
            LinkPhase::Connecting => "not connected, trying".to_owned(),
            LinkPhase::Left => "left".to_owned(),
            LinkPhase::Connected => {
                format!("connected for {}", uplink.connected_since.map(|at| self.ago(at)).unwrap_or_default())
            }
        };
        writeln!(
            f,
            "  {phase}; session {}, agent {} in project {}",
            uplink.sessions,
            or_none(&report.agent),
            or_none(&report.project)
        )?;
        if let Some(failure) = &uplink.last_failure {
            writeln!(f, "  last failure: {failure}")?;
        }
        if uplink.forks > 0 {
            writeln!(f, "  {} times another agent used our streams: was this machine cloned?", uplink.forks)?;
        }
        Ok(())
    }

    fn records(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let uplink = self.uplink;
        let acknowledged =
            uplink.last_acknowledged_at.map_or_else(|| "never".into(), |at| format!("{} ago", self.ago(at)));
        writeln!(
            f,
            "  sent {} records, {} acknowledged, the last {acknowledged}",
            uplink.sent, uplink.acknowledged
        )
    }

    fn clock(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.uplink.clock_offset_ms, self.uplink.rtt_ms) {
            (Some(offset), rtt) => writeln!(
                f,
                "  clock corrected by {offset:+.3} ms, round trip {:.3} ms",
                rtt.unwrap_or_default()
            ),
            (None, _) => writeln!(f, "  clock not measured yet"),
        }
    }
}
