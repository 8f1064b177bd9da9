//! A target that speaks TLS: a real server under an authority that nobody knows.

use super::{config, effect, executor, failed, granted, wish};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use std::sync::Arc;
use tidegate::decision::HttpRequest;
use tidegate::executor::{Again, ClientCertificate, Executor, ExecutorConfig, Outcome};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// An authority that was made a moment ago.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("signed by itself");
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Its own certificate.
    fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A certificate for this name, and its key.
    fn issue(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.issuer).expect("signed"), key)
    }

    /// The same as one PEM.
    fn issue_pem(&self, name: &str) -> String {
        let (certificate, key) = self.issue(name);
        certificate.pem() + &key.serialize_pem()
    }
}

/// A server for `localhost` that answers every request with 200 and the number of certificates it was shown.
struct TlsTarget {
    port: u16,
}

impl TlsTarget {
    /// Starts one; where `clients` is given, it asks who they are.
    async fn start(authority: &Authority, clients: Option<&Authority>) -> Self {
        let (certificate, key) = authority.issue("localhost");
        let chain: Vec<CertificateDer<'static>> = vec![certificate.into()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let builder = match clients {
            None => ServerConfig::builder().with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.certificate.der().clone()).expect("a root");
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("a verifier");
                ServerConfig::builder().with_client_cert_verifier(verifier)
            }
        };
        let acceptor =
            TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).expect("a key that fits")));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener").port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Who refuses our certificate hangs up: that is not this end's concern.
                    let Ok(mut stream) = acceptor.accept(socket).await else { return };
                    let shown = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
                    let mut request = [0; 4096];
                    let _read = stream.read(&mut request).await;
                    let answer =
                        format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\n{shown}");
                    let _written = stream.write_all(answer.as_bytes()).await;
                    let _closed = stream.shutdown().await;
                });
            }
        });
        Self { port }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/", self.port)
    }
}

#[tokio::test]
async fn an_authority_is_trusted_when_the_operator_says_so_and_not_before() {
    let (ours, another) = (Authority::new(), Authority::new());
    let target = TlsTarget::start(&ours, None).await;
    let with_roots =
        |pem: Option<String>| executor(ExecutorConfig { roots_pem: pem.map(String::into_bytes), ..config() });
    let trusted = with_roots(Some(another.pem() + &ours.pem())).perform(&effect(&target.url())).await;
    assert!(matches!(trusted.outcome, Outcome::Done { status: 200, .. }), "{trusted:?}");
    for roots in [None, Some(another.pem())] {
        let (what, again) = failed(with_roots(roots).perform(&effect(&target.url())).await);
        assert_eq!(again, Again::After(None));
        assert!(what.contains("invalid peer certificate"), "{what}");
    }
    // The right authority vouches for `localhost`, not for an address.
    let by_address = format!("https://127.0.0.1:{}/", target.port);
    let (what, _) = failed(with_roots(Some(ours.pem())).perform(&effect(&by_address)).await);
    assert!(what.contains("certificate"), "{what}");
}

#[tokio::test]
async fn a_target_that_asks_who_we_are_is_shown_our_certificate_and_no_other_target_is() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let asking = TlsTarget::start(&servers, Some(&clients)).await;
    let certificate = |port: u16| ClientCertificate {
        host: format!("localhost:{port}").parse().expect("a host"),
        pem: clients.issue_pem("tidegate").into_bytes(),
    };
    let known = |port| {
        executor(ExecutorConfig {
            roots_pem: Some(servers.pem().into_bytes()),
            client_certificates: vec![certificate(port)],
            ..config()
        })
    };
    let wanted = granted(&HttpRequest { reply_tag: Some("t".to_owned()), ..wish(&asking.url()) });
    let shown = known(asking.port).perform(&wanted).await.answer.expect("it answers");
    assert_eq!((shown.status, shown.body.as_slice()), (200, &b"1"[..]));
    failed(known(asking.port - 1).perform(&wanted).await);

    let broken = ClientCertificate { pem: b"none".to_vec(), ..certificate(1) };
    let refused = Executor::new(ExecutorConfig { client_certificates: vec![broken], ..config() });
    let error = format!("{:#}", refused.expect_err("it is no certificate"));
    assert!(error.contains("the client certificate and key for localhost:1"), "{error}");
}
