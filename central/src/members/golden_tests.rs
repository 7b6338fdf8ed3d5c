//! Words as released versions say them, which every later one understands.

use std::path::{Path, PathBuf};

use goldentime_catalog::{AlertRecord, Notification};
use goldentime_model::indicator::Signal;
use goldentime_model::{
    Alert, AlertStatus, Fingerprint, Labels, Second, ServiceId, Severity, StageTimes, UnixNanos,
};

use super::hear::hear;
use super::word::{Presence, Said, Statuses, Word};
use crate::evaluate::several::word::Message;
use crate::evaluate::status::{RuleState, RuleStatus};
use crate::ingest::agents::{AgentIdentity, AgentStatus};
use crate::notify::{ChannelHealth, Delivery};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/members/words")
}

fn agent() -> AgentIdentity {
    AgentIdentity {
        agent: "agent-1".into(),
        project: "default".into(),
        environment: "prod".into(),
        host: "web-1".into(),
    }
}

fn agent_status() -> AgentStatus {
    AgentStatus {
        identity: agent(),
        version: "0.1.0".to_owned(),
        connected: true,
        last_seen: UnixNanos(1_700_000_000_000_000_000),
        clock_offset_ns: -5,
        lines_read: 7,
        spool_bytes: 4096,
        lag_ms: 12,
        drops: [("line".to_owned(), 1)].into(),
        refused: 2,
        forked: false,
        flushed: Default::default(),
    }
}

fn labels() -> Labels {
    [("alertname", "errors"), ("service", "shop")].map(|(name, value)| (name.into(), value.into())).into()
}

fn alert() -> Alert {
    Alert {
        fingerprint: Fingerprint::of(&labels()),
        episode: Alert::episode_id("errors", Fingerprint::of(&labels()), Second(1_700_000_000)),
        status: AlertStatus::Firing,
        severity: Severity::Critical,
        labels: labels(),
        annotations: Labels::new(),
        first_breach: Second(1_700_000_000),
        starts_at: UnixNanos(1_700_000_000_500_000_000),
        ends_at: None,
        stages: StageTimes::default(),
    }
}

fn statuses() -> Statuses {
    let service = ServiceId::new("default", "prod", "shop").expect("a valid name");
    let status = RuleStatus {
        rule: "errors".into(),
        slo: Some("errors".into()),
        service: service.clone(),
        services: Vec::new(),
        labels: labels(),
        signal: Signal::Errors,
        state: RuleState::Firing,
        severity: Severity::Critical,
        since: UnixNanos(1_700_000_000_000_000_000),
        sli: None,
        objective: 0.99,
        window_s: 300,
        strays: false,
        watermark: Second(1_700_000_001),
    };
    Statuses { round: 3, is_last: true, services: vec![(service, vec![status])] }
}

/// One of each kind.
fn words() -> Vec<Word> {
    let page = Notification {
        id: "page-1".to_owned(),
        channel: "ops".to_owned(),
        group_key: "{}:{alertname=\"errors\"}".to_owned(),
        group_labels: labels(),
        pages: Vec::new(),
        alerts: vec![alert()],
        created_at: UnixNanos(1_700_000_001_000_000_000),
        attempts: 0,
        recovered: false,
    };
    let record = AlertRecord { alert: alert(), targets: Vec::new(), tell_resolve: true, told: true };
    let channel =
        ChannelHealth { name: "ops".to_owned(), kind: "webhook".into(), ..ChannelHealth::default() };
    let version = Some(env!("CARGO_PKG_VERSION").into());
    let said = [
        Said::Connected(agent()),
        Said::Left(agent()),
        Said::Agents(vec![agent_status()]),
        Said::Statuses(statuses()),
        Said::Alert(Box::new(record)),
        Said::Pages(vec![page]),
        Said::Delivered(Delivery { alerts: vec![alert()], at: UnixNanos(1_700_000_002_000_000_000) }),
        Said::Present(Presence { version, channels: vec![channel], ..Presence::default() }),
        Said::Message(Message::Ask { by: 3 }),
    ];
    said.into_iter().map(|said| Word { member: "central-1".into(), said }).collect()
}

#[test]
fn what_every_earlier_version_says_is_understood() {
    let mut read = 0;
    for file in std::fs::read_dir(folder()).expect("words of earlier versions") {
        let path = file.expect("a file").path();
        for line in std::fs::read_to_string(&path).expect("readable").lines() {
            let word = hear(line.as_bytes()).expect("a word");
            assert_eq!((&*word.member, word.unread), ("central-1", None), "{}: {line}", path.display());
            read += 1;
        }
    }
    assert!(read >= Said::KINDS.len(), "{read} words");
}

#[test]
fn every_kind_that_is_said_is_one_that_is_known() {
    let kind = |word: &Word| serde_json::to_value(&word.said).expect("JSON")["kind"].clone();
    let said: Vec<_> = words().iter().map(kind).collect();
    assert_eq!(said, Said::KINDS);
}

#[test]
#[ignore = "writes what the test above reads in later versions"]
fn write_what_this_version_says() {
    let lines =
        words().iter().map(|word| serde_json::to_string(word).expect("JSON") + "\n").collect::<String>();
    std::fs::create_dir_all(folder()).expect("a folder");
    std::fs::write(folder().join(concat!(env!("CARGO_PKG_VERSION"), ".jsonl")), lines).expect("written");
}
