//! What makes a repeated effect recognisable. Knows nothing of what the effect does.

use crate::plugin::PluginName;
use http::HeaderValue;
use std::fmt::{self, Write as _};
use std::str::FromStr;
use tidegate_envelope::Receipt;

/// The key of one effect: `<receipt>/<plugin>/<position>`, where position is the decision's place in what the
/// plugin returned, from 0. A repeat has the same key, so a target can tell it from a new request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectKey(String);

/// The text is not an effect's key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an effect's key: a key is <receipt>/<plugin>/<position>")]
pub struct KeyError(String);

impl EffectKey {
    /// The key of the decision at this place, from 0, among what the plugin returned.
    #[must_use]
    pub fn new(receipt: Receipt, plugin: &PluginName, position: usize) -> Self {
        let mut text = String::with_capacity("01BX5ZZKBKACTAV9WEVGEMMVRZ//00".len() + plugin.as_str().len());
        write!(text, "{receipt}/{plugin}/{position}").expect("a text takes all that is written to it");
        Self(text)
    }

    /// The key as it stands in the header and the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The receipt of the event that the effect comes from.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        let receipt = self.0.split('/').next().and_then(|part| part.parse().ok());
        receipt.expect("a key begins with a receipt")
    }

    /// The event that it was decided about, by which plugin, and the decision's place, from 0.
    #[must_use]
    pub fn parts(&self) -> (Receipt, PluginName, usize) {
        let mut parts = self.0.split('/');
        let mut part = || parts.next().expect("a key has three parts");
        let receipt = part().parse().expect("the first part of a key is a receipt");
        let plugin = PluginName::new(part()).expect("the second is a plugin's name");
        (receipt, plugin, part().parse().expect("the third is a number"))
    }

    /// The key as a header's value.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("receipts, plugin names and numbers are visible ASCII")
    }
}

impl FromStr for EffectKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/');
        let is_key = parts.next().is_some_and(|part| part.parse::<Receipt>().is_ok())
            && parts.next().is_some_and(|part| PluginName::new(part).is_ok())
            && parts.next().is_some_and(is_position)
            && parts.next().is_none();
        if is_key { Ok(Self(text.to_owned())) } else { Err(KeyError(text.chars().take(80).collect())) }
    }
}

/// One position has one spelling.
fn is_position(text: &str) -> bool {
    text.parse::<usize>().is_ok_and(|position| position.to_string() == text)
}

impl fmt::Display for EffectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
