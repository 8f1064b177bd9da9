//! What each version of a plugin cost since the host started: calls, faults, time, memory, fuel. Counted without a lock
//! where plugins are asked, and forgotten when the host stops. Knows nothing of how a plugin is asked.

use crate::fault::Trouble;
use crate::plugin::{PluginName, Version};
use crate::rollout::Conduct;
use crate::sandbox::{Answer, Usage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Versions that are remembered: beyond that the oldest that is not at work goes.
const ACCOUNTS_MAX: usize = 256;

/// The accounts of all versions that were at work since the host started.
#[derive(Debug)]
pub struct Accounts {
    since_ms: u64,
    accounts: Mutex<Vec<Arc<Account>>>,
}

/// What one version cost so far. Each number is right by itself; read while calls end, two of them may be a call apart.
#[derive(Debug)]
pub struct Account {
    plugin: PluginName,
    version: Version,
    calls: AtomicU64,
    refusals: AtomicU64,
    /// By the place in [`Trouble::all`].
    faults: Vec<AtomicU64>,
    wall_us: AtomicU64,
    wall_us_max: AtomicU64,
    memory_bytes_max: AtomicUsize,
    memory_growths_max: AtomicUsize,
    fuel: AtomicU64,
    fuel_max: AtomicU64,
    compared: AtomicU64,
    drifted: AtomicU64,
}

/// An account as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountRow {
    /// The plugin.
    pub plugin: PluginName,
    /// Which version of it.
    pub version: Version,
    /// Whether it decides now.
    pub active: bool,
    /// Counted since then, in milliseconds since the Unix epoch: the start of the host.
    pub since_ms: u64,
    /// How often it was asked.
    pub calls: u64,
    /// How often it said "no" itself.
    pub refusals: u64,
    /// How often it was at fault, by the fault's name; none that did not happen.
    pub faults: BTreeMap<String, u64>,
    /// Time of all calls together, in microseconds: from asking to the answer, on the thread that asked. A plugin never
    /// waits for anything but its turn, so on a machine that is not overloaded this is its time on a processor.
    pub wall_us: u64,
    /// Time of the longest call, in microseconds.
    pub wall_us_max: u64,
    /// The most memory that one call had, in bytes.
    pub memory_bytes_max: usize,
    /// The most often that the memories and tables of one call asked to grow.
    pub memory_growths_max: usize,
    /// Fuel of all calls together; `null` when it is not counted.
    pub fuel: Option<u64>,
    /// The most fuel of one call.
    pub fuel_max: Option<u64>,
    /// How often its answer was compared with another version's: as a shadow's, or a canary's.
    #[serde(default)]
    pub compared: u64,
    /// How often they differed.
    #[serde(default)]
    pub drifted: u64,
}

impl Accounts {
    /// None yet, from this time on: milliseconds since the Unix epoch.
    #[must_use]
    pub const fn new(since_ms: u64) -> Self {
        Self { since_ms, accounts: Mutex::new(Vec::new()) }
    }

    /// The account of this version: the one it had before, when it was at work before. Called once per deployment.
    #[must_use]
    pub fn open(&self, plugin: &PluginName, version: &Version) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) =
            accounts.iter().find(|known| known.plugin == *plugin && known.version == *version)
        {
            return Arc::clone(known);
        }
        if accounts.len() >= ACCOUNTS_MAX {
            // Held by nobody but this list, so no registry and no batch has it.
            let oldest = accounts.iter().position(|account| Arc::strong_count(account) == 1);
            oldest.map(|oldest| accounts.remove(oldest));
        }
        let account = Arc::new(Account::new(plugin.clone(), version.clone()));
        accounts.push(Arc::clone(&account));
        account
    }

    /// All of them, by the names of their plugins, the latest version first; `is_active` says which decide now.
    pub fn rows(&self, is_active: impl Fn(&PluginName, &Version) -> bool) -> Vec<AccountRow> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let row =
            |account: &Arc<Account>| account.row(is_active(&account.plugin, &account.version), self.since_ms);
        let mut rows: Vec<_> = accounts.iter().rev().map(row).collect();
        rows.sort_by(|a, b| a.plugin.cmp(&b.plugin));
        rows
    }
}

impl Account {
    /// An account with nothing on it.
    #[must_use]
    pub fn new(plugin: PluginName, version: Version) -> Self {
        Self {
            plugin,
            version,
            calls: AtomicU64::default(),
            refusals: AtomicU64::default(),
            faults: Trouble::all().map(|_| AtomicU64::default()).collect(),
            wall_us: AtomicU64::default(),
            wall_us_max: AtomicU64::default(),
            memory_bytes_max: AtomicUsize::default(),
            memory_growths_max: AtomicUsize::default(),
            fuel: AtomicU64::default(),
            fuel_max: AtomicU64::default(),
            compared: AtomicU64::default(),
            drifted: AtomicU64::default(),
        }
    }

    /// Adds one call. Called once per question.
    pub fn add(&self, answer: &Answer, usage: &Usage, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.wall_us.fetch_add(us, Ordering::Relaxed);
        self.wall_us_max.fetch_max(us, Ordering::Relaxed);
        self.memory_bytes_max.fetch_max(usage.memory_bytes, Ordering::Relaxed);
        self.memory_growths_max.fetch_max(usage.memory_growths, Ordering::Relaxed);
        if let Some(fuel) = usage.fuel {
            self.fuel.fetch_add(fuel, Ordering::Relaxed);
            self.fuel_max.fetch_max(fuel, Ordering::Relaxed);
        }
        match answer {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
            }
            Err(fault) => self.add_fault(fault.trouble()),
        }
    }

    /// Adds a fault that was found after the call: a decision that was not granted.
    pub fn add_fault(&self, trouble: Trouble) {
        let place = Trouble::all().position(|known| known == trouble);
        if let Some(count) = place.and_then(|place| self.faults.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds that an answer was compared with another version's.
    pub fn add_comparison(&self, has_drifted: bool) {
        self.compared.fetch_add(1, Ordering::Relaxed);
        self.drifted.fetch_add(u64::from(has_drifted), Ordering::Relaxed);
    }

    /// What it did since the host started.
    #[must_use]
    pub fn conduct(&self) -> Conduct {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Conduct {
            asks: read(&self.calls),
            faults: self.faults.iter().map(read).sum(),
            refusals: read(&self.refusals),
            wall_us: read(&self.wall_us),
            compared: read(&self.compared),
            drifted: read(&self.drifted),
        }
    }

    fn row(&self, active: bool, since_ms: u64) -> AccountRow {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let faults =
            Trouble::all().zip(&self.faults).map(|(trouble, count)| (trouble.name().to_owned(), read(count)));
        let used = |count| Some(read(count)).filter(|fuel| *fuel > 0);
        AccountRow {
            plugin: self.plugin.clone(),
            version: self.version.clone(),
            active,
            since_ms,
            calls: read(&self.calls),
            refusals: read(&self.refusals),
            faults: faults.filter(|(_, count)| *count > 0).collect(),
            wall_us: read(&self.wall_us),
            wall_us_max: read(&self.wall_us_max),
            memory_bytes_max: self.memory_bytes_max.load(Ordering::Relaxed),
            memory_growths_max: self.memory_growths_max.load(Ordering::Relaxed),
            fuel: used(&self.fuel),
            fuel_max: used(&self.fuel_max),
            compared: read(&self.compared),
            drifted: read(&self.drifted),
        }
    }
}

impl AccountRow {
    /// What it did.
    #[must_use]
    pub fn conduct(&self) -> Conduct {
        Conduct {
            asks: self.calls,
            faults: self.faults.values().sum(),
            refusals: self.refusals,
            wall_us: self.wall_us,
            compared: self.compared,
            drifted: self.drifted,
        }
    }

    /// Adds what the same version cost on another host.
    fn add(&mut self, other: Self) {
        self.since_ms = self.since_ms.min(other.since_ms);
        self.calls += other.calls;
        self.refusals += other.refusals;
        for (name, count) in other.faults {
            *self.faults.entry(name).or_default() += count;
        }
        self.wall_us += other.wall_us;
        self.wall_us_max = self.wall_us_max.max(other.wall_us_max);
        self.memory_bytes_max = self.memory_bytes_max.max(other.memory_bytes_max);
        self.memory_growths_max = self.memory_growths_max.max(other.memory_growths_max);
        self.fuel = [self.fuel, other.fuel].into_iter().flatten().reduce(|one, two| one + two);
        self.fuel_max = self.fuel_max.max(other.fuel_max);
        self.compared += other.compared;
        self.drifted += other.drifted;
    }
}

/// What each version cost on several hosts, in the order of the first of them.
#[must_use]
pub fn together(hosts: impl IntoIterator<Item = Vec<AccountRow>>) -> Vec<AccountRow> {
    let mut all: Vec<AccountRow> = Vec::new();
    for row in hosts.into_iter().flatten() {
        match all.iter_mut().find(|known| known.plugin == row.plugin && known.version == row.version) {
            Some(known) => known.add(row),
            None => all.push(row),
        }
    }
    all.sort_by(|a, b| a.plugin.cmp(&b.plugin));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Refusal;
    use crate::fault::Fault;

    fn name(text: &str) -> PluginName {
        PluginName::new(text).expect("a name")
    }

    fn version(number: usize) -> Version {
        Version::from_stored(&format!("{number:064}"))
    }

    #[test]
    fn calls_add_up_and_peaks_stay() {
        let accounts = Accounts::new(7);
        let account = accounts.open(&name("a"), &version(1));
        let usage = |memory_bytes, fuel| Usage { memory_bytes, memory_growths: 2, fuel };
        account.add(&Ok(Ok(vec![])), &usage(9, None), Duration::from_micros(5));
        account.add(&Ok(Err(Refusal::Skip)), &usage(4, Some(10)), Duration::from_micros(3));
        account.add(&Err(Fault::WallTime { limit_ms: 1 }), &usage(4, Some(30)), Duration::from_micros(1));
        account.add_fault(Trouble::NotGranted);
        account.add_comparison(true);
        account.add_comparison(false);
        let rows = accounts.rows(|_, _| true);
        let faults = [("wall_time_ms", 1), ("not_granted", 1)].map(|(name, count)| (name.to_owned(), count));
        let expected = AccountRow {
            plugin: name("a"),
            version: version(1),
            active: true,
            since_ms: 7,
            calls: 3,
            refusals: 1,
            faults: BTreeMap::from(faults),
            wall_us: 9,
            wall_us_max: 5,
            memory_bytes_max: 9,
            memory_growths_max: 2,
            fuel: Some(40),
            fuel_max: Some(30),
            compared: 2,
            drifted: 1,
        };
        assert_eq!(rows, [expected]);
    }

    #[test]
    fn a_version_that_comes_back_goes_on_with_its_account() {
        let accounts = Accounts::new(0);
        let first = accounts.open(&name("a"), &version(1));
        let second = accounts.open(&name("a"), &version(2));
        assert!(Arc::ptr_eq(&first, &accounts.open(&name("a"), &version(1))));
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &accounts.open(&name("b"), &version(1))));
        let rows = accounts.rows(|_, at_work| *at_work == version(2));
        let seen: Vec<_> =
            rows.iter().map(|row| (row.plugin.as_str(), row.version == version(2), row.active)).collect();
        assert_eq!(seen, [("a", true, true), ("a", false, false), ("b", false, false)]);
    }

    #[test]
    fn of_too_many_versions_the_oldest_that_is_not_at_work_is_forgotten() {
        let accounts = Accounts::new(0);
        let at_work = accounts.open(&name("a"), &version(0));
        for number in 1..=ACCOUNTS_MAX {
            let _ = accounts.open(&name("a"), &version(number));
        }
        let rows = accounts.rows(|_, _| false);
        assert_eq!(rows.len(), ACCOUNTS_MAX);
        assert!(rows.iter().any(|row| row.version == at_work.version));
        assert!(!rows.iter().any(|row| row.version == version(1)));
    }
}
