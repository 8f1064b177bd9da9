//! End to end tests.

pub mod bench;
pub mod checker;
pub mod connection;
pub mod edge;
pub mod edge_status;
pub mod fault;
pub mod load;
pub mod play;
pub mod receiver;
pub mod recorder;
pub mod sender;
pub mod system;
