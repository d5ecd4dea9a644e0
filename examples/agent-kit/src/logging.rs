//! The subscribers of `tracing` events: the log on standard error, and what is served over HTTP.

use std::io;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::metrics::{Events, Recorded};

/// Installs a log on standard error if `RUST_LOG` is set, and a recorder of events if there is
/// HTTP. Returns whether there is a log.
pub fn start(recorded: Option<&Recorded>) -> bool {
    // Each layer has its own filter.
    let log = EnvFilter::try_from_default_env().ok().map(|filter| {
        let log = fmt::layer().with_writer(io::stderr);
        // Otherwise the layer reports write errors with `eprintln`, which can panic.
        log.log_internal_errors(false).with_filter(filter).boxed()
    });
    let is_logged = log.is_some();
    let events = recorded.map(|recorded| Events::layer(recorded.clone()).boxed());
    let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> =
        log.into_iter().chain(events).collect();
    if layers.is_empty() {
        return false;
    }
    tracing_subscriber::registry().with(layers).try_init().is_ok() && is_logged
}
