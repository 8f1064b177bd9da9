//! Tells the service manager how a host is: one datagram, as systemd documents it
//! (<https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>). Without one that listens it does nothing.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The host is at work.
pub(crate) const READY: &str = "READY=1\nSTATUS=at work";
/// The host has nothing to do while another is at work: that may be so for ever, and is no slow start.
pub(crate) const STANDING_BY: &str = "READY=1\nSTATUS=standing by or at work";
/// The host finishes what was pulled.
pub(crate) const STOPPING: &str = "STOPPING=1\nSTATUS=finishing what was pulled";

/// Tells it. That it could not be told keeps no host from working.
pub(crate) fn tell(state: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = || {
        let name = name.as_encoded_bytes();
        let addr = match name.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(std::path::Path::new(OsStr::from_bytes(name)))?,
        };
        UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &addr)
    };
    if let Err(error) = told() {
        tracing::warn!("failed to tell the service manager how the host is: {error}");
    }
}
