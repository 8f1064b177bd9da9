//! What a plugin that spins costs the others: the same calls with and without it on another thread, in turns.

use crate::bare::root;
use crate::timing::{Times, rounded};
use anyhow::Context as _;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tidegate::event::Event;
use tidegate::limits::Limits;
use tidegate::sandbox::{Prepared, Question, Sandbox, SandboxConfig};

/// Turns of each kind, and calls of one.
const TURNS: usize = 10;
const CALLS: usize = 2_000;

/// One language's calls, alone and beside the neighbour.
pub(crate) struct Beside {
    language: String,
    alone: Times,
    beside: Times,
}

/// Measures one language.
pub(crate) fn measure(language: &str, event: &Event) -> anyhow::Result<Beside> {
    let cache_dir = tempfile::tempdir()?;
    let sandbox = Sandbox::new(SandboxConfig::new(cache_dir.path().to_owned()))?;
    let prepare = |path: &str| -> anyhow::Result<Prepared> {
        let component = fs::read(root().join(path));
        Ok(sandbox.prepare(&component.with_context(|| format!("{path}. Type: cargo xtask plugins"))?)?)
    };
    let plugin = prepare(&format!("plugins/{language}/plugin.wasm"))?;
    let spinner = prepare("tests/guests/hostile/guest.wasm")?;
    let spins = Event { kind: "spin".to_owned(), ..event.clone() };
    let settings = [("notice_url".to_owned(), "http://127.0.0.1:8790/notices".to_owned())];
    let turn = || {
        let question = Question { event, attempt: 1, settings: &settings, memory: None };
        Times::of(CALLS, || drop(sandbox.ask(&plugin, &question, &Limits::default())))
    };
    let (mut alone, mut beside) = (vec![], vec![]);
    turn();
    for _ in 0..TURNS {
        alone.push(turn());
        let (begun, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                let limits = Limits { wall_time_ms: 50, ..Limits::default() };
                let question = Question { event: &spins, attempt: 1, settings: &[], memory: None };
                while !stop.load(Ordering::Relaxed) {
                    begun.store(true, Ordering::Relaxed);
                    drop(sandbox.ask(&spinner, &question, &limits));
                }
            });
            // The start of a thread is nobody's neighbour.
            while !begun.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            beside.push(turn());
            stop.store(true, Ordering::Relaxed);
        });
    }
    let [alone, beside] = [alone, beside].map(Times::together);
    Ok(Beside { language: language.to_owned(), alone, beside })
}

impl Beside {
    pub(crate) fn print_json(&self) {
        for of_hundred in [50, 99] {
            let (alone, beside) = (self.alone.percentile(of_hundred), self.beside.percentile(of_hundred));
            let line = serde_json::json!({
                "name": format!("{}-beside-spinning-p{of_hundred}", self.language),
                "value": rounded(beside), "unit": "us/event",
                "against": rounded(alone), "ratio": rounded(beside / alone),
            });
            println!("{line}");
        }
    }
}
