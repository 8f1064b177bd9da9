//! The way back: to what was at work before, by a person's word or because a version does badly.

use super::{By, Change, DeployError, Deployed, Deployer};
use crate::deployment::{Action, Deployment, Roles};
use crate::plugin::{PluginName, Version};
use crate::store::Store;
use crate::store::versions::VersionState;

/// Rows of the history that are looked through for what to go back to.
const HISTORY_ROWS_MAX: usize = 1_000;

impl<S: Store> Deployer<S> {
    /// Brings back what was at work earlier: the deployment with this number, or else the last one whose active version is
    /// another than now and was not withdrawn. A canary that is at work is ended by that alone.
    ///
    /// # Errors
    /// When there is none, or the store cannot record it.
    pub async fn rollback(
        &self,
        plugin: &PluginName,
        to: Option<i64>,
        by: By,
    ) -> Result<Deployed, DeployError> {
        let _turn = self.turn.lock().await;
        let history = self.versions.store.history(plugin.clone(), HISTORY_ROWS_MAX).await?;
        let now = history.first().map(|deployment| deployment.roles.clone()).unwrap_or_default();
        let roles = match to {
            Some(id) => history.into_iter().find(|deployment| deployment.id == id).map(|found| found.roles),
            None => self.last_good(&now, history).await?,
        };
        let roles = roles.ok_or_else(|| {
            let to = to.map_or_else(
                || "earlier deployment to go back to".to_owned(),
                |id| format!("deployment {id}"),
            );
            DeployError::Refused(format!(
                "`{plugin}` has no {to}: `tidegate plugin history {plugin}` lists what there was"
            ))
        })?;
        let version = roles.active.clone();
        self.change(plugin, Change { before: now, roles, action: Action::Rollback, version }, by).await
    }

    /// Takes a version out of work that does badly: a canary or a shadow ends, the active one gives way to the last good
    /// one. What waits for it is asked of what is at work then, what it parked is kept. `None` when there is nothing to go
    /// back to, or the version is not at work.
    ///
    /// # Errors
    /// When the store cannot record it.
    pub async fn withdraw(
        &self,
        plugin: &PluginName,
        version: &Version,
        why: String,
    ) -> Result<Option<Deployed>, DeployError> {
        let _turn = self.turn.lock().await;
        let history = self.versions.store.history(plugin.clone(), HISTORY_ROWS_MAX).await?;
        let Some(now) = history.first().map(|deployment| deployment.roles.clone()) else { return Ok(None) };
        let roles = if now.active.as_ref() == Some(version) {
            self.last_good(&Roles { canary: None, ..now.clone() }, history).await?
        } else if now.versions().any(|at_work| at_work == version) {
            let canary = now.canary.clone().filter(|canary| canary.version != *version);
            let shadow = now.shadow.clone().filter(|shadow| shadow != version);
            Some(Roles { active: now.active.clone(), canary, shadow })
        } else {
            None
        };
        let Some(roles) = roles else { return Ok(None) };
        let change = Change { before: now, roles, action: Action::Withdraw, version: Some(version.clone()) };
        self.change(plugin, change, By::host(why)).await.map(Some)
    }

    /// What was at work before, going back from the newest: with another active version, which may be asked. A canary that
    /// stands now is what goes first.
    async fn last_good(&self, now: &Roles, history: Vec<Deployment>) -> Result<Option<Roles>, DeployError> {
        if now.canary.is_some() {
            return Ok(Some(Roles { active: now.active.clone(), ..Roles::default() }));
        }
        for deployment in history {
            let Some(active) = deployment.roles.active.filter(|active| Some(active) != now.active.as_ref())
            else {
                continue;
            };
            let kept = self.versions.store.kept_versions(vec![active.clone()]).await?;
            if kept.first().is_some_and(|kept| kept.state == VersionState::Usable) {
                return Ok(Some(Roles { active: Some(active), ..Roles::default() }));
            }
        }
        Ok(None)
    }
}
