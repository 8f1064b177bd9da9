//! Serves the API, with TLS where there is a certificate, until the host stops. Knows nothing of routes.

use anyhow::Context as _;
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The longest that requests under way are waited for when the host stops.
const GRACE: Duration = Duration::from_secs(10);

/// TLS with this certificate and this key, both PEM.
///
/// # Errors
/// When a file cannot be read, or is not that.
pub async fn tls(certificate: &Path, key: &Path) -> anyhow::Result<RustlsConfig> {
    RustlsConfig::from_pem_file(certificate, key).await.with_context(|| {
        format!(
            "read {} and {} (admin.certificate_file and key_file): PEM, the chain and its key",
            certificate.display(),
            key.display()
        )
    })
}

/// Answers until it is stopped, and lets what is under way end. Cancel-safe.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<RustlsConfig>,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let handle = Handle::new();
    let server = axum_server::from_tcp(listener.into_std()?)?.handle(handle.clone());
    let service = router.into_make_service();
    let serving = async {
        match tls {
            None => server.serve(service).await,
            Some(tls) => {
                server.acceptor(axum_server::tls_rustls::RustlsAcceptor::new(tls)).serve(service).await
            }
        }
    };
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        served = &mut serving => return Ok(served?),
        // The sender is dropped only when the whole host is.
        _ = stopped.wait_for(|stop| *stop) => handle.graceful_shutdown(Some(GRACE)),
    }
    Ok(serving.await?)
}
