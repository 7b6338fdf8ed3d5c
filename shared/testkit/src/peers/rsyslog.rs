//! rsyslog that follows a file and produces its lines to Kafka.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::process::{Process, Program, find};

/// How long it may take to send what it has.
const STOP_MAX: Duration = Duration::from_secs(30);

/// A host on which rsyslog runs.
pub struct RsyslogProps<'a> {
    /// Name of the host.
    pub host: &'a str,
    /// The file that it follows, from its beginning.
    pub file: &'a Path,
    /// Kafka's brokers.
    pub brokers: &'a [String],
    /// The topic.
    pub topic: &'a str,
    /// Whether its lines are sent as they are; else as JSON with host, time and severity.
    pub is_plain: bool,
}

/// A running rsyslog.
pub struct Rsyslog {
    process: Process,
    /// Its configuration.
    pub file: PathBuf,
}

impl Rsyslog {
    /// Starts it in the foreground, its files under `folder`. The key of its records is the host's name.
    pub fn start(folder: &Path, props: &RsyslogProps<'_>) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let (root, RsyslogProps { host, topic, .. }) = (folder.display(), props);
        let template = if props.is_plain { "line" } else { "json" };
        let text = format!(
            r#"global(workDirectory="{root}" localHostname="{host}" maxMessageSize="64k")
module(load="imfile")
module(load="omkafka")
template(name="line" type="string" string="%msg%")
template(name="json" type="list" option.jsonf="on") {{
  property(outname="timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="tag" name="syslogtag" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}}
ruleset(name="kafka") {{
  action(type="omkafka" broker={brokers:?} topic="{topic}" key="{host}" partitions.auto="on" template="{template}"
         confParam=["enable.idempotence=true"] resubmitOnFailure="on" keepFailedMessages="on"
         failedMsgFile="{root}/failed" action.resumeRetryCount="-1" closeTimeout="20000")
}}
input(type="imfile" file="{file}" tag="nginx:" ruleset="kafka")
"#,
            brokers = props.brokers,
            file = props.file.display(),
        );
        let file = folder.join("rsyslog.conf");
        std::fs::write(&file, text)?;
        let process = Program::new("rsyslog", find("rsyslogd")?, folder)
            .args(["-n".into(), "-f".into(), file.clone().into_os_string()])
            .args(["-i".into(), folder.join("rsyslog.pid").into_os_string()])
            .start()?;
        Ok(Self { process, file })
    }

    /// Ends it once it has sent what it has.
    pub async fn stop(mut self) -> Result<()> {
        self.process.stop(STOP_MAX).await.map(drop)
    }
}
