//! Makes plugins' components, language by language, with tools it installs itself. Knows nothing of what a plugin
//! does, nor of hosts.

pub mod build;
pub mod language;
pub mod progress;
pub mod shell;
pub mod tool;
pub mod tools;

mod made;
