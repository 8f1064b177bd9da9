//! Who counts as there. Pure: the time is passed in.

use crate::store::group::{Member, Members};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a host counts as there after it was last seen: when the store was away, all come back one after the other, and
/// none should take what another has.
const MISSING_MAX: Duration = Duration::from_secs(3);

/// Who was seen.
#[derive(Debug, Default)]
pub(super) struct Roll {
    /// Since when each has been missing; nothing for those that are there. Only as long as it was looked.
    known: BTreeMap<i64, (Member, Option<Duration>)>,
}

impl Roll {
    /// Who counts as there now, with those that are seen at this time since any moment in the past.
    pub(super) fn call(&mut self, seen: Members, now: Duration) -> Members {
        let own = seen.own.map(|own| seen.all[own].id);
        let ids: Vec<_> = seen.all.iter().map(|member| member.id).collect();
        for member in seen.all {
            self.known.insert(member.id, (member, None));
        }
        for (id, (_, missing_since)) in &mut self.known {
            if !ids.contains(id) {
                missing_since.get_or_insert(now);
            }
        }
        let is_there =
            |since: &Option<Duration>| since.is_none_or(|since| now.saturating_sub(since) < MISSING_MAX);
        self.known.retain(|_, (_, missing_since)| is_there(missing_since));
        let all: Vec<_> = self.known.values().map(|(member, _)| member.clone()).collect();
        let own = all.iter().position(|member| Some(member.id) == own);
        Members { all, own }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::group::Host;

    fn seen(ids: &[i64]) -> Members {
        let member = |id: &i64| Member {
            id: *id,
            host: Host { name: format!("host-{id}"), queues: 1 },
            deployment: 0,
        };
        Members { all: ids.iter().map(member).collect(), own: ids.iter().position(|id| *id == 2) }
    }

    fn there(roll: &mut Roll, ids: &[i64], at_s: u64) -> (Vec<i64>, Option<usize>) {
        let members = roll.call(seen(ids), Duration::from_secs(at_s));
        (members.all.iter().map(|member| member.id).collect(), members.own)
    }

    #[test]
    fn who_is_missing_for_a_moment_counts_as_there() {
        let mut roll = Roll::default();
        assert_eq!(there(&mut roll, &[1, 2], 0), (vec![1, 2], Some(1)));
        assert_eq!(there(&mut roll, &[2], 5), (vec![1, 2], Some(1)));
        assert_eq!(there(&mut roll, &[1, 2], 7), (vec![1, 2], Some(1)));
        // Nobody looked for an hour: it counts from when somebody does.
        assert_eq!(there(&mut roll, &[2, 3], 3_600), (vec![1, 2, 3], Some(1)));
        assert_eq!(there(&mut roll, &[2, 3], 3_602), (vec![1, 2, 3], Some(1)));
        assert_eq!(there(&mut roll, &[2, 3], 3_603), (vec![2, 3], Some(0)));
        assert_eq!(there(&mut roll, &[1, 2, 3], 3_604), (vec![1, 2, 3], Some(1)));
    }
}
