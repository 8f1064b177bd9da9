//! The limits one call of a plugin runs under. Each has a name, a default, and a hostile guest in
//! `tests/guests` that breaks it.

use serde::{Deserialize, Serialize};

/// Limits of one call. A manifest may lower them; only the operator's configuration raises them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Total time of one call, in milliseconds.
    pub wall_time_ms: u64,
    /// Bytes of all linear memories together.
    pub memory_bytes: usize,
    /// Elements of any one table.
    pub table_elements: usize,
    /// Bytes of everything the plugin returns.
    pub result_bytes: usize,
    /// Decisions it may return.
    pub decisions: usize,
    /// Bytes of its log that are kept, ends of lines included; the rest is left out and counted.
    pub log_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_time_ms: 1_000,
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            result_bytes: 1 << 20,
            decisions: 64,
            log_bytes: 16 << 10,
        }
    }
}

/// Bytes of stack a plugin may use. One number for the whole engine, not per plugin: wasmtime sets it when
/// the engine is made.
pub const STACK_BYTES_MAX: usize = 512 << 10;
