//! The fault proxy itself: each fault looks from the Worker's side as it says.

use std::time::Duration;
use tidegate_tests::fault::{Fault, FaultProxy};
use tidegate_tests::recorder::Recorder;
use tidegate_tests::system::lasting_port;
use tokio::time::{Instant, timeout};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

struct Stage {
    recorder: Recorder,
    proxy: FaultProxy,
    client: reqwest::Client,
}

impl Stage {
    async fn set() -> anyhow::Result<Self> {
        let recorder = Recorder::start().await?;
        let proxy = FaultProxy::start(lasting_port()?, recorder.addr()).await?;
        Ok(Self { recorder, proxy, client: reqwest::Client::builder().no_proxy().build()? })
    }

    fn send(&self) -> impl Future<Output = reqwest::Result<reqwest::Response>> + Send + 'static {
        let url = format!("http://{}/message", self.proxy.addr());
        self.client
            .post(url)
            .header("X-Msg-Fmt", "text")
            .header("X-Queue", "events")
            .body("an envelope")
            .send()
    }
}

#[tokio::test]
async fn what_passes_arrives_as_it_was_sent() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    assert_eq!(stage.send().await?.status(), 200);
    let recorded = stage.recorder.take();
    assert_eq!(recorded.len(), 1);
    let message = &recorded[0];
    assert_eq!((message.format.as_str(), message.queue.as_str()), ("text", "events"));
    assert_eq!(&message.body[..], b"an envelope");
    assert_eq!(stage.proxy.met().passed, 1);
    Ok(())
}

#[tokio::test]
async fn down_refuses_connections_and_cuts_those_there_are_and_comes_back_on_the_same_port()
-> anyhow::Result<()> {
    let stage = Stage::set().await?;
    stage.proxy.set(Fault::Hang(LONG)).await?;
    let waiting = tokio::spawn(stage.send());
    while stage.proxy.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        stage.proxy.set(Fault::Down).await?;
        assert!(stage.send().await.is_err_and(|error| error.is_connect()));
        stage.proxy.set(Fault::None).await?;
        assert_eq!(stage.send().await?.status(), 200);
    }
    assert!(waiting.await?.is_err(), "what waited was cut off");
    assert_eq!((stage.proxy.met().hung, stage.proxy.waiting()), (1, 0));
    assert_eq!(stage.recorder.take().len(), 3);
    Ok(())
}

#[tokio::test]
async fn slow_passes_on_after_its_time() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let pause = Duration::from_millis(150);
    stage.proxy.set(Fault::Slow(pause)).await?;
    let began = Instant::now();
    assert_eq!(stage.send().await?.status(), 200);
    assert!(began.elapsed() >= pause);
    assert_eq!(stage.recorder.take().len(), 1);
    assert_eq!((stage.proxy.met().slowed, stage.proxy.met().passed), (1, 1));
    Ok(())
}

#[tokio::test]
async fn what_hangs_is_closed_after_its_time_and_was_never_passed_on() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    stage.proxy.set(Fault::Hang(Duration::from_millis(100))).await?;
    assert!(stage.send().await.is_err());
    assert_eq!(stage.recorder.take().len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_change_for_all_reaches_what_waits_and_a_change_alone_does_not() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    stage.proxy.set(Fault::Hang(LONG)).await?;
    let mut waiting = tokio::spawn(stage.send());
    while stage.proxy.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    stage.proxy.set(Fault::None).await?;
    assert_eq!(stage.send().await?.status(), 200, "a new request is passed on");
    assert!(timeout(Duration::from_millis(50), &mut waiting).await.is_err(), "and the old one still waits");
    stage.proxy.set_for_all(Fault::None).await?;
    assert_eq!(waiting.await??.status(), 200);
    assert_eq!(stage.recorder.take().len(), 2);
    Ok(())
}

#[tokio::test]
async fn refuse_answers_as_an_overloaded_queue() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    stage.proxy.set(Fault::Refuse).await?;
    let answer = stage.send().await?;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["CF-Queues-Error-Code"], "10250");
    assert!(answer.headers().contains_key("CF-Queues-Error-Cause"));
    assert_eq!(stage.recorder.take().len(), 0);
    Ok(())
}
