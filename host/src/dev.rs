//! The whole system on one machine, for development. Production uses none of this.

pub mod workerd;
