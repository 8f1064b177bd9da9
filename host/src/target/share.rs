//! Shares slots between targets, so that a slow one does not hold those of the others. Pure.

/// One target with effects that are due, as far as sharing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Requests to it under way.
    pub in_flight: usize,
    /// How many more it may be sent now.
    pub room: usize,
}

/// How many more each of these targets gets of `slots` of which `free` are free, the first first. One after the other
/// gets one, until there is none. The last quarter of the slots is for targets with few under way, a sixteenth of all at
/// most: however much a slow one was given, a fast one finds slots.
#[must_use]
pub fn share(waiting: &[Waiting], slots: usize, free: usize) -> Vec<usize> {
    let mut given = vec![0; waiting.len()];
    let mut left = free.min(slots);
    let (kept_back, few) = (slots / 4, (slots / 16).max(1));
    let mut is_any = true;
    while left > 0 && is_any {
        is_any = false;
        for (given, target) in given.iter_mut().zip(waiting) {
            let has_few = target.in_flight + *given < few;
            if left == 0 || *given == target.room || (left <= kept_back && !has_few) {
                continue;
            }
            *given += 1;
            left -= 1;
            is_any = true;
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_go_round_and_the_last_quarter_is_for_those_that_have_few() {
        type Case<'a> = (&'a [(usize, usize)], usize, usize, &'a [usize]);
        let cases: [Case<'_>; 11] = [
            (&[], 8, 8, &[]),
            (&[(0, 3)], 8, 8, &[3]),
            // One alone does not get the last quarter.
            (&[(0, 99)], 8, 8, &[6]),
            (&[(6, 99)], 8, 2, &[0]),
            (&[(6, 99), (0, 99)], 8, 2, &[0, 1]),
            (&[(0, 99), (0, 99)], 8, 8, &[3, 3]),
            (&[(0, 99), (0, 1), (0, 2)], 8, 8, &[3, 1, 2]),
            (&[(3, 1), (3, 99), (0, 5)], 8, 2, &[0, 0, 1]),
            (&[(0, 5), (0, 5), (0, 5)], 8, 2, &[1, 1, 0]),
            // With few slots none is kept back.
            (&[(0, 9)], 3, 3, &[3]),
            // With many, a newcomer gets some of the last.
            (&[(16, 99), (0, 99), (4, 9), (3, 9)], 64, 10, &[0, 4, 0, 1]),
        ];
        for (targets, slots, free, expected) in cases {
            let waiting: Vec<_> = targets
                .iter()
                .map(|(in_flight, room)| Waiting { in_flight: *in_flight, room: *room })
                .collect();
            assert_eq!(share(&waiting, slots, free), expected, "{targets:?} with {free} of {slots}");
        }
    }
}
