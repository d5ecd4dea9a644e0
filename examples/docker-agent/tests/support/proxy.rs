//! A proxy before an engine that holds back some requests.

use std::path::PathBuf;
use std::sync::Arc;

use docker_agent::engine::Engine;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// Holds back the requests for one path, and passes on all others.
pub(crate) struct Proxy {
    dir: TempDir,
    /// Has a permit for each request that is held back.
    pub(crate) held: Arc<Semaphore>,
    /// A permit lets one of them pass.
    pub(crate) released: Arc<Semaphore>,
}

impl Proxy {
    /// Starts a proxy before the engine at this socket.
    pub(crate) fn start(engine: PathBuf, path: &'static str) -> Self {
        let dir = TempDir::new().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let (held, released) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let proxy = Self { dir, held: held.clone(), released: released.clone() };
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass_on(client, engine.clone(), path, held.clone(), released.clone()));
            }
        });
        proxy
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::new(format!("unix://{}/socket", self.dir.path().display()))
    }
}

/// As an engine does, it goes on with a request whose client has gone.
async fn pass_on(
    client: UnixStream,
    engine: PathBuf,
    path: &str,
    held: Arc<Semaphore>,
    released: Arc<Semaphore>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let mut request = vec![0; 64 * 1024];
    let Ok(read) = from_client.read(&mut request).await else { return };
    request.truncate(read);
    if String::from_utf8_lossy(&request).contains(path) {
        held.add_permits(1);
        released.acquire().await.unwrap().forget();
    }
    let (mut from_engine, mut to_engine) = UnixStream::connect(engine).await.unwrap().into_split();
    to_engine.write_all(&request).await.unwrap();
    let sending =
        tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_engine).await });
    _ = tokio::io::copy(&mut from_engine, &mut to_client).await;
    sending.abort();
}
