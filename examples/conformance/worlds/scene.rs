//! The state that the executor, the store and the listeners of one agent share.

use super::input::{self, Call, Commit, World};
use super::place::Place;
use super::trace::Trace;
use onward::testing::{Turn, VirtualTime};
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One agent's part of a world. Clones are the same part.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) world: Arc<World>,
    pub(crate) time: VirtualTime,
    trace: Trace,
    place: Arc<Mutex<Place>>,
    /// How often each operation was called by this agent.
    counts: Arc<Mutex<BTreeMap<[String; 3], usize>>>,
    is_dead: Arc<AtomicBool>,
}

impl Scene {
    pub(crate) fn new(world: Arc<World>, time: VirtualTime) -> Self {
        let place = Arc::new(Mutex::new(Place::with(&world.found.strays)));
        let trace = Trace::new(time.clone());
        Self { world, time, trace, place, counts: Arc::default(), is_dead: Arc::default() }
    }

    /// The same world for the next agent. Its calls are counted from zero.
    pub(crate) fn again(&self) -> Self {
        Self { counts: Arc::default(), is_dead: Arc::default(), ..self.clone() }
    }

    /// From now on nothing of this agent gets into the trace.
    pub(crate) fn die(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    pub(crate) fn put(&self, event: &str, fields: Value) {
        if !self.is_dead() {
            self.trace.put(event, fields);
        }
    }

    /// The whole trace, of all agents.
    pub(crate) fn take(&self) -> Vec<Value> {
        self.trace.take()
    }

    pub(crate) fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next call of an operation with a definition.
    pub(crate) fn call(&self, operation: &str, id: &str, definition: &str) -> Call {
        let n = self.count(operation, id, definition);
        let found = &self.world.found;
        let call = match operation {
            "found" => input::nth(&found.calls, n),
            "reconcile" => found.reconcile.get(id).and_then(|calls| input::nth(calls, n)),
            _ => self.world.definitions.get(definition).map(|calls| calls.call(operation, n)),
        };
        call.unwrap_or_else(Call::at_once)
    }

    fn count(&self, operation: &str, id: &str, definition: &str) -> usize {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = [operation, id, definition].map(str::to_owned);
        let count = counts.entry(key).or_default();
        *count += 1;
        *count - 1
    }

    pub(crate) fn commit(&self, number: usize) -> Commit {
        input::commit(&self.world, self.trace.now(), number)
    }

    /// Waits for as long as a call takes.
    pub(crate) async fn pass(&self, takes_ms: Option<u64>) {
        let Some(takes_ms) = takes_ms else { return pending().await };
        let until = self.time.now().saturating_add(Duration::from_millis(takes_ms));
        self.time.sleep_until(until, Turn::Controller).await;
    }
}
