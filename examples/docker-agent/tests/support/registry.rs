//! A registry of one image, in the network of a test's engine.

use std::net::TcpListener as StdListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::engine::OwnEngine;

/// The number of pieces of a layer.
pub(crate) const PIECES: usize = 400;

/// The image `localhost:PORT/web:1`, whose program is busybox.
pub(crate) struct Registry {
    port: u16,
    content: Arc<Content>,
}

struct Content {
    manifest: Vec<u8>,
    config: Vec<u8>,
    layer: Vec<u8>,
    /// The header by which a client identifies itself, if it has to.
    authorization: Option<&'static str>,
    /// A permit for each piece of the layer that may be sent.
    pieces: Semaphore,
    layers_sent: AtomicUsize,
    layers_abandoned: AtomicUsize,
}

impl Registry {
    /// Starts a registry. The image has busybox under this name. Its layer is held back.
    pub(crate) fn start(
        engine: &OwnEngine,
        program: &str,
        authorization: Option<&'static str>,
    ) -> Self {
        let listener = engine.in_its_network(|| StdListener::bind("127.0.0.1:0").unwrap());
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let content = Arc::new(Content::new(program, authorization));
        let listener = TcpListener::from_std(listener).unwrap();
        let served = content.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(client, served.clone()));
            }
        });
        Self { port, content }
    }

    pub(crate) fn image(&self, tag: &str) -> String {
        format!("localhost:{}/web:{tag}", self.port)
    }

    /// Lets so many pieces of the layer pass.
    pub(crate) fn let_pass(&self, pieces: usize) {
        self.content.pieces.add_permits(pieces);
    }

    /// How often the engine has gone before it had all of the layer.
    pub(crate) fn layers_abandoned(&self) -> usize {
        self.content.layers_abandoned.load(Ordering::SeqCst)
    }

    /// How often the layer was asked for.
    pub(crate) fn layers_sent(&self) -> usize {
        self.content.layers_sent.load(Ordering::SeqCst)
    }
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

impl Content {
    fn new(program: &str, authorization: Option<&'static str>) -> Self {
        let busybox = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap();
        let busybox = String::from_utf8(busybox.stdout).unwrap();
        let mut tar = Command::new("tar");
        tar.args(["-h", "-cf", "-", "--transform", &format!("s,.*,{program},"), "-C", "/"]);
        let layer = tar.arg(busybox.trim().trim_start_matches('/')).output().unwrap().stdout;
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": { "Cmd": [format!("/{program}"), "1000"] },
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        });
        let config = config.to_string().into_bytes();
        let blob = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "size": bytes.len(), "digest": digest(bytes) });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": blob("application/vnd.docker.container.image.v1+json", &config),
            "layers": [blob("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        let pieces = Semaphore::new(0);
        let (layers_sent, layers_abandoned) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { manifest, config, layer, authorization, pieces, layers_sent, layers_abandoned }
    }
}

async fn serve(mut client: TcpStream, content: Arc<Content>) {
    let mut request = Vec::new();
    // An engine tries TLS first.
    let mut first = [0];
    if !matches!(client.peek(&mut first).await, Ok(1)) || first == [0x16] {
        return;
    }
    while !request.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let mut words = request.split_ascii_whitespace();
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    if content.authorization.is_some_and(|needed| !request.contains(needed)) {
        let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        let challenge = "www-authenticate: Basic realm=\"test\"\r\n";
        return answer(&mut client, method, 401, challenge, body).await;
    }
    if path == "/v2/" {
        return answer(&mut client, method, 200, "", b"{}").await;
    }
    if path.ends_with("/manifests/1") || path.ends_with(&digest(&content.manifest)) {
        let kind = "content-type: application/vnd.docker.distribution.manifest.v2+json\r\n";
        let headers = format!("{kind}docker-content-digest: {}\r\n", digest(&content.manifest));
        return answer(&mut client, method, 200, &headers, &content.manifest).await;
    }
    if path.ends_with(&digest(&content.config)) {
        return answer(&mut client, method, 200, "", &content.config).await;
    }
    if path.ends_with(&digest(&content.layer)) {
        content.layers_sent.fetch_add(1, Ordering::SeqCst);
        let head = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            content.layer.len()
        );
        _ = client.write_all(head.as_bytes()).await;
        for piece in content.layer.chunks(content.layer.len().div_ceil(PIECES)) {
            tokio::select! {
                permit = content.pieces.acquire() => permit.unwrap().forget(),
                // It says no more, so it has gone.
                _ = client.read_u8() => {
                    content.layers_abandoned.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
            if client.write_all(piece).await.is_err() {
                return;
            }
        }
        return;
    }
    let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
    answer(&mut client, method, 404, "", body).await;
}

async fn answer(client: &mut TcpStream, method: &str, status: u16, headers: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} x\r\nconnection: close\r\ndocker-distribution-api-version: registry/2.0\r\n\
         {headers}content-length: {}\r\n\r\n",
        body.len()
    );
    _ = client.write_all(head.as_bytes()).await;
    if method != "HEAD" {
        _ = client.write_all(body).await;
    }
}
