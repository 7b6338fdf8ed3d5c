//! The packages: in a fresh Debian, by lintian, by rpm and by systemd-analyze. Long, and for root:
//! `make test-full` runs them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_e2e::is_full;
use goldentime_e2e::packages::{PROGRAMS, Packages, Root, project, run};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::nginx::LOG_FORMAT;
use goldentime_testkit::process::{Process, Program};
use goldentime_testkit::{http_client, ports, wait};
use serde_json::Value;

/// How long a program may take to start, count or stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests that the installed agent is to count.
const REQUESTS: u64 = 25;
/// Exposure that the agent's unit may have, in tenths.
const AGENT_EXPOSURE_MAX: &str = "20";
/// The same of the central's.
const CENTRAL_EXPOSURE_MAX: &str = "13";

/// Whether these tests can and should run here.
fn is_asked_for() -> bool {
    let asked = is_full();
    if !asked {
        eprintln!("skipped: GOLDENTIME_TEST_FULL=1 runs it");
    }
    asked
}

/// A file's owner, group and mode in a root.
fn owner(root: &Root, path: &str) -> Result<String> {
    Ok(root.run(&format!("stat -c '%U:%G %a' {path}"))?.trim().to_owned())
}

/// The installed central, started by hand with the installed configuration on ports that are free.
struct Installed {
    central: Process,
    http: u16,
    agents: u16,
}

impl Installed {
    async fn start(root: &Root) -> Result<Self> {
        let (http, agents) = (ports::free_tcp(), ports::free_udp());
        let command = root.as_user("goldentime-central", &["/usr/bin/goldentime-central", "serve"]);
        let program = Program::new("central", &command[0], &root.path("/tmp")).args(&command[1..]);
        let program = program.env("GOLDENTIME_CENTRAL__HTTP__LISTEN", format!("127.0.0.1:{http}"));
        let program = program.env("GOLDENTIME_CENTRAL__AGENTS__LISTEN", format!("127.0.0.1:{agents}"));
        let mut central = program.start()?;
        let url = format!("http://127.0.0.1:{http}/readyz");
        let ready = || async {
            http_client().get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
        };
        central.ready(PATIENCE, ready).await?;
        Ok(Self { central, http, agents })
    }

    async fn get(&self, path: &str) -> Result<Value> {
        Ok(http_client().get(format!("http://127.0.0.1:{}{path}", self.http)).send().await?.json().await?)
    }

    async fn stop(mut self) -> Result<()> {
        let status = self.central.stop(PATIENCE).await?;
        ensure!(status.success(), "{status}: {}", self.central.output());
        Ok(())
    }
}

fn start_agent(root: &Root, agents: u16) -> Result<Process> {
    let command = root.as_user("goldentime-agent", &["/usr/bin/goldentime-agent", "run"]);
    let program = Program::new("agent", &command[0], &root.path("/tmp")).args(&command[1..]);
    program.env("GOLDENTIME_AGENT__CENTRAL__ADDRESS", format!("127.0.0.1:{agents}")).start()
}

/// An access log in the root, which its group `adm` may read, and the agent's configuration for it.
fn tell_what_to_read(root: &Root, token: &str) -> Result<()> {
    std::fs::write(root.path("/etc/goldentime/join-token"), token)?;
    let input = format!(
        "inputs:\n  tail:\n    - name: shop\n      paths: [/var/log/shop/access.log]\n      service: shop\n      \
         start_at: beginning\n      format: {{type: nginx, log_format: '{LOG_FORMAT}'}}\n"
    );
    std::fs::write(root.path("/etc/goldentime/agent.d/shop.yaml"), input)?;
    root.run(
        "chown root:goldentime-agent /etc/goldentime/join-token; chmod 640 /etc/goldentime/join-token
         install -d -m 755 /var/log/shop",
    )?;
    let at = SystemClock.now().as_millis();
    let line = format!(
        "127.0.0.1 - - [22/Nov/2026:15:14:42 +0000] \"GET /orders/7 HTTP/1.1\" 200 157 \"-\" \"curl\" rt=0.012 \
         msec={}.{:03}\n",
        at / 1000,
        at % 1000
    );
    let lines = line.repeat(usize::try_from(REQUESTS)?);
    std::fs::write(root.path("/var/log/shop/access.log"), lines).context("the log")
}

#[tokio::test(flavor = "multi_thread")]
async fn debs_are_installed_work_are_upgraded_and_removed_in_a_fresh_debian() -> Result<()> {
    if !is_asked_for() {
        return Ok(());
    }
    let (first, second) = (Packages::make("0.1.0")?, Packages::make("0.1.1")?);
    let root = Root::unpack()?;
    println!("{}", root.install(&first)?);

    // What the packages promise.
    for name in PROGRAMS {
        let file = name.replace("goldentime-", "/etc/goldentime/") + ".yaml";
        ensure!(owner(&root, &file)? == format!("root:{name} 640"), "{file}: {}", owner(&root, &file)?);
        root.run(&format!("getent passwd {name} && test -e /usr/share/bash-completion/completions/{name}"))?;
        root.run(&format!("dpkg -L {name} | grep -qx /usr/share/man/man8/{name}.8.gz"))?;
        root.run(&format!("test -L /etc/systemd/system/multi-user.target.wants/{name}.service"))?;
        // As StateDirectory= of the unit does.
        root.run(&format!("install -d -m 700 -o {name} -g {name} /var/lib/{name}"))?;
    }
    ensure!(owner(&root, "/etc/goldentime/slo")? == "root:goldentime-central 750");

    // They work with what is installed.
    let check = root.as_user("goldentime-central", &["/usr/bin/goldentime-central", "config", "check"]);
    run(Command::new(&check[0]).args(&check[1..]))?;
    let installed = Installed::start(&root).await?;
    let token = root.as_user("goldentime-central", &["/usr/bin/goldentime-central", "token", "create"]);
    tell_what_to_read(&root, run(Command::new(&token[0]).args(&token[1..]))?.trim())?;
    let mut agent = start_agent(&root, installed.agents)?;
    let counted = wait::until("the installed agent's requests", PATIENCE, || async {
        let window = installed.get("/api/v1/windows?service=default/default/shop&seconds=300").await.ok()?;
        (window["total"]["requests"].as_u64() == Some(REQUESTS)).then_some(())
    });
    counted.await.with_context(|| agent.output())?;
    ensure!(agent.stop(PATIENCE).await?.success(), "{}", agent.output());
    installed.stop().await?;

    // An upgrade keeps what people wrote and what the programs know.
    root.run("echo '# ours' >> /etc/goldentime/agent.yaml; echo '# ours' >> /etc/goldentime/central.yaml")?;
    println!("{}", root.install(&second)?);
    for name in PROGRAMS {
        let file = name.replace("goldentime-", "/etc/goldentime/") + ".yaml";
        root.run(&format!(
            "dpkg-query -W -f '${{Version}}' {name} | grep -qx 0.1.1-1; grep -qx '# ours' {file}"
        ))?;
        ensure!(owner(&root, &file)? == format!("root:{name} 640"));
    }
    let installed = Installed::start(&root).await?;
    let agents = installed.get("/api/v1/agents").await?;
    ensure!(agents.to_string().contains("\"agent\""), "the agent is known after the upgrade: {agents}");
    installed.stop().await?;

    // Removal keeps configuration and data; purging takes both.
    root.run("dpkg -r goldentime-agent goldentime-central 2>&1")?;
    for name in PROGRAMS {
        let file = name.replace("goldentime-", "/etc/goldentime/") + ".yaml";
        root.run(&format!("! test -e /usr/bin/{name}; test -e {file}; test -d /var/lib/{name}"))?;
    }
    root.run("rm -r /etc/goldentime/join-token /etc/goldentime/agent.d/shop.yaml")?;
    root.run("dpkg -P goldentime-agent goldentime-central 2>&1")?;
    for name in PROGRAMS {
        root.run(&format!("! test -e /var/lib/{name}; ! dpkg -s {name} 2>/dev/null; getent passwd {name}"))?;
        root.run(&format!("! test -e /etc/systemd/system/multi-user.target.wants/{name}.service"))?;
    }
    root.run("! test -e /etc/goldentime")?;
    Ok(())
}

#[test]
fn rpms_hold_the_same_and_their_scripts_can_be_repeated() -> Result<()> {
    if !is_asked_for() {
        return Ok(());
    }
    let packages = Packages::make("0.1.2")?;
    let root = Root::unpack()?;
    for name in PROGRAMS {
        let rpm = packages.rpm(name);
        let ask = |what: &str| run(Command::new("rpm").args(["-qp", what]).arg(&rpm));
        let files = ask("-l")?;
        let short = name.trim_start_matches("goldentime-");
        for file in [
            format!("/usr/bin/{name}"),
            format!("/etc/goldentime/{short}.yaml"),
            format!("/usr/lib/systemd/system/{name}.service"),
            format!("/usr/share/man/man8/{name}.8.gz"),
            format!("/usr/share/bash-completion/completions/{name}"),
            format!("/usr/share/zsh/site-functions/_{name}"),
            format!("/usr/share/fish/vendor_completions.d/{name}.fish"),
            format!("/usr/share/licenses/{name}/LICENSE"),
        ] {
            ensure!(files.lines().any(|line| line == file), "{file} is not in\n{files}");
        }
        ensure!(ask("-c")?.trim() == format!("/etc/goldentime/{short}.yaml"), "conffiles: {}", ask("-c")?);
        let listed = ask("--dump")?;
        let config = listed.lines().find(|line| line.contains(".yaml")).context("no configuration")?;
        ensure!(config.contains(&format!("0100640 root {name}")), "{config}");
        let scripts = ask("--scripts")?;
        for kind in ["preinstall", "postinstall", "preuninstall", "postuninstall"] {
            ensure!(scripts.contains(&format!("{kind} scriptlet")), "no {kind}:\n{scripts}");
        }
        // Once for the first installation, once for an upgrade.
        for (script, argument) in
            [("pre", 1), ("post", 1), ("pre", 2), ("post", 2), ("preun", 1), ("postun", 1)]
        {
            let path = project().join(format!("packaging/rpm/{short}/{script}"));
            let text = std::fs::read_to_string(&path)?;
            ensure!(scripts.contains(text.trim()), "{} is not in the package", path.display());
            std::fs::create_dir_all(root.path("/etc/goldentime"))?;
            std::fs::write(root.path("/tmp/script"), text)?;
            root.run(&format!("/bin/sh -e /tmp/script {argument}"))?;
        }
        root.run(&format!("getent passwd {name}; getent group {name}"))?;
    }
    Ok(())
}

#[test]
fn lintian_finds_no_error_in_the_debs() -> Result<()> {
    if !is_asked_for() {
        return Ok(());
    }
    let packages = Packages::make("0.1.3")?;
    for name in PROGRAMS {
        let mut lintian = Command::new("lintian");
        lintian
            .args(["--allow-root", "--fail-on", "error", "--tag-display-limit", "0"])
            .arg(packages.deb(name));
        println!("{}", run(&mut lintian)?);
    }
    Ok(())
}

/// Fails when the unit's exposure is above `tenths`, and gives it.
fn exposure(unit: &Path, tenths: &str) -> Result<String> {
    let threshold = format!("--threshold={tenths}");
    let mut analyze = Command::new("systemd-analyze");
    let said = run(analyze.args(["security", "--offline=true", "--no-pager", &threshold]).arg(unit))?;
    let overall = said.lines().find(|line| line.contains("Overall exposure level"));
    overall.map(|line| line.trim().to_owned()).context("no overall exposure")
}

#[test]
fn the_units_leave_little_open() -> Result<()> {
    if !is_asked_for() {
        return Ok(());
    }
    let units = project().join("packaging/systemd");
    for (name, tenths) in [("agent", AGENT_EXPOSURE_MAX), ("central", CENTRAL_EXPOSURE_MAX)] {
        println!("{}", exposure(&units.join(format!("goldentime-{name}.service")), tenths)?);
    }
    Ok(())
}
