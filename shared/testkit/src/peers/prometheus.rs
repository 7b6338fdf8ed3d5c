//! Prometheus with Alertmanager, tuned as hard as it goes: one-second scrapes and evaluations, no
//! group wait.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::ports;
use crate::process::{Process, Program, find};
use crate::wait;

/// One alerting rule.
pub struct PrometheusRule {
    /// Name of the alert.
    pub name: String,
    /// PromQL expression.
    pub expression: String,
}

/// A running Prometheus and its Alertmanager.
pub struct PrometheusStack {
    /// Prometheus's port, for queries.
    pub port: u16,
    _prometheus: Process,
    _alertmanager: Process,
}

impl PrometheusStack {
    /// Scrapes `target` (host:port) each second and posts alerts to `webhook`.
    pub async fn start(folder: &Path, target: &str, rules: &[PrometheusRule], webhook: &str) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let (port, alertmanager_port) = (ports::free_tcp(), ports::free_tcp());
        std::fs::write(folder.join("rules.yml"), rule_file(rules))?;
        std::fs::write(
            folder.join("prometheus.yml"),
            format!(
                "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
                 rule_files: [rules.yml]\n\
                 alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager_port}']}}]}}]}}\n\
                 scrape_configs: [{{job_name: shop, static_configs: [{{targets: ['{target}']}}]}}]\n"
            ),
        )?;
        std::fs::write(
            folder.join("alertmanager.yml"),
            format!(
                "route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
                 receivers: [{{name: hook, webhook_configs: [{{url: '{webhook}', send_resolved: true}}]}}]\n"
            ),
        )?;
        let mut alertmanager = Program::new("alertmanager", find("prometheus-alertmanager")?, folder)
            .args([
                "--config.file=alertmanager.yml".to_owned(),
                "--storage.path=alertmanager".to_owned(),
                format!("--web.listen-address=127.0.0.1:{alertmanager_port}"),
                "--cluster.listen-address=".to_owned(),
            ])
            .start()?;
        let mut prometheus = Program::new("prometheus", find("prometheus")?, folder)
            .args([
                "--config.file=prometheus.yml".to_owned(),
                "--storage.tsdb.path=data".to_owned(),
                format!("--web.listen-address=127.0.0.1:{port}"),
            ])
            .start()?;
        for (process, port) in [(&mut alertmanager, alertmanager_port), (&mut prometheus, port)] {
            process
                .ready(Duration::from_secs(30), || async move {
                    wait::until_listening("peer", port, Duration::ZERO).await.is_ok()
                })
                .await?;
        }
        Ok(Self { port, _prometheus: prometheus, _alertmanager: alertmanager })
    }
}

fn rule_file(rules: &[PrometheusRule]) -> String {
    let mut text = "groups:\n- name: bench\n  interval: 1s\n  rules:\n".to_owned();
    for rule in rules {
        let _ = writeln!(text, "  - alert: {}\n    expr: {}", rule.name, rule.expression);
    }
    text
}
