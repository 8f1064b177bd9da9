//! The Worker as wrangler would deploy it: checked by wrangler itself, then run.

use std::fs;
use std::path::Path;
use std::process::Command;
use tidegate_tests::edge::{Edge, EdgeOptions, live_path, root};
use tidegate_tests::recorder::Recorder;
use tidegate_toolchain::tool;

/// `wrangler deploy --dry-run` on the built Worker with our `wrangler.toml`, less its build command (the suite
/// has built it). Gives what wrangler printed.
fn dry_run(dir: &Path) -> String {
    let config = fs::read_to_string(root().join("wrangler.toml")).expect("wrangler.toml");
    let mut config: toml::Table = config.parse().expect("TOML");
    assert!(config.remove("build").is_some(), "wrangler.toml builds the Worker");
    let main = root().join("worker/build/index.js").canonicalize().expect("the built Worker");
    config.insert("main".to_owned(), main.to_str().expect("UTF-8").into());
    fs::write(dir.join("wrangler.toml"), config.to_string()).expect("write");
    let output = Command::new(tool::find("node").expect("node"))
        .arg(tool::find("wrangler").expect("wrangler"))
        .args(["deploy", "--dry-run", "--outdir", "bundle"])
        .current_dir(dir)
        .envs([
            ("CI", "1"),
            ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
            ("WRANGLER_SEND_ERROR_REPORTS", "false"),
            ("WRANGLER_SEND_METRICS", "false"),
            ("WRANGLER_LOG_PATH", "log"),
        ])
        .output()
        .expect("node starts");
    let printed =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}");
    printed
}

#[tokio::test]
async fn wrangler_takes_the_worker_and_its_bundle_serves() {
    let dir = tempfile::tempdir().expect("a folder");
    let printed = dry_run(dir.path());
    assert!(printed.contains("env.QUEUE") && printed.contains("env.VAULT"), "{printed}");
    assert!(!printed.contains("WARNING"), "{printed}");

    // What would be uploaded: the bundle and the wasm, without wrangler's notes about them.
    let bundle = dir.path().join("bundle");
    for entry in fs::read_dir(&bundle).expect("the bundle") {
        let path = entry.expect("an entry").path();
        if !path.extension().is_some_and(|extension| extension == "js" || extension == "wasm") {
            fs::remove_file(path).expect("remove a note");
        }
    }
    let queue = Recorder::start().await.expect("a free port");
    let options = EdgeOptions { build: bundle, ..EdgeOptions::usual(queue.addr()) };
    let edge = Edge::start_with(options).await.expect("the bundle starts");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let response = client.post(edge.url(&live_path())).body("{}").send().await;
    assert_eq!(response.expect("the edge answers").status(), 202);
    assert_eq!(queue.take().len(), 1);
}
