//! The host: pulls events from the queue, asks plugins in a sandbox, records what they decide, carries it out.
//!
//! `ARCHITECTURE.md` is the map. The story of one batch is [`pipeline::Pipeline::process`].

pub mod account;
pub mod admin;
pub mod alert;
pub mod arrival;
pub mod change;
pub mod config;
pub mod decision;
pub mod deploy;
pub mod dev;
pub mod echo;
pub mod edge;
pub mod effect;
pub mod event;
pub mod executor;
pub mod fault;
pub mod finding;
pub mod heard;
pub mod limits;
pub mod log;
pub mod metric;
pub mod outbox;
pub mod pipeline;
pub mod plan;
pub mod plugin;
pub mod poll;
pub mod pump;
pub mod queue;
pub mod read;
pub mod recent;
pub mod registry;
pub mod retry;
pub mod revisit;
pub mod rhythm;
pub mod sandbox;
pub mod scan;
pub mod store;
pub mod subject;
pub mod subjects;
pub mod target;
pub mod upcoming;
pub mod vigil;
pub mod watch;
pub mod workbench;
