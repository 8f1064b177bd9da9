//! A sender that is not known: nothing but the token is checked, and the worst is assumed of it.

use super::{Profile, Punishment, Verifier};
use crate::settings::{Settings, SettingsError};

pub(super) struct Generic;

impl Profile for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn about(&self) -> &'static str {
        "any sender: the token is the only secret; every request is kept"
    }

    fn punishment(&self) -> Punishment {
        Punishment::Other("it is not known how this sender punishes")
    }

    fn resume_steps(&self) -> &'static [&'static str] {
        &[
            "In the sender's settings, look whether delivery to the request URL is switched off, and enable it.",
        ]
    }

    fn verifier(&self, _settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
        Ok(None)
    }
}
