//! Pulls images. A pull runs on when the future of `prepare` is dropped, and reports progress.

use std::collections::HashMap;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::errors::Error as ClientError;
use bollard::models::{CreateImageInfo, OciPlatform};
use bollard::query_parameters::CreateImageOptions;
use bytesize::ByteSize;
use futures::StreamExt;
use onward::exec::{ControllerError, ProgressReporter};
use tokio::task::JoinHandle;

use crate::engine::Engine;
use crate::error::{failed, is_not_found, is_refusal, status};

/// A pull that is on its way. It ends if the value is dropped: then the engine notices, at its next
/// line of progress, that nobody listens.
#[derive(Debug)]
pub(crate) struct Pull(JoinHandle<Result<(), ControllerError>>);

/// An image to pull, and the credentials for it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) image: String,
    pub(crate) platform: Option<String>,
    pub(crate) credentials: Option<DockerCredentials>,
    /// Whether the pull may be tried again although the engine has answered that it failed.
    pub(crate) is_retried: bool,
}

impl Pull {
    pub(crate) fn begin(
        engine: Engine,
        request: Request,
        progress: Option<ProgressReporter>,
    ) -> Self {
        Self(tokio::spawn(pull(engine, request, progress)))
    }

    /// Waits for the end of the pull. It must not be called again after that.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the pull goes on, and it can be called again.
    pub(crate) async fn end(&mut self) -> Result<(), ControllerError> {
        (&mut self.0).await.unwrap_or_else(|error| {
            Err(ControllerError::interrupted("the pull was interrupted").with_source(error))
        })
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether the engine has the image.
pub(crate) async fn is_there(engine: &Engine, image: &str) -> Result<bool, ControllerError> {
    match engine.client().await?.inspect_image(image).await {
        Ok(_) => Ok(true),
        Err(error) if is_not_found(&error) => Ok(false),
        Err(error) => Err(failed(format!("the image {image} cannot be looked up"), error)),
    }
}

async fn pull(
    engine: Engine,
    request: Request,
    progress: Option<ProgressReporter>,
) -> Result<(), ControllerError> {
    let client = engine.client().await?;
    let Request { image, platform, credentials, is_retried } = request;
    let reference = with_tag(&image);
    let options = CreateImageOptions {
        from_image: Some(reference.clone()),
        platform: platform.clone().unwrap_or_default(),
        ..CreateImageOptions::default()
    };
    let mut pulled = client.create_image(Some(options), None, credentials.clone()).boxed();
    let mut layers = Layers::default();
    while let Some(news) = pulled.next().await {
        let news = match news {
            Ok(news) => news,
            Err(error) => {
                let is_answer = is_answer(&error);
                let refused = failed(format!("the image {image} cannot be pulled"), error);
                if is_answer && !is_retried {
                    return Err(finally(&refused));
                }
                let is_there = is_in_registry(client, &reference, platform, credentials).await;
                // An error that comes while a pull is on its way has no status.
                let is_final = is_there == Some(false) && refused.is_temporary();
                return Err(if is_final { finally(&refused) } else { refused });
            }
        };
        if let Some(progress) = &progress {
            layers.note(news);
            progress.report(layers.line(&image));
        }
    }
    Ok(())
}

/// Whether the registry has the image for the platform and gives it with these credentials. `None`
/// if that is not known.
async fn is_in_registry(
    client: &Docker,
    reference: &str,
    platform: Option<String>,
    credentials: Option<DockerCredentials>,
) -> Option<bool> {
    let there = match client.inspect_registry_image(reference, credentials).await {
        Ok(there) => there,
        Err(error) => return is_refusal(status(&error)?).then_some(false),
    };
    let wanted = if let Some(platform) = platform {
        platform
    } else {
        let engine = client.version().await.ok()?;
        format!("{}/{}", engine.os?, engine.arch?)
    };
    let mut wanted = wanted.split('/');
    let (os, architecture) = (wanted.next(), wanted.next());
    let is_it = |platform: &OciPlatform| {
        platform.os.as_deref() == os && platform.architecture.as_deref() == architecture
    };
    (!there.platforms.is_empty()).then(|| there.platforms.iter().any(is_it))
}

/// Whether the engine has answered that the pull failed. Otherwise nothing is known about the image.
fn is_answer(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::DockerResponseServerError { .. } | ClientError::DockerStreamError { .. }
    )
}

/// The same error as one that ends the task.
fn finally(error: &ControllerError) -> ControllerError {
    ControllerError::new(format!("{error:#}"))
}

/// Without a tag and a digest, the engine would pull every tag of the image.
fn with_tag(image: &str) -> String {
    let name = image.rsplit_once('/').map_or(image, |(_, name)| name);
    if name.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

/// How far the layers of an image are, by their ids.
#[derive(Debug, Default)]
struct Layers(HashMap<String, (u64, u64)>);

impl Layers {
    fn note(&mut self, news: CreateImageInfo) {
        let (Some(id), Some(detail)) = (news.id, news.progress_detail) else { return };
        let (Some(current), Some(total)) = (detail.current, detail.total) else { return };
        let bytes = |number: i64| u64::try_from(number).unwrap_or(0);
        self.0.insert(id, (bytes(current), bytes(total)));
    }

    fn line(&self, image: &str) -> String {
        let (current, total) = self.0.values().fold((0_u64, 0_u64), |sum, layer| {
            (sum.0.saturating_add(layer.0), sum.1.saturating_add(layer.1))
        });
        match self.0.len() {
            0 => format!("pulling {image}"),
            layers => format!(
                "pulling {image}: {} of {} in {layers} layers",
                ByteSize(current),
                ByteSize(total)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    #[test]
    fn an_image_without_a_tag_is_the_latest() {
        for (image, expected) in [
            ("alpine", "alpine:latest"),
            ("host:5000/alpine", "host:5000/alpine:latest"),
            ("alpine:3", "alpine:3"),
            ("host:5000/alpine@sha256:0", "host:5000/alpine@sha256:0"),
        ] {
            assert_eq!(with_tag(image), expected);
        }
    }

    #[test]
    fn progress_counts_the_bytes_of_all_layers() {
        let mut layers = Layers::default();
        assert_eq!(layers.line("x"), "pulling x");
        for (id, current) in [("a", 1024), ("b", 1024), ("a", 2048)] {
            let detail = ProgressDetail { current: Some(current), total: Some(4096) };
            let news = CreateImageInfo {
                id: Some(id.to_owned()),
                progress_detail: Some(detail),
                ..CreateImageInfo::default()
            };
            layers.note(news);
        }
        assert_eq!(layers.line("x"), "pulling x: 3.0 KiB of 8.0 KiB in 2 layers");
    }
}
