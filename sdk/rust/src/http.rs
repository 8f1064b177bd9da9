//! Requests, said in the order one thinks of them. Knows nothing of what may be reached.

use crate::{Decision, Http, NameValue};

/// ```
/// use tidegate_plugin::{Decision, Http};
///
/// let decision: Decision = Http::post("https://a.example/notices")
///     .json(r#"{"text":"on loan"}"#)
///     .header("authorization", "Bearer {{secret:NOTICES}}")
///     .timeout_ms(2_000)
///     .reply_tag("posted")
///     .into();
/// let Decision::Http(http) = decision else { unreachable!() };
/// assert_eq!(http.headers[0].value, "application/json");
/// ```
impl Http {
    /// A request of any method, without headers and body.
    #[must_use]
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        let (method, url) = (method.into(), url.into());
        Self { method, url, headers: Vec::new(), body: None, timeout_ms: None, reply_tag: None }
    }

    /// A GET.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST.
    #[must_use]
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// A PUT.
    #[must_use]
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// A PATCH.
    #[must_use]
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new("PATCH", url)
    }

    /// A DELETE.
    #[must_use]
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// One header more; names may repeat.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(NameValue { name: name.into(), value: value.into() });
        self
    }

    /// The bytes to send, as they are.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some(bytes.into());
        self
    }

    /// Text to send, with its content type.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.header("content-type", "text/plain; charset=utf-8").body(text.into())
    }

    /// JSON to send that is text or bytes already, with its content type.
    #[must_use]
    pub fn json(self, json: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", "application/json").body(json)
    }

    /// A value to send as JSON, with its content type.
    ///
    /// # Errors
    /// When the value has no JSON, such as a map whose keys are no text.
    #[cfg(feature = "json")]
    pub fn json_of(self, value: &impl serde::Serialize) -> serde_json::Result<Self> {
        Ok(self.json(serde_json::to_vec(value)?))
    }

    /// The total time one attempt may take, in milliseconds; the operator's limit holds when it is shorter.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    /// Has the response come back as an event of kind `tidegate.reply` with this tag.
    #[must_use]
    pub fn reply_tag(mut self, tag: impl Into<String>) -> Self {
        self.reply_tag = Some(tag.into());
        self
    }
}

impl From<Http> for Decision {
    fn from(http: Http) -> Self {
        Self::Http(http)
    }
}
