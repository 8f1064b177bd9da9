//! The unit of systemd, and a host as systemd has it: told to go on by another configuration, and to stop.

use super::SECRET;
use anyhow::{Context as _, ensure};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tidegate_tests::edge::root;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::{self, Queue, QueuePlace, lasting_port, local, until};

/// The unit's settings, for a program that is there.
fn unit(program: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(root().join("packaging/tidegate.service"))?;
    Ok(text.replace("/usr/local/bin/tidegate", program.to_str().context("a path in UTF-8")?))
}

#[test]
fn the_unit_is_well_formed_and_hardened() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let text = unit(&system::tidegate()?)?;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '['])) {
        ensure!(
            line.split_once('=').is_some_and(|(key, _)| key.chars().all(char::is_alphanumeric)),
            "{line}"
        );
    }
    for setting in [
        "Type=notify",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "UMask=0077",
        "StateDirectory=tidegate",
    ] {
        ensure!(text.lines().any(|line| line == setting), "{setting}");
    }
    let stop_s = text.lines().find_map(|line| line.strip_prefix("TimeoutStopSec="));
    ensure!(stop_s.context("it says how long stopping takes")?.parse::<u32>()? > 30, "draining takes 30 s");
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return Ok(());
    }
    // Without its pages of the manual, which are not where a test runs.
    let file = dir.path().join("tidegate.service");
    std::fs::write(&file, text.replace("Documentation=man:tidegate(1)\n", ""))?;
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output()?;
    ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let security = ["security", "--offline=yes", "--threshold=20"];
    let judged = Command::new("systemd-analyze").args(security).arg(&file).output()?;
    ensure!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
    Ok(())
}

#[tokio::test]
async fn completions_and_manual_pages_know_every_command() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cli = Cli::new(dir.path());
    for shell in ["bash", "zsh", "fish"] {
        let script = cli.output(&["completions", shell]).await?;
        ensure!(script.contains("doctor") && script.contains("restore"), "{shell}: {script}");
    }
    cli.output(&["man", "man1"]).await?;
    for page in ["tidegate.1", "tidegate-doctor.1", "tidegate-plugin-deploy.1"] {
        let text = std::fs::read_to_string(dir.path().join("man1").join(page)).context(page)?;
        ensure!(text.contains(".SH NAME"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_running_host_goes_on_by_another_configuration_and_says_when_it_is_ready_and_stops()
-> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let port = lasting_port()?;
    let place = QueuePlace {
        dir: dir.path(),
        rest_port: port,
        binding_port: lasting_port()?,
        name: "q",
        token: "queue-token-1",
    };
    let queue = Queue::start(place).await?;
    let config = |percent_max: u8, batch_max: u8| {
        format!(
            "[queue]\nbase_url = \"http://{}/client/v4\"\naccount_id = \"{:032}\"\nqueue_id = \"{}\"\nbatch_max = {batch_max}\n\
             [alerts]\nurl = \"{}\"\nlook_ms = 100\ndisk_percent_max = {percent_max}\n",
            local(port),
            0,
            queue.id,
            receiver.url("/alerts")
        )
    };
    let file = dir.path().join("tidegate.toml");
    std::fs::write(&file, config(0, 10))?;
    let socket = dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket)?;
    manager.set_read_timeout(Some(Duration::from_secs(60)))?;
    let heard = || {
        let mut bytes = [0; 200];
        let length = manager.recv(&mut bytes).context("the host tells how it is")?;
        anyhow::Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
    };
    let env = [
        ("TIDEGATE_QUEUE_TOKEN", place.token),
        ("TIDEGATE_ALERTS_SECRET", SECRET),
        ("NOTIFY_SOCKET", socket.to_str().context("a path in UTF-8")?),
    ];
    let mut host = system::start_run(dir.path(), &env)?;
    ensure!(heard()?.starts_with("READY=1"));

    std::fs::write(&file, "[alerts\n")?;
    host.signal("HUP").await?;
    let kept = "kept the configuration as it was";
    until("it says that it kept it", async || Ok(host.log()?.contains(kept).then_some(()))).await?;
    ensure!(receiver.notices().is_empty());
    std::fs::write(&file, config(1, 20))?;
    host.signal("HUP").await?;
    let notices = receiver.until("the alert", |notices| !notices.is_empty()).await?;
    ensure!(super::kinds(&notices)? == ["host.disk"], "{notices:?}");
    let log = host.log()?;
    ensure!(log.contains("hold from the next start: queue.batch_max"), "{log}");

    host.signal("TERM").await?;
    ensure!(heard()?.starts_with("STOPPING=1"));
    ensure!(host.ended().await?.success(), "{}", host.log()?);
    Ok(())
}
