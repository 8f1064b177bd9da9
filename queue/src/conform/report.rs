//! What a run of the suite found, for programs and for people.

use serde::Serialize;
use std::fmt;

/// What a run found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it ran against.
    pub base_url: String,
    /// Every case, in the order it ran.
    pub cases: Vec<CaseReport>,
}

/// How one case ended.
#[derive(Clone, Debug, Serialize)]
pub struct CaseReport {
    /// The promise, or the question.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub milliseconds: u64,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The promise was kept.
    Passed,
    /// Nothing is promised here; it went this way.
    Observed(String),
    /// The promise was broken, or the case could not be run.
    Failed(String),
}

impl Report {
    /// How many cases failed.
    #[must_use]
    pub fn failures(&self) -> usize {
        let failed = |case: &&CaseReport| matches!(case.outcome, Outcome::Failed(_));
        self.cases.iter().filter(failed).count()
    }

    /// What was observed in the case of this name.
    #[must_use]
    pub fn observed(&self, name: &str) -> Option<&str> {
        let case = self.cases.iter().find(|case| case.name == name)?;
        match &case.outcome {
            Outcome::Observed(which) => Some(which),
            Outcome::Passed | Outcome::Failed(_) => None,
        }
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mark, more) = match &self.outcome {
            Outcome::Passed => ("pass    ", ""),
            Outcome::Observed(which) => ("observed", which.as_str()),
            Outcome::Failed(why) => ("FAIL    ", why.as_str()),
        };
        write!(f, "{mark} {:>6} ms  {}", self.milliseconds, self.name)?;
        if more.is_empty() { Ok(()) } else { write!(f, ": {more}") }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            writeln!(f, "{case}")?;
        }
        let observed = self.cases.iter().filter(|c| matches!(c.outcome, Outcome::Observed(_))).count();
        let failed = self.failures();
        let passed = self.cases.len() - observed - failed;
        write!(f, "{passed} passed, {observed} observed, {failed} failed: {}", self.base_url)
    }
}
