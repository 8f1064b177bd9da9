//! Whether a version does well enough to go on, to be given more, or to stay at all. Pure: judges numbers, says why.

use crate::deployment::Share;

/// What a version did in some stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// How often it was asked.
    pub asks: u64,
    /// How often it was at fault.
    pub faults: u64,
    /// How often it said "no" itself.
    pub refusals: u64,
    /// The time of all calls, in microseconds.
    pub wall_us: u64,
    /// How often its answer was compared with another version's.
    pub compared: u64,
    /// How often they differed.
    pub drifted: u64,
}

impl Conduct {
    /// What it did since then.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            asks: self.asks.saturating_sub(earlier.asks),
            faults: self.faults.saturating_sub(earlier.faults),
            refusals: self.refusals.saturating_sub(earlier.refusals),
            wall_us: self.wall_us.saturating_sub(earlier.wall_us),
            compared: self.compared.saturating_sub(earlier.compared),
            drifted: self.drifted.saturating_sub(earlier.drifted),
        }
    }

    /// What it did here and there.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            asks: self.asks + other.asks,
            faults: self.faults + other.faults,
            refusals: self.refusals + other.refusals,
            wall_us: self.wall_us + other.wall_us,
            compared: self.compared + other.compared,
            drifted: self.drifted + other.drifted,
        }
    }

    const fn mean_us(self) -> u64 {
        match self.wall_us.checked_div(self.asks) {
            Some(mean_us) => mean_us,
            None => 0,
        }
    }
}

/// When a version is withdrawn, and when a canary is given more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutRules {
    /// The stretch of time in which an active version's faults are counted, in milliseconds.
    pub window_ms: u64,
    /// How often it must have been asked in it.
    pub asks_min: u64,
    /// Of so many of its answers that are faults it is withdrawn, if there is another to go back to.
    pub faults_max: Share,
    /// How long a canary stays at one share, at least, in milliseconds.
    pub canary_step_ms: u64,
    /// How often it must have been asked there before it is given more, or judged by anything but faults.
    pub canary_asks_min: u64,
    /// So many more of its answers may be faults than of the active version's.
    pub canary_faults_max: Share,
    /// So many more may be refusals.
    pub canary_refusals_max: Share,
    /// In percent of the active version's mean time, so long may a call take.
    pub canary_time_percent_max: u64,
    /// So many of its answers may differ from the active version's; all of them, by default: it is another version.
    pub canary_drift_max: Share,
}

impl Default for RolloutRules {
    fn default() -> Self {
        Self {
            window_ms: 60_000,
            asks_min: 50,
            faults_max: Share::HALF,
            canary_step_ms: 600_000,
            canary_asks_min: 100,
            canary_faults_max: Share::ONE_PERCENT,
            canary_refusals_max: Share::TEN_PERCENT,
            canary_time_percent_max: 300,
            canary_drift_max: Share::ALL,
        }
    }
}

/// Faults that are enough to judge a canary by, however rarely it was asked.
const FAULTS_ENOUGH: u64 = 3;
/// Mean times below this, in microseconds, are not compared: they say more about the machine.
const TIME_TOO_SHORT_US: u64 = 1_000;

/// What becomes of a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it is.
    Stay,
    /// It decides for this share from now on.
    Raise(Share),
    /// It becomes the active version.
    Promote,
    /// It is withdrawn, for this reason.
    Withdraw(String),
}

/// Judges a canary that has stood at its share for so many milliseconds and is to be raised in these steps, by what it and
/// the active version did meanwhile.
#[must_use]
pub fn judge_canary(
    (share, steps): (Share, &[Share]),
    ran_ms: u64,
    (new, active): (Conduct, Conduct),
    rules: &RolloutRules,
) -> Verdict {
    let is_enough = new.asks >= rules.canary_asks_min;
    if (is_enough || new.faults >= FAULTS_ENOUGH)
        && let Some(why) =
            beyond("faults", (new.faults, new.asks), (active.faults, active.asks), rules.canary_faults_max)
    {
        return Verdict::Withdraw(why);
    }
    if !is_enough {
        return Verdict::Stay;
    }
    if let Some(why) = too_much(new, active, rules) {
        return Verdict::Withdraw(why);
    }
    if ran_ms < rules.canary_step_ms {
        return Verdict::Stay;
    }
    match steps.iter().find(|step| **step > share) {
        Some(step) if *step == Share::ALL => Verdict::Promote,
        Some(step) => Verdict::Raise(*step),
        None => Verdict::Stay,
    }
}

fn too_much(new: Conduct, active: Conduct, rules: &RolloutRules) -> Option<String> {
    let refusals = (new.refusals, new.asks);
    if let Some(why) = beyond("refusals", refusals, (active.refusals, active.asks), rules.canary_refusals_max)
    {
        return Some(why);
    }
    let (mean_us, known_us) = (new.mean_us(), active.mean_us().max(TIME_TOO_SHORT_US));
    let percent = mean_us.saturating_mul(100) / known_us;
    if active.asks > 0 && percent > rules.canary_time_percent_max {
        return Some(format!(
            "a call takes {mean_us} us, {percent} % of the active version's {known_us} us; at most {} %",
            rules.canary_time_percent_max
        ));
    }
    let drift = Share::of(new.drifted, new.compared)?;
    (drift > rules.canary_drift_max).then(|| {
        format!(
            "{} of {} answers differ from the active version's ({drift}, at most {})",
            new.drifted, new.compared, rules.canary_drift_max
        )
    })
}

/// Whether a share is more than the allowance beyond what the active version has of it.
fn beyond(what: &str, of_new: (u64, u64), of_active: (u64, u64), allowance: Share) -> Option<String> {
    let share = Share::of(of_new.0, of_new.1)?;
    let known = Share::of(of_active.0, of_active.1);
    if share.hundredths() <= known.map_or(0, Share::hundredths).saturating_add(allowance.hundredths()) {
        return None;
    }
    let (part, whole) = of_new;
    let known = known.map_or_else(|| "none".to_owned(), |known| known.to_string());
    Some(format!(
        "{part} {what} in {whole} calls ({share}; the active version: {known}; at most {allowance} more)"
    ))
}

/// Whether the active version is to be withdrawn, by what it did within the window; says why.
#[must_use]
pub fn judge_active(conduct: Conduct, rules: &RolloutRules) -> Option<String> {
    let share = Share::of(conduct.faults, conduct.asks)?;
    let is_too_bad = conduct.asks >= rules.asks_min && share >= rules.faults_max;
    is_too_bad.then(|| {
        let Conduct { faults, asks, .. } = conduct;
        format!(
            "{faults} faults in {asks} calls within {} s ({share}; the breaker's limit is {})",
            rules.window_ms / 1_000,
            rules.faults_max
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Share {
        text.parse().expect("a share")
    }

    fn judge(
        at: &str,
        steps: &[&str],
        ran_ms: u64,
        conducts: (Conduct, Conduct),
        rules: &RolloutRules,
    ) -> Verdict {
        let steps: Vec<_> = steps.iter().map(|step| share(step)).collect();
        judge_canary((share(at), &steps), ran_ms, conducts, rules)
    }

    fn conduct(asks: u64, faults: u64) -> Conduct {
        Conduct { asks, faults, wall_us: asks * 200, ..Conduct::default() }
    }

    fn judged(new: Conduct, active: Conduct) -> Verdict {
        judge("5", &["50", "100"], 600_000, (new, active), &RolloutRules::default())
    }

    #[test]
    fn a_canary_that_does_well_is_raised_step_by_step_and_then_promoted() {
        let rules = RolloutRules::default();
        let well = (conduct(100, 0), conduct(1_000, 0));
        let at = |at, ran_ms, conducts| judge(at, &["50", "100"], ran_ms, conducts, &rules);
        assert_eq!(at("5", 600_000, well), Verdict::Raise(share("50")));
        assert_eq!(at("50", 600_000, well), Verdict::Promote);
        assert_eq!(at("5", 599_999, well), Verdict::Stay);
        assert_eq!(at("5", 600_000, (conduct(99, 0), conduct(1_000, 0))), Verdict::Stay, "asked too rarely");
        let by_hand = judge("5", &[], u64::MAX, well, &rules);
        assert_eq!(by_hand, Verdict::Stay, "a person raises it");
    }

    #[test]
    fn a_canary_with_more_faults_than_the_active_version_goes_at_once() {
        assert!(
            matches!(judged(conduct(20, 3), conduct(1_000, 0)), Verdict::Withdraw(_)),
            "before it is asked often"
        );
        assert_eq!(judged(conduct(20, 2), conduct(1_000, 0)), Verdict::Stay, "too little to tell");
        assert!(
            !matches!(judged(conduct(100, 10), conduct(1_000, 100)), Verdict::Withdraw(_)),
            "as many as before"
        );
        let Verdict::Withdraw(why) = judged(conduct(150, 3), conduct(1_000, 0)) else { panic!("it stays") };
        assert_eq!(why, "3 faults in 150 calls (2%; the active version: 0%; at most 1% more)");
    }

    #[test]
    fn refusals_time_and_drift_are_judged_too() {
        let well = conduct(100, 0);
        for (new, word) in
            [(Conduct { refusals: 11, ..well }, "refusals"), (Conduct { wall_us: 100 * 3_100, ..well }, "us")]
        {
            let Verdict::Withdraw(why) = judged(new, well) else { panic!("{word}: it stays") };
            assert!(why.contains(word), "{why}");
        }
        let drifts = Conduct { compared: 50, drifted: 6, ..well };
        assert!(!matches!(judged(drifts, well), Verdict::Withdraw(_)), "it is another version");
        let rules = RolloutRules { canary_drift_max: share("10"), ..RolloutRules::default() };
        let strict = judge("5", &[], 0, (drifts, well), &rules);
        let why = "6 of 50 answers differ from the active version's (12%, at most 10%)";
        assert_eq!(strict, Verdict::Withdraw(why.into()));
    }

    #[test]
    fn a_breaker_needs_enough_calls_and_enough_faults() {
        let rules = RolloutRules::default();
        assert_eq!(judge_active(conduct(49, 49), &rules), None);
        assert_eq!(judge_active(conduct(100, 49), &rules), None);
        let why = "50 faults in 100 calls within 60 s (50%; the breaker's limit is 50%)";
        assert_eq!(judge_active(conduct(100, 50), &rules).as_deref(), Some(why));
    }
}
