//! The manifests for Kubernetes: judged by its own schemas, and by a host that is started as they say.

use anyhow::{Context as _, ensure};
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tidegate::config::Config;
use tidegate::config::others::Others;
use tidegate_tests::checker;
use tidegate_tests::edge::root;
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::{self, Queue, QueuePlace, lasting_port, local, until};
use tidegate_toolchain::tool;

/// The oldest Kubernetes that the manifest says it is for, and the newest that the linter knows.
const VERSIONS: [&str; 2] = ["1.27", "1.37"];
/// What is in the manifest, in its order.
const KINDS: [&str; 5] =
    ["ConfigMap", "Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy"];
/// Makes JSON of YAML.
const READ: &str = "import json, sys, yaml\nprint(json.dumps(list(yaml.safe_load_all(sys.stdin))))";

fn file(name: &str) -> PathBuf {
    root().join("packaging/kubernetes").join(name)
}

/// The documents of one of the files.
fn documents(name: &str) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(file(name)).context(name.to_owned())?;
    let mut python = checker::python("kubernetes-validate")?;
    python.args(["-c", READ]);
    serde_json::from_str(&checker::said(python, &text)?).context("read what Python printed")
}

/// What the manifest has of this kind.
fn of(kind: &str) -> anyhow::Result<Value> {
    let found = documents("tidegate.yaml")?.into_iter().find(|document| document["kind"] == kind);
    found.context(kind.to_owned())
}

fn lint(manifest: &Path) -> anyhow::Result<String> {
    let mut python = checker::python("kubernetes-validate")?;
    python.arg(tool::find("kubernetes-validate")?).arg("--strict");
    python.args(VERSIONS.iter().flat_map(|version| ["--kubernetes-version", version])).arg(manifest);
    checker::said(python, "")
}

/// The text of the host's configuration.
fn configuration() -> anyhow::Result<String> {
    let map = of("ConfigMap")?;
    Ok(map["data"]["tidegate.toml"].as_str().context("it has tidegate.toml")?.to_owned())
}

#[test]
fn kubernetes_understands_the_manifest() -> anyhow::Result<()> {
    let kinds = documents("tidegate.yaml")?;
    let kinds: Vec<_> = kinds.iter().filter_map(|document| document["kind"].as_str()).collect();
    ensure!(kinds == KINDS, "{kinds:?}");
    let said = lint(&file("tidegate.yaml"))?;
    // Of what it has no schema it only warns.
    ensure!(said.matches(" passed for ").count() == KINDS.len() * VERSIONS.len(), "{said}");
    let wrong = tempfile::NamedTempFile::with_suffix(".yaml")?;
    let text = std::fs::read_to_string(file("tidegate.yaml"))?;
    std::fs::write(wrong.path(), text.replace("readOnlyRootFilesystem", "readOnlyRootFileSystem"))?;
    let said = lint(wrong.path()).err().context("it looks at nothing")?.to_string();
    ensure!(said.contains("readOnlyRootFileSystem"), "{said}");
    Ok(())
}

/// The configuration as the host reads it.
fn read() -> anyhow::Result<Config> {
    let toml = tempfile::NamedTempFile::new()?;
    std::fs::write(toml.path(), configuration()?)?;
    Config::load(Some(toml.path()), std::iter::empty())
}

#[tokio::test]
async fn the_manifest_and_the_configuration_in_it_say_the_same() -> anyhow::Result<()> {
    let config = read()?;
    ensure!(
        config.store.url.starts_with("postgres://") && config.store.others == Others::Share,
        "there are several"
    );
    let pod = &of("Deployment")?["spec"]["template"]["spec"];
    // With them, Kubernetes' own variables would be taken for keys.
    ensure!(pod["enableServiceLinks"] == false);
    ensure!(pod["terminationGracePeriodSeconds"].as_u64() > Some(30), "draining takes 30 s");
    let container = &pod["containers"][0];
    ensure!(container["image"] == concat!("registry.example/tidegate:", env!("CARGO_PKG_VERSION")));
    ensure!(container["ports"][0]["containerPort"] == config.admin.listen.port());
    let mounts = container["volumeMounts"].as_array().context("it has directories")?;
    let admin = &config.admin;
    for path in [&admin.certificate_file, &admin.key_file, Path::new("/etc/tidegate/tidegate.toml")] {
        let is_mounted =
            mounts.iter().any(|mount| path.parent() == mount["mountPath"].as_str().map(Path::new));
        ensure!(is_mounted, "{} is in none of {mounts:?}", path.display());
    }
    let args = container["args"].as_array().context("it has a command")?;
    let args: Vec<_> = args.iter().filter_map(Value::as_str).chain(["--help"]).collect();
    Cli::new(&root()).output(&args).await?;
    Ok(())
}

#[test]
fn what_a_host_may_take_is_less_than_it_is_given() -> anyhow::Result<()> {
    let config = read()?;
    let limits = &of("Deployment")?["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"];
    let memory = limits["memory"].as_str().and_then(|text| text.strip_suffix("Gi"));
    let memory = memory.context("its memory is said in Gi")?.parse::<usize>()? << 30;
    let may_take = usize::try_from(config.sandbox.instances_max)? * config.limits.memory_bytes
        + config.sandbox.compile_memory_bytes_max
        + config.store.subjects_bytes_max;
    // A quarter is for all else.
    ensure!(may_take < memory / 4 * 3, "they may take {may_take} of {memory} bytes");
    Ok(())
}

#[test]
fn what_hosts_are_scaled_by_is_a_metric_that_prometheus_knows() -> anyhow::Result<()> {
    let autoscaler = of("HorizontalPodAutoscaler")?;
    ensure!(autoscaler["spec"]["scaleTargetRef"]["name"] == of("Deployment")?["metadata"]["name"]);
    let metric = autoscaler["spec"]["metrics"][0]["external"]["metric"]["name"].as_str();
    let metric = metric.context("it is scaled by a metric")?;
    let known = std::fs::read_to_string(root().join("docs/metrics.md"))?;
    ensure!(known.contains(&format!("| `{metric}` | gauge | `queue`")), "{metric}");

    let adapter = documents("adapter.yaml")?.remove(0);
    let rule = &adapter["externalRules"][0];
    let series = rule["seriesQuery"].as_str().context("the adapter looks for series")?;
    // What the adapter puts in.
    let query = rule["metricsQuery"].as_str().context("it has a query")?;
    let query = query.replace("<<.Series>>", metric).replace("<<.LabelMatchers>>", "namespace=\"tidegate\"");
    let told = |pod: &str, queue: u8, messages: u32| {
        let labels = format!("namespace=\"tidegate\",pod=\"{pod}\",queue=\"{queue}\"");
        json!({ "series": format!("{metric}{{{labels}}}"), "values": messages.to_string() })
    };
    let gives = |query: &str, value: u32| {
        let samples = json!([{ "labels": "{}", "value": value }]);
        json!({ "expr": query, "eval_time": "0m", "exp_samples": samples })
    };
    let asked = json!({ "tests": [{
        "input_series": [told("a", 1, 7_000), told("a", 2, 100), told("b", 1, 6_900)],
        "promql_expr_test": [gives(&format!("count({series})"), 3), gives(&query, 7_100)],
    }] });
    let dir = tempfile::tempdir()?;
    // JSON is YAML.
    std::fs::write(dir.path().join("test.yml"), asked.to_string())?;
    checker::promtool(dir.path(), &["test", "rules", "test.yml"], "")?;

    let mut scraped = documents("prometheus.yaml")?.remove(0);
    // Debian's promtool is built without this one.
    let job = scraped["scrape_configs"][0].as_object_mut().context("it reads hosts")?;
    let pods = job.remove("kubernetes_sd_configs");
    ensure!(pods.is_some_and(|pods| pods[0]["role"] == "pod"));
    std::fs::write(dir.path().join("prometheus.yml"), scraped.to_string())?;
    checker::promtool(dir.path(), &["check", "config", "--syntax-only", "prometheus.yml"], "")?;
    Ok(())
}

/// The configuration, with what differs from place to place, and without the database.
fn configuration_here(ours: &[(&str, &str, String)]) -> anyhow::Result<String> {
    let mut config: toml::Table = toml::from_str(&configuration()?)?;
    config.remove("store").context("it has a store")?;
    for (section, name, value) in ours {
        let table = config.get_mut(*section).and_then(toml::Value::as_table_mut);
        let section = table.with_context(|| format!("it has no [{section}]"))?;
        section.insert((*name).to_owned(), value.as_str().into());
    }
    Ok(config.to_string())
}

#[tokio::test]
async fn a_host_of_the_manifest_answers_its_probes() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let (certificate, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let [rest_port, binding_port, edge_port, port] =
        [lasting_port()?, lasting_port()?, lasting_port()?, lasting_port()?];
    let place = QueuePlace { dir: dir.path(), rest_port, binding_port, name: "q", token: "queue-token-1" };
    let queue = Queue::start(place).await?;
    let config = configuration_here(&[
        ("queue", "base_url", format!("http://{}/client/v4", local(rest_port))),
        ("queue", "queue_id", queue.id().to_owned()),
        ("edge", "url", format!("http://{}", local(edge_port))),
        ("admin", "listen", format!("0.0.0.0:{port}")),
        ("admin", "certificate_file", certificate.display().to_string()),
        ("admin", "key_file", key.display().to_string()),
    ]);
    std::fs::write(dir.path().join("tidegate.toml"), config?)?;
    let env = [("TIDEGATE_QUEUE_TOKEN", place.token), ("TIDEGATE_EDGE_TOKEN", "edge-token-1")];
    let mut host = system::start_run(dir.path(), &env)?;

    let container = &of("Deployment")?["spec"]["template"]["spec"]["containers"][0];
    let trusted = Certificate::from_pem(made.cert.pem().as_bytes())?;
    let client = Client::builder().no_proxy().add_root_certificate(trusted).build()?;
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let get = &container[probe]["httpGet"];
        ensure!(get["port"] == "admin" && get["scheme"] == "HTTPS", "{probe}: {get}");
        let url = format!("https://localhost:{port}{}", get["path"].as_str().context("it has a path")?);
        until(probe, async || {
            let answer = client.get(&url).send().await.ok();
            Ok(answer.filter(|answer| answer.status().is_success()).map(drop))
        })
        .await?;
    }
    host.signal("TERM").await?;
    ensure!(host.ended().await?.success(), "{}", host.log()?);
    Ok(())
}
