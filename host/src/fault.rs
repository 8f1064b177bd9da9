//! The host's word about a plugin that broke a limit or the contract.

mod trouble;

pub use trouble::{Group, Meaning, Trouble};

/// What a plugin did wrong, with the limit it broke. The host and the other plugins are unharmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It ran longer than `wall_time_ms`.
    #[error("wall_time_ms: ran longer than {limit_ms} ms")]
    WallTime {
        /// The limit it broke.
        limit_ms: u64,
    },
    /// It used more than `fuel`.
    #[error("fuel: used more than {limit} units of fuel\n{backtrace}")]
    Fuel {
        /// The limit it broke.
        limit: u64,
        /// The plugin's own functions, innermost first: the same ones each time.
        backtrace: String,
    },
    /// Its memory wanted to grow past `memory_bytes`.
    #[error("memory_bytes: asked for {wanted_bytes} bytes of memory, the limit is {limit_bytes}")]
    Memory {
        /// What it asked for.
        wanted_bytes: usize,
        /// The limit it broke.
        limit_bytes: usize,
    },
    /// Its memories and tables asked to grow more often than `memory_growths`.
    #[error("memory_growths: asked more than {limit} times to grow a memory or a table")]
    MemoryGrowths {
        /// The limit it broke.
        limit: usize,
    },
    /// A table wanted to grow past `table_elements`.
    #[error("table_elements: asked for a table of {wanted} elements, the limit is {limit}")]
    Table {
        /// What it asked for.
        wanted: usize,
        /// The limit it broke.
        limit: usize,
    },
    /// It recursed past `stack_bytes`.
    #[error("stack_bytes: recursed deeper than {limit_bytes} bytes of stack\n{backtrace}")]
    Stack {
        /// The limit it broke.
        limit_bytes: usize,
        /// The plugin's own functions, innermost first.
        backtrace: String,
    },
    /// What it returned is larger than `result_bytes`.
    #[error("result_bytes: returned {actual_bytes} bytes or more, the limit is {limit_bytes}")]
    ResultBytes {
        /// At least this many bytes came back.
        actual_bytes: usize,
        /// The limit it broke.
        limit_bytes: usize,
    },
    /// It called the host with more than `hostcall_bytes`.
    #[error("hostcall_bytes: called the host with more than {limit_bytes} bytes\n{backtrace}")]
    HostcallBytes {
        /// The limit it broke.
        limit_bytes: usize,
        /// The plugin's own functions, innermost first.
        backtrace: String,
    },
    /// It returned more decisions than `decisions`.
    #[error("decisions: returned {actual} decisions, the limit is {limit}")]
    Decisions {
        /// How many it returned.
        actual: usize,
        /// The limit it broke.
        limit: usize,
    },
    /// It trapped: a panic, an `unreachable`, a memory access out of bounds, a division by zero.
    #[error("trap: {cause}\n{backtrace}")]
    Trap {
        /// What wasm calls it.
        cause: String,
        /// The plugin's own functions, innermost first.
        backtrace: String,
    },
    /// It returned bytes that are not what the contract's types say.
    #[error("contract: {0}")]
    Contract(String),
    /// It decided something that the operator did not grant.
    #[error("not granted: {0}")]
    NotGranted(String),
    /// The host could not run it: no memory to map, for one. The plugin is not to blame.
    #[error("host: {0}")]
    Host(String),
}

impl Fault {
    /// Whether asking again could end differently. A plugin is a pure function, so only a fault that
    /// depends on how busy the machine is can.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::WallTime { .. } | Self::Host(_))
    }

    /// What this is in the table that explains what authors and operators meet.
    #[must_use]
    pub const fn trouble(&self) -> Trouble {
        match self {
            Self::WallTime { .. } => Trouble::WallTimeMs,
            Self::Fuel { .. } => Trouble::Fuel,
            Self::Memory { .. } => Trouble::MemoryBytes,
            Self::MemoryGrowths { .. } => Trouble::MemoryGrowths,
            Self::Table { .. } => Trouble::TableElements,
            Self::Stack { .. } => Trouble::StackBytes,
            Self::ResultBytes { .. } => Trouble::ResultBytes,
            Self::HostcallBytes { .. } => Trouble::HostcallBytes,
            Self::Decisions { .. } => Trouble::Decisions,
            Self::Trap { .. } => Trouble::Trap,
            Self::Contract(_) => Trouble::Contract,
            Self::NotGranted(_) => Trouble::NotGranted,
            Self::Host(_) => Trouble::Host,
        }
    }

    /// The fault's name in metrics and lists: one word per limit.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.trouble().name()
    }

    /// The plugin's own functions where it failed, innermost first; empty when nothing is known of them.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        let backtrace = match self {
            Self::Fuel { backtrace, .. }
            | Self::Stack { backtrace, .. }
            | Self::HostcallBytes { backtrace, .. }
            | Self::Trap { backtrace, .. } => backtrace.as_str(),
            _ => "",
        };
        backtrace.lines()
    }
}

/// Before the names of functions that a language brings along.
const RUNTIME: [&str; 5] = ["std::", "core::", "alloc::", "__rustc::", "rust_"];

/// Whether a plugin's function is its language's own, and not its author's.
#[must_use]
pub fn is_runtime(function: &str) -> bool {
    RUNTIME.iter().any(|prefix| function.trim_start_matches('<').starts_with(prefix))
}

/// Of a plugin's functions, innermost first, the first that is its author's own; when none is, the first.
pub fn own_function<'a>(functions: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let mut named = functions.filter(|function| !function.is_empty());
    named.clone().find(|function| !is_runtime(function)).or_else(|| named.next())
}

/// A fault's text in one line: its name, with what wasm calls it when it is a trap, and the innermost function of the
/// author's own. Nothing that a plugin said: `None` when the text is no fault's.
#[must_use]
pub fn in_a_line(text: &str) -> Option<String> {
    let trouble = Trouble::in_reason(text)?;
    let mut lines = text.lines().map(str::trim);
    let first = lines.next()?;
    let what = if trouble == Trouble::Trap { first } else { trouble.name() };
    Some(match own_function(lines) {
        Some(function) => format!("{what} in {function}"),
        None => what.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::in_a_line;

    #[test]
    fn a_line_names_the_fault_and_the_authors_innermost_function_and_says_nothing_that_a_plugin_said() {
        let text = "trap: unreachable\n<std::x as Y>::f\nnotice::decide\nnotice::handle";
        assert_eq!(in_a_line(text).as_deref(), Some("trap: unreachable in notice::decide"));
        assert_eq!(in_a_line("wall_time_ms: ran longer than 9 ms").as_deref(), Some("wall_time_ms"));
        assert_eq!(in_a_line("no mail address for John Do"), None);
        assert_eq!(in_a_line("fuels: John Do"), None);
    }
}
