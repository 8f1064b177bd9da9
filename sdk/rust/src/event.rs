//! What is asked of an event most. Knows nothing of assets.

use crate::Event;

impl Event {
    /// A setting of this plugin's deployment; `None` when it is not there or empty.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        let setting = self.settings.iter().find(|setting| setting.name == name)?;
        Some(&*setting.value).filter(|value| !value.is_empty())
    }

    /// Something more that the host has to say; `wit/README.md` lists the names.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let attribute = self.attributes.iter().find(|attribute| attribute.name == name)?;
        Some(&attribute.value)
    }

    /// The body, when it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is no JSON.
    #[cfg(feature = "json")]
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
    }
}
