//! Names whose addresses change, in the executor's own hands: only here can what the system says of a name be another
//! thing each time.

use super::*;
use crate::decision::HttpRequest;
use crate::effect::{EffectLimits, Grants};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Says another thing of every name each time it is asked, the last one from then on, and counts.
fn changing(answers: Vec<Vec<IpAddr>>) -> (LookUp, Arc<Mutex<usize>>) {
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let look_up: LookUp = Arc::new(move |_: &str| {
        let mut count = count.lock().expect("nobody panics while holding it");
        let answer = answers[(*count).min(answers.len() - 1)].clone();
        *count += 1;
        Box::pin(async move { Ok(answer.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()) })
    });
    (look_up, asked)
}

/// A server that takes one request per connection, and says how many it took.
async fn server() -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("a bound listener").port();
    let taken = Arc::new(Mutex::new(0));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            *count.lock().expect("nobody panics while holding it") += 1;
            let _read = socket.read(&mut [0; 4096]).await;
            let _written = socket.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
        }
    });
    (port, taken)
}

fn effect(port: u16) -> Effect {
    let request = HttpRequest {
        method: "POST".to_owned(),
        url: format!("http://rebound.example:{port}/"),
        headers: vec![],
        body: None,
        timeout_ms: None,
        reply_tag: None,
    };
    let grants = Grants { hosts: vec!["rebound.example".parse().expect("a host")], ..Grants::default() };
    let key = "01JD9Z7C5V0000000000000000/notify/0".parse().expect("a key");
    Effect::grant(&request, &grants, key, &EffectLimits::default()).expect("granted")
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

#[tokio::test]
async fn a_name_that_changes_its_address_after_the_check_is_not_followed() {
    let (port, taken) = server().await;
    let (look_up, asked) = changing(vec![vec![HERE], vec![METADATA]]);
    let config = ExecutorConfig { allow_loopback: true, ..ExecutorConfig::default() };
    let executor = Executor::build(config, &look_up).expect("TLS can be set up");
    let first = executor.perform(&effect(port)).await;
    assert!(matches!(first.outcome, Outcome::Done { status: 204, .. }), "{first:?}");
    assert_eq!(
        *asked.lock().expect("held by nobody"),
        1,
        "what was checked is what was dialled: one look-up"
    );
    let second = executor.perform(&effect(port)).await;
    let Outcome::Failed { what, again: Again::Never } = second.outcome else { panic!("{second:?}") };
    assert!(what.contains("`rebound.example` resolves to 169.254.169.254"), "{what}");
    assert_eq!(*taken.lock().expect("held by nobody"), 1);
}

#[tokio::test]
async fn a_name_for_this_machine_does_not_reach_our_own_port() {
    let (port, taken) = server().await;
    let (look_up, _) = changing(vec![vec![HERE]]);
    let own = vec![SocketAddr::new(HERE, port)];
    let config = ExecutorConfig { allow_loopback: true, own, ..ExecutorConfig::default() };
    let attempt = Executor::build(config, &look_up).expect("TLS can be set up").perform(&effect(port)).await;
    let Outcome::Failed { what, again: Again::Never } = attempt.outcome else { panic!("{attempt:?}") };
    assert_eq!(what, "`rebound.example` is where Tidegate itself listens: effects do not go there");
    assert_eq!(*taken.lock().expect("held by nobody"), 0);
}
