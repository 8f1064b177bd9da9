//! The built Worker under workerd: what comes in, what the sender is told, what is durable then.

mod alarm;
mod body;
mod config;
mod hedge;
mod host;
mod keep;
mod signed;
mod stage;
mod tally;
mod trap;
