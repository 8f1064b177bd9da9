//! Where the admin API and the page listen. Knows nothing of what they answer.

use anyhow::Context as _;
use axum_server::tls_rustls::RustlsConfig;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tidegate::admin::client::Address;
use tidegate::admin::{Admin, route, serve};
use tidegate::config::Config;
use tidegate::store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Any free port of this machine.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Serves them until the host stops: where this machine's own commands find them, and all addresses.
pub(super) async fn serve<S: Store + Clone>(
    config: &Config,
    admin: Admin<S>,
    token: String,
    tasks: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<(Address, Vec<SocketAddr>)> {
    let mut listener = bind(config.admin.listen).await?;
    let mut addrs = vec![listener.local_addr()?];
    let router = route::router(admin).merge(tidegate::page::router());
    let mut spawn = |listener, tls: Option<RustlsConfig>| {
        let serving = serve::serve(listener, router.clone(), tls, stopped.clone());
        tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!("failed to serve the admin API: {error:#}");
            }
        });
    };
    if config.admin.has_tls() {
        let tls = serve::tls(&config.admin.certificate_file, &config.admin.key_file).await?;
        // The certificate is for a name that this machine's own commands do not use: they come in by the loopback.
        let local = bind(LOOPBACK).await?;
        addrs.push(local.local_addr()?);
        spawn(std::mem::replace(&mut listener, local), Some(tls));
    }
    let url = format!("http://{}", reachable(listener.local_addr()?));
    spawn(listener, None);
    Ok((Address { url, token }, addrs))
}

async fn bind(addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| format!("listen on {addr} (admin.listen)"))
}

/// An address that this machine reaches what listens there at.
fn reachable(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), addr.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), addr.port()),
        _ => addr,
    }
}
