//! `Sandbox::ask` against the best bare wasmtime loop that makes the same call under the same limits: engine with
//! the same settings, fresh store, `InstancePre`, typed call. Both take turns within one run, so that both have the
//! same weather. Prints a line of JSON per comparison; needs `cargo xtask plugins`.

#[path = "sandbox/bare.rs"]
#[expect(dead_code, reason = "how much memory an instance has is for the bench of languages")]
mod bare;

use bare::wit::exports::tidegate::plugin::handler;
use bare::{Bare, root, sample, told};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;
use tidegate::event::Event;
use tidegate::limits::Limits;
use tidegate::sandbox::{Prepared, Question, Sandbox, SandboxConfig};

const ROUNDS: usize = 300;
const CALLS_PER_ROUND: u32 = 50;

/// One side of a comparison: a thread's medians for both contestants, in microseconds per call.
struct Medians {
    ours: f64,
    bare: f64,
}

struct Contest<'a> {
    sandbox: &'a Sandbox,
    plugin: Prepared,
    component: Vec<u8>,
    event: &'a Event,
    settings: Vec<(String, String)>,
    limits: Limits,
}

impl Contest<'_> {
    fn ours(&self) {
        let question = Question { event: self.event, attempt: 1, settings: &self.settings, memory: None };
        let answer = self.sandbox.ask(&self.plugin, &question, &self.limits);
        assert!(matches!(answer, Ok(Ok(decisions)) if decisions.len() == 1), "the plugin decides one thing");
    }

    fn bare(&self, bare: &Bare, receipt: &str) {
        let settings: Vec<_> =
            self.settings.iter().map(|(name, value)| handler::NameValueParam { name, value }).collect();
        let count = bare.ask(told(self.event, receipt, &settings), &self.limits).expect("the call succeeds");
        assert_eq!(count, 1);
    }

    /// Runs on as many threads as asked for; a round of one contestant never runs beside a round of the other.
    fn run(&self, threads: usize) -> Medians {
        let barrier = Barrier::new(threads);
        let medians: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.one_thread(&barrier))).collect();
            running.into_iter().map(|thread| thread.join().expect("the contest ends")).collect()
        });
        let count = f64::from(u32::try_from(threads).expect("a few threads"));
        Medians {
            ours: medians.iter().map(|medians| medians.ours).sum::<f64>() / count,
            bare: medians.iter().map(|medians| medians.bare).sum::<f64>() / count,
        }
    }

    fn one_thread(&self, barrier: &Barrier) -> Medians {
        // An engine per thread is the best there is for the bare loop too.
        let bare = Bare::new(&self.component).expect("a bare engine");
        let receipt = self.event.receipt.to_string();
        let (mut ours_us, mut bare_us) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            barrier.wait();
            ours_us.push(timed(|| self.ours()));
            barrier.wait();
            bare_us.push(timed(|| self.bare(&bare, &receipt)));
        }
        Medians { ours: median(ours_us), bare: median(bare_us) }
    }
}

/// Microseconds per call of one round.
fn timed(call: impl Fn()) -> f64 {
    let began = Instant::now();
    for _ in 0..CALLS_PER_ROUND {
        call();
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS_PER_ROUND)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> anyhow::Result<()> {
    let cache_dir = tempfile::tempdir()?;
    let sandbox = Sandbox::new(SandboxConfig::new(cache_dir.path().to_owned()))?;
    let event = sample();
    let runs = [
        ("sandbox", "rust", 1),
        ("sandbox, 2 threads", "rust", 2),
        ("sandbox, JavaScript", "javascript", 1),
        ("sandbox, JavaScript, 2 threads", "javascript", 2),
    ];
    for (name, plugin, threads) in runs {
        let path = root().join("plugins").join(plugin).join("plugin.wasm");
        let component = std::fs::read(&path)
            .map_err(|error| anyhow::anyhow!("{}: {error}. Type: cargo xtask plugins", path.display()))?;
        let contest = Contest {
            sandbox: &sandbox,
            plugin: sandbox.prepare(&component)?,
            component,
            event: &event,
            settings: vec![("notice_url".to_owned(), "http://127.0.0.1:8790/notices".to_owned())],
            limits: Limits::default(),
        };
        let Medians { ours, bare } = contest.run(threads);
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        let line = serde_json::json!({
            "name": name, "value": rounded(ours), "unit": "us/event",
            "against": rounded(bare), "ratio": rounded(ours / bare),
        });
        println!("{line}");
    }
    Ok(())
}
