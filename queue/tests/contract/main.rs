//! What the queue promises, tested through its handle and through its two doors.

mod bench;
mod binding;
mod dead_letter;
mod durable;
mod lease;
mod random;
mod rest;
mod retention;
