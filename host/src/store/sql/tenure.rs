//! What a host holds among those that work on the same database, and when it may go on after it was cut off. All of it is
//! locks of the one session that writes: the server takes them from a host that is gone, or silent for too long, and what is
//! written without them is not written. The host that held a partition last stands in a table, so that one whose session was
//! lost and made anew sees whether another had it in between. Knows nothing of how a server locks.

use super::Others;
use super::database::TakenOver;
use crate::partition::Partitions;
use crate::store::group::Host;
use anyhow::Context as _;

/// A session with the server: what it locks is locked for as long as it stands.
pub(in crate::store) trait Session {
    /// Takes note of one more host, and gives its id.
    fn introduce(&mut self, host: Option<&Host>) -> anyhow::Result<i64>;

    /// From now on the others see that this host is there.
    fn appear(&mut self, host: i64) -> anyhow::Result<()>;

    /// Locks those of these that no other session has.
    fn try_lock(&mut self, wanted: Partitions) -> anyhow::Result<Partitions>;

    /// Unlocks these.
    fn unlock(&mut self, lost: Partitions) -> anyhow::Result<()>;

    /// Takes note that this host held these last.
    fn note(&mut self, host: i64, held: Partitions) -> anyhow::Result<()>;

    /// Those of these that this host held last.
    fn noted(&mut self, host: i64, held: Partitions) -> anyhow::Result<Partitions>;

    /// The others look who is there.
    fn tell(&mut self) -> anyhow::Result<()>;

    /// Waits a little for what another session has locked; says when it is enough.
    fn wait(&mut self, missing: Partitions) -> anyhow::Result<()>;
}

/// The tenure of the session that writes.
pub(in crate::store) struct Tenure {
    others: Others,
    /// Which host it is of all that ever worked on the database; none before it was let in.
    id: Option<i64>,
    held: Partitions,
}

impl Tenure {
    pub(in crate::store) const fn new(others: Others) -> Self {
        Self { others, id: None, held: Partitions::NONE }
    }

    pub(in crate::store) const fn id(&self) -> Option<i64> {
        self.id
    }

    /// Whether other hosts may be at work, too.
    pub(in crate::store) const fn shares(&self) -> bool {
        self.as_shared().is_some()
    }

    const fn as_shared(&self) -> Option<&Host> {
        match &self.others {
            Others::Share(host) => Some(host),
            Others::Refuse | Others::Await => None,
        }
    }

    /// Whether it waits for those that are in its way, for as long as that takes.
    pub(in crate::store) const fn is_patient(&self) -> bool {
        !matches!(self.others, Others::Refuse)
    }

    /// Fails when another host has held what this one holds.
    pub(in crate::store) fn check(&self, session: &mut impl Session) -> anyhow::Result<()> {
        let Some(id) = self.id else { return Ok(()) };
        if session.noted(id, self.held)? == self.held { Ok(()) } else { Err(TakenOver.into()) }
    }

    /// Has been let in: it takes its id and what it holds, or, on a session made anew, the same as before.
    pub(in crate::store) fn enter(&mut self, session: &mut impl Session) -> anyhow::Result<()> {
        let id = match self.id {
            Some(id) => id,
            None => self.introduce(session)?,
        };
        if self.shares() {
            session.appear(id)?;
            self.lock_again(session)?;
            session.tell()?;
        }
        self.id = Some(id);
        Ok(())
    }

    /// The first time: one more host. One that does not share holds everything from now on.
    fn introduce(&mut self, session: &mut impl Session) -> anyhow::Result<i64> {
        let id = session.introduce(self.as_shared())?;
        if !self.shares() {
            session.note(id, Partitions::ALL)?;
            self.held = Partitions::ALL;
        }
        Ok(id)
    }

    /// On a session made anew. The server may not have noticed yet that the one before is gone; and another host may have
    /// taken what nobody had locked, and given it away again, until just now.
    fn lock_again(&self, session: &mut impl Session) -> anyhow::Result<()> {
        let mut missing = self.held;
        loop {
            missing = missing.without(session.try_lock(missing)?);
            if missing.is_empty() {
                return self.check(session);
            }
            session.wait(missing)?;
            self.check(session)?;
        }
    }

    /// Takes those of these partitions that nobody holds.
    pub(in crate::store) fn claim(
        &mut self,
        session: &mut impl Session,
        wanted: Partitions,
    ) -> anyhow::Result<Partitions> {
        let id = self.id.context("claim partitions: not let in yet")?;
        let got = session.try_lock(wanted.without(self.held))?;
        session.note(id, got)?;
        self.held = self.held.with(got);
        Ok(got)
    }

    /// Gives these away, and tells the others.
    pub(in crate::store) fn release(
        &mut self,
        session: &mut impl Session,
        lost: Partitions,
    ) -> anyhow::Result<()> {
        self.held = self.held.without(lost);
        session.unlock(lost)?;
        session.tell()
    }
}
