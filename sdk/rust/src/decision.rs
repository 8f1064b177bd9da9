//! The other decisions. Knows nothing of what a host does about them.

use crate::{Decision, Emit, OtherDecision, Wake};

/// ```
/// use tidegate_plugin::{Decision, Emit};
///
/// let decision: Decision = Emit::new("stock.low").subject("675").json(r#"{"left":1}"#).into();
/// # let Decision::Emit(emit) = decision else { unreachable!() };
/// # assert_eq!(emit.content_type.as_deref(), Some("application/json"));
/// ```
impl Emit {
    /// A new event of this kind for other plugins, about nothing and with nothing in it.
    #[must_use]
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), subject: String::new(), content_type: None, body: Vec::new() }
    }

    /// What it is about.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Its body, and what that is when somebody needs to know.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>, content_type: Option<&str>) -> Self {
        self.body = bytes.into();
        self.content_type = content_type.map(str::to_owned);
        self
    }

    /// Its body as JSON that is text or bytes already.
    #[must_use]
    pub fn json(self, json: impl Into<Vec<u8>>) -> Self {
        self.body(json, Some("application/json"))
    }
}

impl From<Emit> for Decision {
    fn from(emit: Emit) -> Self {
        Self::Emit(emit)
    }
}

impl Wake {
    /// Asks to be told again after so many milliseconds, never earlier.
    #[must_use]
    pub fn after_ms(after_ms: u64) -> Self {
        Self { after_ms, tag: String::new(), body: Vec::new() }
    }

    /// What comes back with the wake-up, to know it by.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into();
        self
    }

    /// What comes back with the wake-up, any bytes.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }
}

impl From<Wake> for Decision {
    fn from(wake: Wake) -> Self {
        Self::Wake(wake)
    }
}

/// Replaces this plugin's memory of the event's subject.
#[must_use]
pub fn remember(memory: impl Into<Vec<u8>>) -> Decision {
    Decision::Remember(Some(memory.into()))
}

/// Forgets what this plugin remembered of the event's subject.
#[must_use]
pub const fn forget() -> Decision {
    Decision::Remember(None)
}

/// A line on the event's timeline, for people.
#[must_use]
pub fn note(text: impl Into<String>) -> Decision {
    Decision::Note(text.into())
}

/// A decision of a kind that a later host knows.
#[must_use]
pub fn other(kind: impl Into<String>, body: impl Into<Vec<u8>>) -> Decision {
    Decision::Other(OtherDecision { kind: kind.into(), body: body.into() })
}
