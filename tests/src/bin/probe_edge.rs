//! probe
use std::time::Duration;
use tidegate_tests::edge::{Edge, EdgeOptions, live_path, root};
use tidegate_tests::load;
use tidegate_tests::recorder::{Mood, Recorder};
fn cpu(process: u32) -> f64 {
    let mut t = 0.0;
    for th in std::fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        let s = std::fs::read_to_string(th.unwrap().path().join("schedstat")).unwrap();
        t += s.split(' ').next().unwrap().parse::<f64>().unwrap();
    }
    t / 1e3
}
#[tokio::main]
async fn main() {
    let rounds: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let body = std::fs::read(root().join("tests/samples/asset-update.json")).unwrap();
    let queue = Recorder::start().await.unwrap();
    queue.set_mood(Mood::TakesAndForgets);
    let mut edges = vec![];
    for dir in std::env::args().skip(2) {
        let e = Edge::start_with(EdgeOptions { build: dir.clone().into(), ..EdgeOptions::usual(queue.addr()) }).await.unwrap();
        load::run(e.workerd.addr(), &live_path(), &body, 64, Duration::from_millis(1500)).await.unwrap();
        edges.push((dir, e, vec![], vec![]));
    }
    for _ in 0..rounds {
        for (_, e, c, r) in &mut edges {
            let p = e.workerd.process_id().unwrap();
            let b = cpu(p);
            let rep = load::run(e.workerd.addr(), &live_path(), &body, 64, Duration::from_millis(400)).await.unwrap();
            assert_eq!(rep.non_2xx, 0);
            c.push((cpu(p) - b) / rep.requests as f64);
            r.push(rep.requests_per_s);
        }
    }
    for (d, _, c, r) in &mut edges {
        c.sort_by(f64::total_cmp); r.sort_by(f64::total_cmp);
        println!("{:30} cpu p25 {:.1} min {:.1}   rps p75 {:.0} max {:.0}", d.rsplit('/').next().unwrap(), c[c.len()/4], c[0], r[r.len()*3/4], r[r.len()-1]);
    }
}
