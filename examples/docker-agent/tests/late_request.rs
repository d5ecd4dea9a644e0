//! A request that the engine gets after its operation was dropped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use docker_agent::engine::Engine;
use docker_agent::executor::DockerExecutor;
use onward::Assignment;
use onward::exec::{Controller as _, Executor as _};
use support::engine::engine;
use support::life::{PATIENCE, shell};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Holds back the requests that create a container, and passes on all others.
struct Proxy {
    dir: TempDir,
    held: Arc<Semaphore>,
    released: Arc<Semaphore>,
}

impl Proxy {
    fn start(engine: PathBuf) -> Self {
        let dir = TempDir::new().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let (held, released) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let proxy = Self { dir, held: held.clone(), released: released.clone() };
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass_on(client, engine.clone(), held.clone(), released.clone()));
            }
        });
        proxy
    }

    fn engine(&self) -> Engine {
        Engine::new(format!("unix://{}/socket", self.dir.path().display()))
    }
}

/// As an engine does, it goes on with a request whose client has gone.
async fn pass_on(
    client: UnixStream,
    engine: PathBuf,
    held: Arc<Semaphore>,
    released: Arc<Semaphore>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let mut request = vec![0; 64 * 1024];
    let Ok(read) = from_client.read(&mut request).await else { return };
    request.truncate(read);
    if String::from_utf8_lossy(&request).contains("/containers/create") {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_created_late_is_removed_with_its_task() {
    let test = "a_container_that_is_created_late_is_removed_with_its_task";
    let Some(real) = engine(test) else { return };
    let Some(socket) = real.host().strip_prefix("unix://") else { return };
    let proxy = Proxy::start(socket.into());
    let executor = DockerExecutor::new(proxy.engine(), "late");
    let assignment = Assignment::new("late", shell("exit 0"));
    let mut controller = executor.controller(&assignment).await.unwrap();
    tokio::select! {
        prepared = controller.prepare() => panic!("it was not held: {prepared:?}"),
        held = timeout(PATIENCE, proxy.held.acquire()) => held.unwrap().unwrap().forget(),
    }
    // The operation was dropped, and its request is on its way.
    let removing = async {
        let mut removing = std::pin::pin!(controller.remove());
        // It waits for the request, or has ended before it.
        let early = timeout(Duration::from_millis(500), &mut removing).await;
        proxy.released.add_permits(1);
        match early {
            Ok(removed) => removed,
            Err(_) => removing.await,
        }
    };
    timeout(PATIENCE, removing).await.expect("the task is not removed").unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let left = DockerExecutor::new(real, "late").list().await.unwrap();
    assert_eq!(left, [""; 0], "a container was created after its task was removed");
}
