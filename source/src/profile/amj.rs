//! Asset Management for Jira. Its Events API signs nothing, waits 3 seconds, tries three times more, and after three
//! events in a row without a 2xx stops all delivery until a person enables it again
//! (<https://asset-management-for-jira.readme.io/reference/using-the-events-api>).

use super::{Profile, Punishment, Verifier};
use crate::settings::{Settings, SettingsError};

pub(super) struct Amj;

impl Profile for Amj {
    fn name(&self) -> &'static str {
        "amj"
    }

    fn about(&self) -> &'static str {
        "Asset Management for Jira: the token is the only secret; every request is kept"
    }

    fn punishment(&self) -> Punishment {
        Punishment::Consecutive(3)
    }

    fn resume_steps(&self) -> &'static [&'static str] {
        &[
            "In Jira, open Apps > Asset Management for Jira > Settings > Events.",
            "Check that the request URL is the one of this source, and that every kind you need is ticked.",
            "Enable events and save.",
            "Change any asset, then look for it: tidegate events list --last 1",
        ]
    }

    fn verifier(&self, _settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
        Ok(None)
    }
}
