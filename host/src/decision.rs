//! What a plugin wants: wishes of untrusted code. Nothing here was checked against a grant.

/// One wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Make an HTTP request.
    Http(HttpRequest),
    /// A new event for other plugins.
    Emit {
        /// The new event's kind.
        kind: String,
        /// The new event's subject.
        subject: String,
        /// What its bytes are.
        content_type: Option<String>,
        /// The new event's bytes.
        body: Vec<u8>,
    },
    /// Be told again later.
    Wake {
        /// After how many milliseconds.
        after_ms: u64,
        /// Comes back with the wake-up.
        tag: String,
        /// Comes back with the wake-up.
        body: Vec<u8>,
    },
    /// Replace the plugin's memory of the subject; `None` forgets it.
    Remember(Option<Vec<u8>>),
    /// A line on the event's timeline.
    Note(String),
    /// A kind the contract does not name.
    Other {
        /// Which kind.
        kind: String,
        /// Its bytes.
        body: Vec<u8>,
    },
}

/// An HTTP request as a plugin asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The URL, unchecked.
    pub url: String,
    /// Name and value; names may repeat.
    pub headers: Vec<(String, String)>,
    /// The bytes to send.
    pub body: Option<Vec<u8>>,
    /// The total time one attempt may take.
    pub timeout_ms: Option<u32>,
    /// When present, the response is wanted back as an event.
    pub reply_tag: Option<String>,
}

/// The plugin's own "no".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// None of this plugin's business.
    Skip,
    /// Ask again after this many milliseconds.
    RetryAfterMs(u64),
    /// Park it, for this reason.
    Park(String),
    /// A refusal the contract does not name.
    Other(String),
}
