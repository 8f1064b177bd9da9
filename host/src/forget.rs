//! Forgets a person: finds what names them, has it erased in small steps while the host works, and then looks whether
//! anything is left, in the tables and in the bytes of the files. Knows nothing of SQL.

use crate::person::Person;
use crate::pipeline::Pipeline;
use crate::store::keeping::{Audit, Look, Looked, Payload, Place, Table};
use crate::store::{Batch, Store, StoreError};
use crate::subject::SubjectKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidegate_envelope::{Digest, SourceName};
use tokio::time::Instant;

/// Rows looked at in one read, and erased in one transaction.
const READ_MAX: usize = 500;
const ERASED_MAX: usize = 50;
/// Looks through everything, until one finds nothing: what was under way meanwhile is found by the next.
const ROUNDS_MAX: u32 = 5;
/// For every moment of work so many of rest.
const REST: u32 = 2;

/// Who is to be forgotten.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetRequest {
    /// The loanee's id, as text.
    pub person: Option<String>,
    /// Names to look for everywhere, beside the id or without one.
    #[serde(default)]
    pub names: Vec<String>,
    /// Only in what came from this source.
    pub source: Option<SourceName>,
    /// Only look.
    #[serde(default)]
    pub dry_run: bool,
    /// Who asked.
    pub by: String,
}

/// How far it is, and what came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ForgetReport {
    /// Whether it is over.
    pub is_done: bool,
    /// Why it could not be finished.
    pub error: Option<String>,
    /// What it does now, for people.
    pub step: String,
    /// Whether it only looks.
    pub dry_run: bool,
    /// Rows looked at so far, over all rounds.
    pub looked_at: u64,
    /// Rows that name the person and were erased (or would be), by table.
    pub found: BTreeMap<String, u64>,
    /// Assets that the person was named with; plugins' memories of them are erased.
    pub subjects: u64,
    /// How many names the erased events gave the person.
    pub names_learned: u64,
    /// Rows that have such a name and tell of other assets: it may be somebody else, so they are kept.
    pub others_with_the_name: u64,
    /// Rows that still name the person after the last round.
    pub left: u64,
    /// The bytes of the store's files, looked through in the end.
    pub files: Vec<Looked>,
    /// Whether the file was written anew, because something stood in its free places.
    pub is_rewritten: bool,
}

impl ForgetReport {
    /// Whether it is proven that nothing is left.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.is_done
            && self.error.is_none()
            && self.left == 0
            && self.files.iter().all(|file| file.found == 0)
    }
}

/// Forgets one person at a time.
pub struct Forgetter<S> {
    /// Where.
    pub store: S,
    /// Takes the subjects, so that nobody decides from what is erased.
    pub pipeline: Arc<Pipeline<S>>,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
    /// Chance, for the hash under which the audit keeps the person.
    pub salt: fn() -> u128,
    /// The last one.
    pub report: Mutex<Option<ForgetReport>>,
}

/// What is known of the person, beside what the request says.
struct Search {
    request: ForgetRequest,
    /// By the id and the names of the request.
    person: Person,
    /// By the names that events gave the id.
    learned: Person,
    /// Of these assets the learned names count, too.
    subjects: HashSet<SubjectKey>,
}

impl Search {
    fn is_of_source(&self, payload: &Payload) -> bool {
        match (&self.request.source, &payload.source) {
            (Some(wanted), Some(source)) => wanted == source,
            _ => true,
        }
    }

    fn is_named(&self, payload: &Payload) -> bool {
        payload.is_of_erased
            || payload.texts.iter().any(|text| self.person.is_named_in(text))
            || (payload.subject.as_ref().is_some_and(|key| self.subjects.contains(key))
                // What plugins remembered of these assets goes as what they remember now: it may be about the person in
                // words that nobody here knows.
                && (matches!(payload.place, Place::Recalled(..)) || self.has_learned(payload)))
    }

    fn has_learned(&self, payload: &Payload) -> bool {
        !self.learned.names.is_empty() && payload.texts.iter().any(|text| self.learned.is_named_in(text))
    }
}

impl<S: Store> Forgetter<S> {
    /// Starts, unless one is under way.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub fn start(self: &Arc<Self>, request: ForgetRequest) -> Result<(), String> {
        let names: Vec<_> = request.names.iter().map(|name| name.trim().to_owned()).collect();
        if names.iter().any(|name| name.chars().count() < 3) {
            return Err("a name must have three characters or more: less is found everywhere".into());
        }
        let id = request.person.as_deref().map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned);
        if id.is_none() && names.is_empty() {
            return Err("say who: the loanee's id, a name, or both".into());
        }
        {
            let mut report = self.report();
            if report.as_ref().is_some_and(|report| !report.is_done) {
                return Err("somebody is being forgotten already: wait until that is done".into());
            }
            *report = Some(ForgetReport { dry_run: request.dry_run, ..ForgetReport::default() });
        }
        let search = Search {
            request,
            person: Person { id, names },
            learned: Person::default(),
            subjects: HashSet::new(),
        };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let error = this.run(search).await.err();
            this.tell(|report| {
                report.error = error.map(|error| error.to_string());
                report.is_done = true;
            });
        });
        Ok(())
    }

    /// How far the last one is.
    #[must_use]
    pub fn progress(&self) -> Option<ForgetReport> {
        self.report().clone()
    }

    /// May be stopped at any time and started again: who the person is stands in the events' bodies, which go last.
    async fn run(&self, mut search: Search) -> Result<(), StoreError> {
        self.learn(&mut search).await?;
        if search.request.dry_run {
            return self.round(&search, false).await.map(|_| ());
        }
        let mut left = u64::MAX;
        for _ in 0..ROUNDS_MAX {
            left = self.round(&search, true).await?;
            if left == 0 {
                break;
            }
        }
        if left > 0 {
            // What the last round found it has erased; that is looked at once more.
            left = self.round(&search, false).await?;
        }
        self.tell(|report| report.left = left);
        self.prove(&search).await?;
        self.audit(&search).await
    }

    /// Which assets the person was named with, and by which names.
    async fn learn(&self, search: &mut Search) -> Result<(), StoreError> {
        self.tell(|report| report.step = "looking for the person's events".into());
        let (mut after, mut names) = (None, BTreeSet::new());
        while let Some((payloads, last)) = self.page(Table::Events, after).await? {
            for payload in payloads {
                if search.is_of_source(&payload) && search.is_named(&payload) {
                    names.extend(payload.texts.iter().flat_map(|text| search.person.names_in(text)));
                    search.subjects.extend(payload.subject);
                }
            }
            after = Some(last);
        }
        names.retain(|name| name.chars().count() >= 3);
        let (subjects, learned) = (count(search.subjects.len()), count(names.len()));
        search.learned.names = names.into_iter().collect();
        self.tell(|report| (report.subjects, report.names_learned) = (subjects, learned));
        Ok(())
    }

    /// Looks through everything and says how many rows name the person; erases them unless it only looks.
    async fn round(&self, search: &Search, erase: bool) -> Result<u64, StoreError> {
        let (mut found, mut others) = (0, 0);
        for table in Table::ALL {
            self.tell(|report| report.step = format!("looking through {table:?}").to_lowercase());
            let mut after = None;
            while let Some((payloads, last)) = self.page(table, after).await? {
                let (named, rest): (Vec<_>, Vec<_>) = payloads
                    .into_iter()
                    .filter(|payload| search.is_of_source(payload))
                    .partition(|payload| search.is_named(payload));
                others += count(rest.iter().filter(|payload| search.has_learned(payload)).count());
                found += count(named.len());
                if erase || search.request.dry_run {
                    self.tell(|report| {
                        if !named.is_empty() {
                            *report.found.entry(format!("{table:?}").to_lowercase()).or_default() +=
                                count(named.len());
                        }
                    });
                }
                if erase {
                    self.erase(named).await?;
                }
                after = Some(last);
            }
        }
        self.tell(|report| report.others_with_the_name = others);
        Ok(found)
    }

    async fn erase(&self, named: Vec<Payload>) -> Result<(), StoreError> {
        let mut named = named.into_iter().peekable();
        while named.peek().is_some() {
            let started = Instant::now();
            self.pipeline.erase(named.by_ref().take(ERASED_MAX).collect()).await?;
            rest(started).await;
        }
        Ok(())
    }

    /// Rows of a table behind this one, and the last of them; `None` when there are no more.
    async fn page(
        &self,
        table: Table,
        after: Option<Place>,
    ) -> Result<Option<(Vec<Payload>, Place)>, StoreError> {
        let started = Instant::now();
        let payloads = self.store.payloads(table, after, READ_MAX).await?;
        self.tell(|report| report.looked_at += count(payloads.len()));
        rest(started).await;
        Ok(payloads.last().map(|payload| payload.place.clone()).map(|last| (payloads, last)))
    }

    /// Looks through the bytes of the files: nothing may stand in what no row has any more, either.
    async fn prove(&self, search: &Search) -> Result<(), StoreError> {
        self.tell(|report| report.step = "looking through the bytes of the files".into());
        let kept = self.report().as_ref().map_or(0, |report| report.others_with_the_name);
        let mut person = search.person.clone();
        if kept == 0 {
            // With others of that name in the store the bytes cannot tell whose they are.
            person.names.extend(search.learned.names.iter().cloned());
        }
        let person = Arc::new(person);
        let look: Look = Arc::new(move |bytes| person.places_in(bytes));
        let mut files = self.store.look(Arc::clone(&look), false).await?;
        let has_remains = files.iter().any(|file| file.found > 0);
        // One source's events may stay while others' are erased: then the bytes say nothing.
        if has_remains && search.request.source.is_none() {
            self.tell(|report| report.step = "writing the file anew".into());
            files = self.store.look(look, true).await?;
        }
        self.tell(|report| (report.files, report.is_rewritten) = (files, has_remains));
        Ok(())
    }

    /// Notes that it was done: who asked and how much it was, the person only as a salted hash.
    async fn audit(&self, search: &Search) -> Result<(), StoreError> {
        let salt = format!("{:032x}", (self.salt)());
        let who = format!("{salt}/{:?}/{:?}", search.person.id, search.person.names);
        let report = self.progress().unwrap_or_default();
        let record = serde_json::json!({
            "v": 1, "what": "forget", "by": search.request.by, "source": search.request.source, "salt": salt,
            "person": Digest::of(who.as_bytes()).to_string(), "found": report.found, "left": report.left,
        });
        tracing::info!(by = search.request.by, found = ?report.found, left = report.left, "forgot a person");
        let audit = vec![Audit { at_ms: (self.now_ms)(), record: record.to_string() }];
        self.store.commit(Batch { audit, ..Batch::default() }).await
    }

    fn tell(&self, change: impl FnOnce(&mut ForgetReport)) {
        if let Some(report) = self.report().as_mut() {
            change(report);
        }
    }

    fn report(&self) -> std::sync::MutexGuard<'_, Option<ForgetReport>> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

async fn rest(started: Instant) {
    tokio::time::sleep(started.elapsed() * REST + Duration::from_millis(1)).await;
}
