//! The units of systemd, and a host as systemd has it: told to go on by another configuration, and to stop.

use super::SECRET;
use anyhow::{Context as _, ensure};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tidegate_tests::checker;
use tidegate_tests::edge::root;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::{self, Queue, QueuePlace, lasting_port, local, until};
use tidegate_toolchain::tool;

/// What a template of systemd's has where the unit of a single host has the other.
const WHOSE: [(&str, &str); 7] = [
    ("Description=Tidegate %i:", "Description=Tidegate:"),
    ("PartOf=tidegate.target\n", ""),
    ("EnvironmentFile=-/etc/tidegate/%i.env\n", ""),
    ("TIDEGATE_DATA=/var/lib/tidegate/%i TIDEGATE_STORE_HOST=%H-%i\n", "TIDEGATE_DATA=/var/lib/tidegate\n"),
    ("StateDirectory=tidegate/%i\n", "StateDirectory=tidegate\n"),
    ("WorkingDirectory=/var/lib/tidegate/%i\n", "WorkingDirectory=/var/lib/tidegate\n"),
    ("WantedBy=tidegate.target", "WantedBy=multi-user.target"),
];

fn unit(name: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(root().join("packaging/systemd").join(name)).context(name.to_owned())
}

/// What `systemd-analyze` says about a unit in this folder, where it finds all others.
fn analyzed(dir: &Path, args: &[&str], name: &str) -> anyhow::Result<String> {
    let program = tool::find("systemd-analyze")?;
    // Those of systemd itself, such as `sysinit.target`: beside the program where it was unpacked, else the machine's.
    let beside = program.parent().context("it is in a folder")?.display();
    let dir = dir.display();
    let path = format!("{dir}:{beside}/lib/systemd/system:{beside}/usr/lib/systemd/system:");
    let mut command = Command::new(&program);
    command.env("SYSTEMD_UNIT_PATH", path).args(args).arg(format!("{dir}/{name}"));
    checker::said(command, "")
}

#[test]
fn the_units_are_well_formed_and_hardened() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let program = system::tidegate()?;
    let program = program.to_str().context("a path in UTF-8")?;
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text);
    for name in ["tidegate.service", "tidegate@.service", "tidegate.target"] {
        // Without its pages of the manual, which are not where a test runs.
        let text = unit(name)?.replace("Documentation=man:tidegate(1)\n", "");
        write(name, &text.replace("/usr/local/bin/tidegate", program))?;
    }
    let verify = ["verify", "--man=no"];
    for name in ["tidegate.service", "tidegate@.service", "tidegate.target"] {
        // What it passes over it only tells.
        let said = analyzed(dir.path(), &verify, name)?;
        ensure!(said.is_empty(), "{said}");
    }
    for name in ["tidegate.service", "tidegate@.service"] {
        analyzed(dir.path(), &["security", "--offline=yes", "--no-pager", "--threshold=20"], name)?;
    }
    write("wrong.service", &format!("[Service]\nExecStart={program} run\nProtectSystm=strict\n"))?;
    let said = analyzed(dir.path(), &verify, "wrong.service")?;
    ensure!(said.contains("ProtectSystm"), "it looks at nothing: {said}");
    Ok(())
}

#[tokio::test]
async fn the_units_start_what_there_is_and_leave_it_the_time_it_takes() -> anyhow::Result<()> {
    let (single, template) = (unit("tidegate.service")?, unit("tidegate@.service")?);
    let value = |key: &str| single.lines().find_map(|line| line.strip_prefix(key)).context(key.to_owned());
    let stop_s = value("TimeoutStopSec=")?.parse::<u32>()?;
    ensure!(stop_s > 30, "draining takes 30 s, not {stop_s}");
    let args = value("ExecStart=")?.strip_prefix("/usr/local/bin/tidegate ").context("it is ours")?;
    let args: Vec<_> = args.split(' ').chain(["--help"]).collect();
    Cli::new(&root()).output(&args).await?;

    let settings = |text: &str| text.split_once("[Unit]").map(|(_, settings)| settings.to_owned());
    let mut expected = settings(&template).context("it has settings")?;
    for (of_many, of_one) in WHOSE {
        ensure!(expected.contains(of_many), "{of_many}");
        expected = expected.replace(of_many, of_one);
    }
    ensure!(
        settings(&single).as_ref() == Some(&expected),
        "the units differ in more than whose they are:\n{expected}"
    );
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
            queue.id(),
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
