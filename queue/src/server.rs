//! Both doors of the queue, opened together: REST for consumers, the binding protocol for Workers. Knows nothing
//! of either's rules.

use crate::behavior::Behavior;
use crate::engine::{Queues, system_clock};
use crate::fault::QueueError;
use crate::id::QueueId;
use crate::schema::OpenError;
use crate::{binding, limit, rest};
use axum::Router;
use axum::serve::ListenerExt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What a server is made of. Not `Debug`: it holds the token.
#[derive(Clone)]
pub struct ServeOptions {
    /// The directory that holds everything; made if it is missing.
    pub data_dir: PathBuf,
    /// Where the REST contract is served. Port 0 takes any free port.
    pub rest_addr: SocketAddr,
    /// Where the binding protocol is served. It asks for no credentials: keep it on the loopback address.
    pub binding_addr: SocketAddr,
    /// The account id in the paths.
    pub account_id: String,
    /// The bearer token of the REST contract.
    pub token: String,
    /// The switches.
    pub behavior: Behavior,
    /// Queues that are to exist, each with a pull consumer. The first one takes the messages of bindings that name
    /// no queue.
    pub queues: Vec<String>,
}

/// Why a server did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The directory cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A queue that is to exist cannot be made.
    #[error("make the queue `{name}`")]
    Queue {
        /// Its name.
        name: String,
        /// Why.
        source: QueueError,
    },
    /// An address cannot be listened on.
    #[error("listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Accepting connections failed.
    #[error("serve the queue")]
    Serve(#[from] io::Error),
}

/// A server that listens but does not serve yet. Connections made meanwhile wait.
pub struct Server {
    /// Where the REST contract is served.
    pub rest_addr: SocketAddr,
    /// Where the binding protocol is served.
    pub binding_addr: SocketAddr,
    /// The queues, for callers in this process.
    pub queues: Queues,
    rest: (TcpListener, Router),
    binding: (TcpListener, Router),
    closing: watch::Sender<bool>,
}

impl Server {
    /// Opens the directory, makes the queues that are to exist, and listens. Not cancel-safe.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bind(options: ServeOptions) -> Result<Self, ServeError> {
        let queues = Queues::open(&options.data_dir, options.behavior, system_clock())?;
        for name in &options.queues {
            let made = queues.ensure_queue(name).await;
            made.map_err(|source| ServeError::Queue { name: name.clone(), source })?;
        }
        let (rest_listener, rest_addr) = listen(options.rest_addr).await?;
        let (binding_listener, binding_addr) = listen(options.binding_addr).await?;
        let (closing, is_closing) = watch::channel(false);
        let rest = rest::Rest::new(queues.clone(), &options.account_id, &options.token, is_closing);
        let default_queue = options.queues.first().map(String::as_str);
        Ok(Self {
            rest_addr,
            binding_addr,
            rest: (rest_listener, rest::router(rest)),
            binding: (binding_listener, binding::router(queues.clone(), default_queue)),
            queues,
            closing,
        })
    }

    /// What SDKs are given as their base URL.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/client/v4", self.rest_addr)
    }

    /// The queue of this name, made with a pull consumer if it is missing. Not cancel-safe, but may be called
    /// again.
    ///
    /// # Errors
    /// When the name is unfit, or storage failed.
    pub async fn ensure_queue(&self, name: &str) -> Result<QueueId, QueueError> {
        self.queues.ensure_queue(name).await
    }

    /// Serves until `shutdown` resolves; then takes no more requests, lets held pulls go, and gives those under way
    /// [`limit::DRAIN_TIME`] to end. Cancel-safe in that a dropped call closes everything at once.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let closing = self.closing;
        let (rest, binding) = (self.rest, self.binding);
        let rest = serve(rest, closing.subscribe());
        let binding = serve(binding, closing.subscribe());
        let both = async { tokio::try_join!(rest, binding) };
        tokio::pin!(both);
        tokio::select! {
            served = &mut both => drop(served?),
            () = shutdown => {
                closing.send_replace(true);
                match tokio::time::timeout(limit::DRAIN_TIME, both).await {
                    Ok(served) => drop(served?),
                    Err(_elapsed) => tracing::warn!("requests to the queue did not end in time: cut off"),
                }
            }
        }
        Ok(())
    }
}

async fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn serve(
    (listener, router): (TcpListener, Router),
    mut closing: watch::Receiver<bool>,
) -> io::Result<()> {
    // An answer is one small write: it must not wait for the one before to be confirmed.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("failed to set TCP_NODELAY: {error}");
        }
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            // A sender that is gone closes too.
            drop(closing.wait_for(|closing| *closing).await);
        })
        .await
}
