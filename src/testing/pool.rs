//! `VirtualPool`: a runtime in virtual time.

use super::time::{Turn, VirtualTime};
use crate::agent::Runtime;
use crate::agent::runtime::SpawnError;
use crate::exec::WallClock;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::task::Wake;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use futures::future::BoxFuture;
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::UtcDateTime;

/// A single-threaded runtime in virtual time.
///
/// It polls one future at a time, in an order that depends on a seed. Time advances only
/// when no future can be polled. Clones are the same pool.
///
/// ```
/// use core::time::Duration;
/// use onward::agent::Runtime;
/// use onward::testing::{VirtualPool, VirtualTime};
///
/// let pool = VirtualPool::new(VirtualTime::new(), 7);
/// let hour = Duration::from_secs(3600);
/// assert_eq!(pool.run_until(async { pool.sleep_until(hour).await; pool.now() }), Some(hour));
/// ```
#[derive(Clone)]
pub struct VirtualPool {
    time: VirtualTime,
    tasks: Arc<Mutex<Tasks>>,
    ready: Arc<Ready>,
}

struct Tasks {
    /// The futures. `None` while a future is polled.
    list: BTreeMap<u64, Option<BoxFuture<'static, ()>>>,
    count: u64,
    seed: u64,
}

/// The futures that were woken and not polled since.
type Ready = Mutex<Vec<Arc<Woken>>>;

#[derive(Debug)]
struct Woken {
    number: u64,
    ready: Weak<Ready>,
    is_ready: AtomicBool,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::Relaxed)
            && let Some(ready) = self.ready.upgrade()
        {
            lock(&ready).push(self);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for VirtualPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualPool").field("time", &self.time).finish_non_exhaustive()
    }
}

impl VirtualPool {
    /// An empty pool with this time and this seed.
    pub fn new(time: VirtualTime, seed: u64) -> Self {
        let tasks = Tasks { list: BTreeMap::new(), count: 0, seed };
        Self { time, tasks: Arc::new(Mutex::new(tasks)), ready: Arc::default() }
    }

    /// The virtual time of the pool.
    pub fn time(&self) -> &VirtualTime {
        &self.time
    }

    /// Runs the spawned futures until none can continue.
    pub fn run(&self) {
        _ = self.run_until(core::future::pending::<()>());
    }

    /// Runs a future and the spawned ones until it returns. `None` if it can never return.
    pub fn run_until<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let main = Arc::new(Woken { number: 0, ready: Weak::new(), is_ready: true.into() });
        let waker = Waker::from(Arc::clone(&main));
        loop {
            if main.is_ready.swap(false, Ordering::Relaxed) {
                let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
                if let Poll::Ready(output) = poll {
                    return Some(output);
                }
            }
            let is_idle = !self.poll_one() && !main.is_ready.load(Ordering::Relaxed);
            if is_idle && !self.time.advance() {
                return None;
            }
        }
    }

    /// Drops all spawned futures, like a crash of the process.
    pub fn crash(&self) {
        // Not under the lock, because a dropped future may spawn another one.
        let tasks = mem::take(&mut lock(&self.tasks).list);
        drop(tasks);
    }

    /// Polls one woken future. Returns whether there was one.
    fn poll_one(&self) -> bool {
        let Some(woken) = self.take() else { return false };
        woken.is_ready.store(false, Ordering::Relaxed);
        let number = woken.number;
        // The future may have ended already.
        let future = lock(&self.tasks).list.get_mut(&number).and_then(Option::take);
        let Some(mut future) = future else { return true };
        let waker = Waker::from(woken);
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut tasks = lock(&self.tasks);
        match tasks.list.get_mut(&number) {
            Some(place) if poll.is_pending() => *place = Some(future),
            _ => {
                tasks.list.remove(&number);
                drop(tasks);
                drop(future);
            }
        }
        true
    }

    /// Takes one of the woken futures, chosen by the seed.
    fn take(&self) -> Option<Arc<Woken>> {
        let mut tasks = lock(&self.tasks);
        let mut ready = lock(&self.ready);
        tasks.seed = tasks.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let index = usize::try_from(tasks.seed >> 33).unwrap_or(0).checked_rem(ready.len())?;
        Some(ready.swap_remove(index))
    }
}

impl Runtime for VirtualPool {
    fn now(&self) -> Duration {
        self.time.now()
    }

    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.time.sleep_until(moment, Turn::Timer))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        let mut tasks = lock(&self.tasks);
        tasks.count += 1;
        let number = tasks.count;
        tasks.list.insert(number, Some(future));
        drop(tasks);
        let ready = Arc::downgrade(&self.ready);
        Arc::new(Woken { number, ready, is_ready: false.into() }).wake();
        Ok(())
    }

    /// The start of virtual time is midnight on 1 January 2000 UTC.
    fn utc_now(&self) -> UtcDateTime {
        const DAYS: i64 = 10_957;
        self.time.clock(UtcDateTime::UNIX_EPOCH + time::Duration::days(DAYS)).now()
    }
}
