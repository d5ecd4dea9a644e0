//! A controller that notes what is called.

use onward::exec::{Controller, ControllerError, Inspection};
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Notes what is called; one operation hangs, one fails for now, the others do
/// nothing.
#[derive(Clone, Default)]
pub(crate) struct Noting {
    pub(crate) hangs: &'static str,
    pub(crate) fails: &'static str,
    /// Set as soon as it hangs.
    pub(crate) waits: Arc<AtomicBool>,
    pub(crate) calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Noting {
    async fn call(&self, name: &'static str) -> Result<(), ControllerError> {
        self.calls.lock().unwrap().push(name);
        if name == self.hangs {
            self.waits.store(true, Ordering::Release);
            pending::<()>().await;
        }
        if name == self.fails { Err(ControllerError::new("busy").temporary()) } else { Ok(()) }
    }

    pub(crate) fn last(&self) -> Option<&'static str> {
        self.calls.lock().unwrap().last().copied()
    }
}

impl Controller for Noting {
    type Definition = ();

    async fn update(&mut self, (): &()) -> Result<(), ControllerError> {
        self.call("update").await
    }
    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.call("prepare").await
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        self.call("start").await
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.call("wait").await
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.call("shutdown").await
    }
    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.call("remove").await
    }
    async fn inspect(&mut self) -> Inspection {
        _ = self.call("inspect").await;
        Inspection::default()
    }
}
