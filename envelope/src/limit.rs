//! The limits of an envelope. Each is a promise of the edge that the host may rely on.

/// Bytes in the largest message Cloudflare Queues takes: 128 KB (not KiB), about 100 of them used for
/// its own metadata (<https://developers.cloudflare.com/queues/platform/limits/>).
pub const MESSAGE_BYTES_MAX: usize = 128_000 - 100;

/// Bytes of the largest body carried inside an envelope. Base64 makes four bytes of three, and the
/// envelope around it takes up to [`ENVELOPE_OVERHEAD_BYTES_MAX`], so any body of this size fits in a message.
pub const BODY_INLINE_BYTES_MAX: usize = 87 * 1024;

/// Bytes of everything in an envelope but its body: field names, receipt, hash, headers.
pub const ENVELOPE_OVERHEAD_BYTES_MAX: usize = MESSAGE_BYTES_MAX - BODY_INLINE_BYTES_MAX.div_ceil(3) * 4;

/// Bytes of a header's value that are kept; the rest is cut off. A cut changes no event: headers only inform.
pub const HEADER_VALUE_BYTES_MAX: usize = 256;

/// Bytes that are kept of a header's value once it is escaped as JSON: quotes double, control characters take six.
/// Without it, hostile headers around the largest body would not fit in a message.
pub const HEADER_VALUE_ESCAPED_BYTES_MAX: usize = 2 * HEADER_VALUE_BYTES_MAX;

/// Bytes in the longest source name.
pub const SOURCE_NAME_BYTES_MAX: usize = 63;

/// Headers in an envelope at most.
pub const HEADERS_MAX: usize = 12;

/// The request headers worth keeping whatever the source's profile, lower case. A profile adds its own; everything
/// else is dropped at the edge: cookies and credentials never reach the queue.
pub const HEADERS_KEPT: [&str; 4] = ["user-agent", "content-encoding", "traceparent", "cf-connecting-ip"];
