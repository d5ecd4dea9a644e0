//! Events of the engine: they wake operations that wait for a container.
//!
//! An event is a hint and no more. Events get lost, so a waiting operation also looks now and
//! then, and only the inspection of the container counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::query_parameters::EventsOptions;
use futures::StreamExt;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::engine::Engine;
use crate::labels;

/// The time after which a waiting operation looks without an event.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// The time between two tries to read the events.
const PAUSE: Duration = Duration::from_millis(500);

/// The events after which a container may be in another state.
const EVENTS: [&str; 5] = ["start", "die", "destroy", "health_status", "unpause"];

/// The events of an agent's containers. They are read while the value exists.
#[derive(Debug)]
pub(crate) struct Events {
    subscribers: Arc<Subscribers>,
    reader: Mutex<Option<AbortHandle>>,
    engine: Engine,
    agent: String,
}

/// The operations that wait, by task. The number counts events.
#[derive(Debug, Default)]
struct Subscribers(Mutex<HashMap<String, watch::Sender<u64>>>);

impl Events {
    pub(crate) fn new(engine: Engine, agent: String) -> Self {
        let (subscribers, reader) = (Arc::default(), Mutex::default());
        Self { subscribers, reader, engine, agent }
    }

    /// Subscribes to the events of a task's container that come from now on.
    pub(crate) fn subscribe(&self, task: &str) -> Subscription {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if reader.as_ref().is_none_or(AbortHandle::is_finished) {
            let reading =
                read(self.engine.clone(), self.agent.clone(), Arc::clone(&self.subscribers));
            *reader = Some(tokio::spawn(reading).abort_handle());
        }
        self.subscribers.subscribe(task)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let reader = self.reader.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = reader {
            reader.abort();
        }
    }
}

/// Tells when there may be something new about a container.
#[derive(Debug)]
pub(crate) struct Subscription(watch::Receiver<u64>);

impl Subscription {
    /// Waits for an event since the last call, but not longer than some seconds.
    pub(crate) async fn changed(&mut self) {
        _ = timeout(LOOK_AGAIN, async {
            if self.0.changed().await.is_err() {
                // The reader has ended.
                std::future::pending::<()>().await;
            }
        })
        .await;
    }
}

impl Subscribers {
    fn subscribe(&self, task: &str) -> Subscription {
        let mut subscribers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|_, sender| !sender.is_closed());
        let sender = subscribers.entry(task.to_owned()).or_insert_with(|| watch::Sender::new(0));
        Subscription(sender.subscribe())
    }

    /// Wakes the operations of one task, or of all.
    fn wake(&self, task: Option<&str>) {
        let subscribers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = subscribers.iter().filter(|(name, _)| task.is_none_or(|task| task == *name));
        for (_, sender) in woken {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

/// Reads events until the future is dropped.
async fn read(engine: Engine, agent: String, subscribers: Arc<Subscribers>) {
    let mut filters = labels::filter(labels::AGENT, &agent);
    filters.insert("type".to_owned(), vec!["container".to_owned()]);
    filters.insert("event".to_owned(), EVENTS.map(str::to_owned).to_vec());
    loop {
        if let (Ok(()), Ok(client)) = (engine.renegotiate().await, engine.client().await) {
            // With the last ones that the engine has kept, for a change since the
            // operation has looked and before the engine reads this.
            let options = EventsOptions {
                since: Some("1".to_owned()),
                until: None,
                filters: Some(filters.clone()),
            };
            let mut events = client.events(Some(options)).boxed();
            while let Some(Ok(event)) = events.next().await {
                let attributes = event.actor.and_then(|actor| actor.attributes).unwrap_or_default();
                if let Some(task) = attributes.get(labels::TASK) {
                    subscribers.wake(Some(task));
                }
            }
        }
        // The engine has gone. Operations that wait must see that.
        subscribers.wake(None);
        sleep(PAUSE).await;
    }
}
