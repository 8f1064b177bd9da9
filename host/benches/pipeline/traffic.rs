//! The events, and who produces them.

use super::GROUP;
use std::time::Duration;
use tidegate_envelope::{Receipt, SourceName, Unsealed};
use tidegate_queue::{NewMessage, QueueId, Queues};

/// Messages the producer runs ahead of the host.
const AHEAD_MAX: u64 = 8_000;

/// Bytes of one event's body.
pub(crate) fn body_bytes() -> f64 {
    f64::from(u32::try_from(body(0).len()).expect("a few hundred"))
}

/// About 600 bytes, as the sender writes them; 2,000 assets, each event a microsecond later.
fn body(n: u64) -> String {
    format!(
        "{{\"field_values\":[{{\"id\":9,\"name\":\"Purchase cost\",\"value\":\"{n}\"}},{{\"id\":10,\"name\":\"Serial number\",\
         \"value\":\"C02XL0PGJGH{n:08}\"}},{{\"id\":11,\"name\":\"Warranty until\",\"value\":\"2027-01-31\"}}],\"created_at\":\
         \"2022-09-14 03:03:44.456537\",\"id\":{},\"location\":{{\"id\":50,\"name\":\"My IT Office\"}},\"name\":\"Spare-02\",\
         \"assettype\":{{\"id\":86,\"name\":\"2 in 3 Laptop\"}},\"loanee\":{{\"id\":142,\"name\":\"John Do\"}},\"updated_at\":\
         \"2022-11-11 05:05:{:02}.{:06}\",\"event_type\":\"asset.update\"}}",
        n % 2_000,
        n / 1_000_000,
        n % 1_000_000,
    )
}

pub(crate) fn envelope(n: u64) -> String {
    let source = SourceName::new("amj").expect("a valid name");
    let unsealed = Unsealed {
        receipt: Receipt::new(1_700_000_000_000 + n / 10, n.into()),
        source: &source,
        profile: Some("amj"),
        method: "POST",
        headers: &[
            ("user-agent", "Asset Management for Jira"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ],
        content_type: Some("application/json"),
    };
    unsealed.seal(body(n).as_bytes()).expect("fits in an envelope")
}

/// Sends them all, and waits until the last was acknowledged.
pub(crate) async fn produce(queues: &Queues, queue: &QueueId, envelopes: impl Iterator<Item = String>) {
    let mut envelopes = envelopes.map(NewMessage::text).peekable();
    while envelopes.peek().is_some() {
        let group: Vec<_> = envelopes.by_ref().take(GROUP).collect();
        let metrics = queues.send(queue, group).await.expect("sends");
        if metrics.backlog_count > AHEAD_MAX {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    while queues.metrics(queue).await.expect("metrics").backlog_count > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
