//! The limits of the queue. Each is Cloudflare's own where Cloudflare has one
//! (<https://developers.cloudflare.com/queues/platform/limits/>), so that what fits here fits there.

use std::time::Duration;

/// Bytes in the largest message, its metadata included: 128 KB, not KiB.
pub const MESSAGE_BYTES_MAX: usize = 128_000;

/// Bytes of a message that Cloudflare counts for its metadata; the rest is left for the body.
pub const MESSAGE_METADATA_BYTES: usize = 100;

/// Bytes in the largest body.
pub const BODY_BYTES_MAX: usize = MESSAGE_BYTES_MAX - MESSAGE_METADATA_BYTES;

/// Messages in one batch over HTTP.
pub const BATCH_MESSAGES_MAX: usize = 100;

/// Bytes of all bodies in one batch over HTTP: 256 KB, not KiB.
pub const BATCH_BYTES_MAX: usize = 256_000;

/// Messages in one in-process send or pull.
pub const GROUP_MESSAGES_MAX: usize = 500;

/// Messages a pull over HTTP may ask for.
pub const PULL_MESSAGES_MAX: usize = 100;

/// Messages a pull over HTTP gets when neither it nor the consumer says how many.
pub const PULL_MESSAGES_DEFAULT: usize = 5;

/// Longest lease, in milliseconds: 12 hours.
pub const VISIBILITY_MS_MAX: u64 = 12 * 60 * 60 * 1_000;

/// Length of a lease when neither the pull nor the consumer says, in milliseconds.
pub const VISIBILITY_MS_DEFAULT: u64 = 30_000;

/// Longest delay of a message or a retry, in seconds: 24 hours.
pub const DELAY_S_MAX: u32 = 86_400;

/// Shortest time a queue may keep its messages, in seconds.
pub const RETENTION_S_MIN: u32 = 60;

/// Longest time a queue may keep its messages, in seconds: 14 days.
pub const RETENTION_S_MAX: u32 = 14 * 86_400;

/// Time a queue keeps its messages when nobody says, in seconds: 4 days.
pub const RETENTION_S_DEFAULT: u32 = 4 * 86_400;

/// Retries when the consumer does not say.
pub const RETRIES_DEFAULT: u32 = 3;

/// Most retries a consumer may ask for.
pub const RETRIES_MAX: u32 = 100;

/// Bytes in the longest queue name.
pub const QUEUE_NAME_BYTES_MAX: usize = 63;

/// Queues in one directory.
pub const QUEUES_MAX: usize = 10_000;

/// Bytes of bodies one queue may hold: 25 GB.
pub const BACKLOG_BYTES_MAX: u64 = 25_000_000_000;

/// Bytes of a request to either listener. A batch of 256 KB in base64 or escaped JSON stays well below.
pub const REQUEST_BYTES_MAX: usize = 2 << 20;

/// Longest time a pull with `Prefer: wait=N` is held, in seconds.
pub const WAIT_S_MAX: u64 = 30;

/// Commands waiting for the writer; a caller beyond that waits its turn.
pub const COMMANDS_WAITING_MAX: usize = 1_024;

/// Messages one transaction carries before it commits, give or take the command that crossed the line.
pub const COMMIT_MESSAGES_MAX: usize = 4_096;

/// Messages past their retention that one sweep of one queue removes; the rest waits for the next sweep.
pub const SWEEP_MESSAGES_MAX: usize = 2_000;

/// Time between two sweeps for messages past their retention.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Time that requests under way have to end when the server closes.
pub const DRAIN_TIME: Duration = Duration::from_secs(10);
