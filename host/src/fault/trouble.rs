//! What authors and operators can meet, each explained once: what it means, which limit it is about, what to do.
//! Knows nothing of how it is shown.

mod rows;

use serde::Serialize;

/// A fault, a refusal, a reason not to admit a component, or what `tidegate plugin test` finds. `ValueEnum` lists
/// all of them, so none can be left out of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is explained in `meaning`, where people read it")]
pub enum Trouble {
    WallTimeMs,
    Fuel,
    MemoryBytes,
    MemoryGrowths,
    TableElements,
    StackBytes,
    ResultBytes,
    HostcallBytes,
    Decisions,
    LogBytes,
    Trap,
    Contract,
    NotGranted,
    Host,
    Skip,
    RetryAfterMs,
    Park,
    Other,
    NotWasm,
    CoreModule,
    ComponentBytes,
    CompileTimeMs,
    CompileMemoryBytes,
    CompilerCrash,
    Invalid,
    Imports,
    NoHandler,
    WrongHandler,
    NeedsTooMuch,
    Impure,
}

/// Which kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The host's word about a call that went over a limit.
    Limit,
    /// The host's word about a call that went wrong in another way.
    Fault,
    /// The plugin's own "no".
    Refusal,
    /// Why a component is not admitted.
    Admission,
    /// What the author's tools find.
    Test,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Meaning {
    /// Its name, in lists, metrics and on the command line.
    pub name: &'static str,
    /// Which kind it is.
    pub group: Group,
    /// What happened.
    pub means: &'static str,
    /// The limit it is about, by the name of its key, with the host's default.
    pub limit: Option<(&'static str, u64)>,
    /// What the plugin's author does about it.
    pub author: &'static str,
    /// What the operator does about it.
    pub operator: &'static str,
}

impl Trouble {
    /// Its name, in lists, metrics and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.meaning().name
    }

    /// The trouble of which a parked row's reason tells: a reason starts with the fault's name and a colon.
    #[must_use]
    pub fn in_reason(why: &str) -> Option<Self> {
        let (name, _) = why.split_once(": ")?;
        let name = name.replace(' ', "_");
        Self::all().find(|trouble| trouble.is_of_the_host() && trouble.name() == name)
    }

    /// All of them, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        <Self as clap::ValueEnum>::value_variants().iter().copied()
    }

    fn is_of_the_host(self) -> bool {
        matches!(self.meaning().group, Group::Limit | Group::Fault)
    }

    /// Its row of the table.
    #[must_use]
    pub fn meaning(self) -> Meaning {
        rows::row(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use clap::ValueEnum as _;
    use std::collections::BTreeSet;

    #[test]
    fn each_row_is_named_as_the_command_line_names_it_and_says_what_to_do() {
        for trouble in Trouble::all() {
            let meaning = trouble.meaning();
            let value = trouble.to_possible_value().expect("none is hidden");
            assert_eq!(value.get_name(), meaning.name);
            for text in [meaning.means, meaning.author, meaning.operator] {
                assert!(text.ends_with('.') && !text.contains("  "), "{}: {text}", meaning.name);
            }
        }
    }

    #[test]
    fn each_limit_of_a_call_has_a_row_with_its_default() {
        let limits = serde_json::to_value(Limits::default()).expect("plain data");
        let rows: Vec<_> = Trouble::all().filter_map(|trouble| trouble.meaning().limit).collect();
        for (name, default) in limits.as_object().expect("an object") {
            let key = format!("limits.{name}");
            let row = rows.iter().find(|(limit, _)| *limit == key);
            assert_eq!(row.map(|(_, value)| *value), default.as_u64(), "{key}");
        }
    }

    #[test]
    fn a_parked_rows_reason_leads_to_its_fault_and_a_plugins_own_words_do_not() {
        let faults = [
            (crate::fault::Fault::WallTime { limit_ms: 1 }, Trouble::WallTimeMs),
            (crate::fault::Fault::NotGranted("decision 0: no".into()), Trouble::NotGranted),
            (crate::fault::Fault::Trap { cause: "c".into(), backtrace: "f".into() }, Trouble::Trap),
        ];
        for (fault, trouble) in faults {
            assert_eq!(fault.trouble(), trouble);
            assert_eq!(Trouble::in_reason(&fault.to_string()), Some(trouble));
        }
        for why in ["park: no", "the setting is missing", "skip: me", ""] {
            assert_eq!(Trouble::in_reason(why), None, "{why}");
        }
    }

    #[test]
    fn no_two_rows_have_one_name() {
        let names: BTreeSet<_> = Trouble::all().map(Trouble::name).collect();
        assert_eq!(names.len(), Trouble::all().count());
    }
}
