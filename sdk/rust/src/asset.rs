//! A view of an asset as a person would speak of it. Knows nothing of events.

use crate::{Asset, Reference};

impl Asset {
    /// `Spare-02 (2 in 3 Laptop)`, as far as the sender said; `An asset` when it did not.
    #[must_use]
    pub fn title(&self) -> String {
        let name = given(self.name.as_deref()).unwrap_or("An asset");
        let kind = self.asset_type.as_ref().and_then(Reference::given_name);
        kind.map_or_else(|| name.to_owned(), |kind| format!("{name} ({kind})"))
    }

    /// Who has it on loan: their name, or `person 142` when the sender gave an id alone; `None` when nobody has.
    #[must_use]
    pub fn loanee_name(&self) -> Option<String> {
        let loanee = self.loanee.as_ref()?;
        let id = || given(loanee.id.as_deref()).map(|id| format!("person {id}"));
        loanee.given_name().map(str::to_owned).or_else(id)
    }

    /// The value of the custom field of this name.
    ///
    /// ```
    /// # let mut asset = tidegate_plugin::Asset::default();
    /// asset.field_values = Some(r#"[{"id":9,"name":"Purchase cost","value":"1200"}]"#.to_owned());
    /// assert_eq!(asset.field("Purchase cost").unwrap(), "1200");
    /// assert_eq!(asset.field("Colour"), None);
    /// ```
    #[cfg(feature = "json")]
    #[must_use]
    pub fn field(&self, name: &str) -> Option<serde_json::Value> {
        let mut fields: Vec<serde_json::Value> = serde_json::from_str(self.field_values.as_deref()?).ok()?;
        let field = fields.iter_mut().find(|field| field.get("name").is_some_and(|it| it == name))?;
        field.get_mut("value").map(serde_json::Value::take)
    }
}

impl Reference {
    /// Its name, when the sender gave one that is not empty.
    #[must_use]
    pub fn given_name(&self) -> Option<&str> {
        given(self.name.as_deref())
    }
}

/// An asset of which the sender said nothing: to begin one with in a test.
impl Default for Asset {
    fn default() -> Self {
        Self {
            id: None,
            name: None,
            asset_type: None,
            location: None,
            loanee: None,
            created_at: None,
            updated_at: None,
            field_values: None,
        }
    }
}

/// Text that is there and not empty.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
