//! Looks names up for the client, and gives out only addresses that may be dialled: what it leaves out, the client
//! cannot connect to, whatever the name says a moment later. Called once for each connection that is made.

use super::address::{Egress, Port};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

/// The addresses of a name as something says them, to be checked.
pub(super) type LookedUp = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
/// What says them.
pub(super) type LookUp = Arc<dyn Fn(&str) -> LookedUp + Send + Sync>;

/// As this machine's system does it.
pub(super) fn by_the_system(name: &str) -> LookedUp {
    let name = name.to_owned();
    Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
}

/// Gives out what may be dialled on one kind of port: the client adds the port when it dials.
pub(super) struct Resolver {
    pub(super) look_up: LookUp,
    pub(super) egress: Egress,
    pub(super) port: Port,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.look_up)(name.as_str());
        let (egress, port) = (self.egress.clone(), self.port);
        Box::pin(async move {
            let found = found.await?;
            if found.is_empty() {
                // It may have one later.
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            let dialable = egress.keep_dialable(name.as_str(), found, port)?;
            let addresses: Addrs = Box::new(dialable.into_iter());
            Ok(addresses)
        })
    }
}
