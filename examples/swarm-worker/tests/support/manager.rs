//! A fake manager: a gRPC server for what a real manager does not do on demand.

use std::net::Ipv4Addr;
use std::sync::Arc;

use futures::stream;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use swarm_worker::connection::Address;
use swarm_worker::wire::ca_server::CaServer;
use swarm_worker::wire::node_ca_server::NodeCaServer;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::Request;
use tonic::service::Routes;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::authority::{Authority, Server, USUAL};
use super::ca::{Ca, CaService};

/// A server on a port of its own, with threads of its own. It and all its connections end when it
/// is dropped.
#[derive(Debug)]
pub(crate) struct FakeManager {
    pub(crate) address: Address,
    runtime: Option<Runtime>,
}

impl FakeManager {
    /// Starts a manager with the authority's part only.
    pub(crate) fn start(authority: &Authority, ca: &Arc<Ca>) -> Self {
        Self::start_as(authority, authority.manager(USUAL), ca_routes(ca))
    }

    /// Starts a server with these services. It accepts clients with a certificate of the authority,
    /// and those without one.
    pub(crate) fn start_as(authority: &Authority, server: Server, routes: Routes) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .allow_unauthenticated()
                .build()
                .unwrap();
        // No ALPN, like a manager that has renewed its certificate.
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(server.chain, server.key)
            .unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        runtime.spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), routes));
        Self { address, runtime: Some(runtime) }
    }
}

impl Drop for FakeManager {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The services of the authority's part.
pub(crate) fn ca_routes(ca: &Arc<Ca>) -> Routes {
    let service = CaService(ca.clone());
    Routes::new(CaServer::new(service.clone())).add_service(NodeCaServer::new(service))
}

/// The id of the node that makes a call, by its certificate.
pub(crate) fn peer<T>(request: &Request<T>) -> Option<String> {
    let info = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>()?;
    let certificates = info.peer_certs()?;
    let (_, certificate) = X509Certificate::from_der(certificates.first()?).unwrap();
    let name = certificate.subject().iter_common_name().next()?.as_str().unwrap().to_owned();
    Some(name)
}

async fn serve(listener: std::net::TcpListener, acceptor: TlsAcceptor, routes: Routes) {
    let listener = TcpListener::from_std(listener).unwrap();
    let (accepted, connections) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
            tokio::spawn(async move {
                // A client that does not trust the server goes away.
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = accepted.send(stream).await;
                }
            });
        }
    });
    let connections = stream::unfold(connections, |mut connections| async {
        let next: TlsStream<TcpStream> = connections.recv().await?;
        Some((Ok::<_, std::io::Error>(next), connections))
    });
    tonic::transport::Server::builder()
        .add_routes(routes)
        .serve_with_incoming(connections)
        .await
        .unwrap();
}
