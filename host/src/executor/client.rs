//! The HTTP clients: pools of connections over TLS, each with what it may dial and what it shows of itself. Knows nothing
//! of effects.

use super::ExecutorConfig;
use super::address::{Egress, Port};
use super::resolver::{LookUp, Resolver};
use crate::effect::HostGrant;
use anyhow::Context as _;
use reqwest::{Certificate, Client, Identity, redirect, retry};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// What the host says of itself when a plugin does not say otherwise.
const USER_AGENT: &str = concat!("Tidegate/", env!("CARGO_PKG_VERSION"));

/// What this host shows a target that asks who it is: a certificate with its chain and its key.
#[derive(Clone)]
pub struct ClientCertificate {
    /// The target.
    pub host: HostGrant,
    /// Certificate, chain and key, as PEM.
    pub pem: Vec<u8>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("host", &self.host).finish_non_exhaustive()
    }
}

/// A client for each target that asks who we are, and one for all others. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    usual: Pair,
    known: Arc<[(HostGrant, Pair)]>,
}

/// Two clients that differ in what they may dial: which one, the port says.
#[derive(Clone, Debug)]
struct Pair {
    others: Client,
    own: Client,
}

impl Clients {
    /// Clients with empty pools. The environment's proxies are not used: a proxy would dial addresses that nobody here
    /// checks.
    pub(super) fn new(config: &ExecutorConfig, egress: &Egress, look_up: &LookUp) -> anyhow::Result<Self> {
        let pair = |identity: Option<&Identity>| {
            let client = |port| {
                let resolver = Resolver { look_up: Arc::clone(look_up), egress: egress.clone(), port };
                client(config, resolver, identity)
            };
            anyhow::Ok(Pair { others: client(Port::Others)?, own: client(Port::Own)? })
        };
        let known = config.client_certificates.iter().map(|certificate| {
            let identity = Identity::from_pem(&certificate.pem)
                .with_context(|| format!("read the client certificate and key for {}", certificate.host))?;
            Ok((certificate.host.clone(), pair(Some(&identity))?))
        });
        Ok(Self { usual: pair(None)?, known: known.collect::<anyhow::Result<_>>()? })
    }

    /// The one for this URL, whose port is ours or not.
    pub(super) fn find(&self, url: &Url, port: Port) -> &Client {
        let known = self.known.iter().find(|(host, _)| host.covers(url));
        let pair = known.map_or(&self.usual, |(_, pair)| pair);
        match port {
            Port::Others => &pair.others,
            Port::Own => &pair.own,
        }
    }
}

fn client(
    config: &ExecutorConfig,
    resolver: Resolver,
    identity: Option<&Identity>,
) -> anyhow::Result<Client> {
    let mut builder = Client::builder()
        .dns_resolver(Arc::new(resolver))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .user_agent(USER_AGENT)
        .pool_max_idle_per_host(config.idle_connections_max)
        .pool_idle_timeout(Duration::from_millis(config.idle_connection_ms));
    if let Some(pem) = &config.roots_pem {
        for root in Certificate::from_pem_bundle(pem).context("read the certificates of executor.ca_file")? {
            builder = builder.add_root_certificate(root);
        }
    }
    if let Some(identity) = identity {
        builder = builder.identity(identity.clone());
    }
    builder.build().context("build the client for effects")
}
