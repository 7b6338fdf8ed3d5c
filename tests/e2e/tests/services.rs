//! A service's own saturation, from its control group to the page.

use std::path::Path;

use anyhow::Result;
use goldentime_e2e::ask::central_until;
use goldentime_e2e::pages::{self, Page};
use goldentime_e2e::world::World;
use goldentime_testkit::receivers::WebhookReceiver;

const UNIT: &str = "system.slice/payment.service";

/// More than half of three seconds' readings above 90%.
const RULE: &str = "apiVersion: openslo/v1
kind: SLO
metadata: {name: memory}
spec:
  service: payment
  indicator:
    metadata: {name: memory}
    spec:
      thresholdMetric:
        metricSource:
          type: goldentime
          spec: {signal: saturation, metric: container.memory.utilization, threshold: 90%}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.5}]
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: memory}
      spec:
        alertWhenBreaching: true
        alertWhenResolved: true
        conditions:
          - kind: AlertCondition
            metadata: {name: memory}
            spec:
              severity: page
              condition: {kind: burnrate, op: gt, threshold: 1, lookbackWindow: 3s, alertAfter: 0s}
";

/// A recorded tree of control groups of version 2 with one unit that may use 1,000 bytes.
fn record(root: &Path, used: u64) -> Result<()> {
    let unit = root.join(UNIT);
    std::fs::create_dir_all(&unit)?;
    std::fs::write(root.join("cgroup.controllers"), "cpu memory\n")?;
    for (file, text) in [
        ("memory.current", format!("{used}\n")),
        ("memory.max", "1000\n".to_owned()),
        ("cgroup.events", "populated 1\n".to_owned()),
    ] {
        std::fs::write(unit.join(file), text)?;
    }
    Ok(())
}

fn page(is_firing: bool) -> impl Fn(&Page) -> bool {
    move |page| page.name == "memory" && page.is_firing == is_firing
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_a_service_near_its_limit_on_one_of_two_hosts_pages_and_resolves() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, "location / { return 200 'fine'; }").await?;
    let config = world.central(Some(&hook.url()))?;
    std::fs::write(config.slo_dir.join("memory.yaml"), RULE)?;
    let central = config.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let token = central.join_token("default")?;
    let roots: Vec<_> = (1..=2).map(|host| world.folder().join(format!("cgroup-{host}"))).collect();
    let mut agents = Vec::new();
    for (host, root) in roots.iter().enumerate() {
        record(root, 500)?;
        let mut agent = world.agent(host, &address, &token)?;
        agent.inputs_yaml.push_str(&format!(
            "  services:\n    - unit: payment.service\n  saturation:\n    cgroup_root: '{}'\n",
            root.display()
        ));
        agents.push(agent.start()?);
    }
    let windows = "/api/v1/windows?service=default/default/payment&seconds=10";
    let both = |window: &serde_json::Value| {
        ["web-1", "web-2"].iter().all(|host| {
            let key = format!("container.memory.utilization{{host=\"{host}\",unit=\"payment.service\"}}");
            window["gauges"][key.as_str()] == 0.5
        })
    };
    central_until(&central, windows, "readings of both hosts", both).await?;
    assert!(!pages::all(&hook).iter().any(page(true)), "half of the limit is no reason to page");

    record(&roots[0], 950)?;
    record(&roots[1], 980)?;
    let fired = pages::until(&hook, "the page", page(true)).await?;
    let text = fired.alert.to_string();
    assert!(text.contains("container.memory.utilization"), "{text}");
    record(&roots[0], 500)?;
    record(&roots[1], 500)?;
    pages::until(&hook, "the resolve", page(false)).await?;
    Ok(())
}
