//! End to end tests.

pub mod edge;
pub mod load;
pub mod recorder;
pub mod receiver;
pub mod sender;
pub mod system;
