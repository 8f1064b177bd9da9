//! Whether a host of the group is missing: it is not there, and nobody told it to stop. Said once, and once more when it, or one
//! of the same name, is there again.

use super::{Memory, Turn};
use crate::store::group::KnownHost;
use serde::{Deserialize, Serialize};

/// A host that was not there at a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Missing {
    name: String,
    /// When that was first noticed, in milliseconds since the Unix epoch: its own clock is not asked.
    since_ms: u64,
    is_said: bool,
}

/// A host that is missing, or is there again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostNews {
    /// Which host of all that ever worked on the store.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// Which of the two.
    pub turn: Turn,
    /// When it was found missing, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// When this was noticed.
    pub at_ms: u64,
}

/// What there is to say of the hosts that are known now, and what to remember of them. `max_ms` is how long one may be missing;
/// without it nobody wants to know.
#[must_use]
pub fn look(
    memory: &Memory,
    max_ms: Option<u64>,
    hosts: &[KnownHost],
    now_ms: u64,
) -> (Memory, Vec<HostNews>) {
    let mut next = memory.clone();
    let before = std::mem::take(&mut next.missing);
    let (Some(max_ms), mut news) = (max_ms, Vec::new()) else { return (next, Vec::new()) };
    let told = |id, missing: &Missing, turn| {
        let Missing { name, since_ms, .. } = missing.clone();
        HostNews { id, name, turn, since_ms, at_ms: now_ms }
    };
    for host in hosts.iter().filter(|host| is_missing(host, hosts)) {
        let (id, name) = (host.member.id, host.member.host.name.clone());
        let seen = before.get(&id).cloned();
        let mut missing = seen.unwrap_or(Missing { name, since_ms: now_ms, is_said: false });
        if !missing.is_said && now_ms.saturating_sub(missing.since_ms) >= max_ms {
            missing.is_said = true;
            news.push(told(id, &missing, Turn::Begins));
        }
        next.missing.insert(id, missing);
    }
    // One that is not known any more was gone for too long to be waited for.
    let is_known = |id: &i64| hosts.iter().any(|host| host.member.id == *id);
    let over = before
        .iter()
        .filter(|(id, missing)| missing.is_said && !next.missing.contains_key(id) && is_known(id));
    news.extend(over.map(|(id, missing)| told(*id, missing, Turn::Over)));
    (next, news)
}

/// One that starts again is a later one of the same name.
fn is_missing(host: &KnownHost, hosts: &[KnownHost]) -> bool {
    let is_again = |other: &KnownHost| {
        other.is_there && other.member.id > host.member.id && other.member.host.name == host.member.host.name
    };
    !host.is_there && host.left_at_ms.is_none() && !hosts.iter().any(is_again)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::Partitions;
    use crate::store::group::{Host, Member};

    #[derive(Clone, Copy)]
    enum Is {
        There,
        Left,
        Gone,
    }

    fn host(id: i64, name: &str, is: Is) -> KnownHost {
        KnownHost {
            member: Member { id, host: Host { name: name.into(), queues: 1 }, deployment: 0 },
            release: "1.0.0".into(),
            joined_at_ms: 0,
            seen_at_ms: 0,
            left_at_ms: matches!(is, Is::Left).then_some(1),
            is_there: matches!(is, Is::There),
            holds: Partitions::NONE,
            doing: None,
        }
    }

    /// What is said at each look, ten seconds apart: `+b` missing, `-b` back. The memory is read anew before each, as if
    /// another host looked.
    fn said(looks: &[&[(i64, &str, Is)]]) -> Vec<String> {
        let mut memory = Memory::default();
        let mut said = Vec::new();
        for (at, hosts) in (0_u64..).zip(looks) {
            let hosts: Vec<_> = hosts.iter().map(|(id, name, is)| host(*id, name, *is)).collect();
            let read = Memory::from_record(&memory.to_record()).expect("a memory is read as it was stored");
            let (next, news) = look(&read, Some(30_000), &hosts, at * 10_000);
            memory = next;
            let words = news.iter().map(|news| match news.turn {
                Turn::Begins => format!("+{}", news.name),
                Turn::Over => format!("-{}", news.name),
            });
            said.push(words.collect());
        }
        said
    }

    #[test]
    fn one_that_is_gone_is_said_once_and_once_when_it_is_back_under_its_name() {
        let (a, gone) = ((1, "a", Is::There), (2, "b", Is::Gone));
        let here = [a, (2, "b", Is::There)];
        let away = [a, gone];
        let again = [a, gone, (3, "b", Is::There)];
        let looks: [&[_]; 8] = [&here, &away, &away, &away, &away, &away, &again, &again];
        assert_eq!(said(&looks), ["", "", "", "", "+b", "", "-b", ""]);
    }

    #[test]
    fn one_that_was_stopped_or_is_soon_back_or_was_frozen_for_long_is_said_as_it_is() {
        let (a, left, gone) = ((1, "a", Is::There), (2, "b", Is::Left), (2, "b", Is::Gone));
        let without = [a, left];
        assert!(said(&[&without[..]; 5]).concat().is_empty());
        let here = [a, (2, "b", Is::There)];
        let soon: [&[_]; 6] = [&[a, gone], &[a, gone], &here, &[a, gone], &[a, gone], &here];
        assert!(said(&soon).concat().is_empty());
        let forgotten: [&[_]; 6] = [&[a, gone], &[a, gone], &[a, gone], &[a, gone], &[a], &[a]];
        assert_eq!(said(&forgotten).concat(), "+b");
        let thawed: [&[_]; 6] = [&[a, gone], &[a, gone], &[a, gone], &[a, gone], &here, &here];
        assert_eq!(said(&thawed).concat(), "+b-b");
    }

    #[test]
    fn nothing_is_said_to_who_does_not_want_to_know() {
        let hosts = [host(1, "a", Is::Gone)];
        let (memory, news) = look(&Memory::default(), Some(0), &hosts, 1);
        assert_eq!(news.len(), 1);
        let (memory, news) = look(&memory, None, &hosts, 2);
        assert_eq!((memory, news.len()), (Memory::default(), 0));
    }
}
