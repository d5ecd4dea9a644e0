//! What most tasks never have: it takes no place in theirs.

use super::retries::Retries;
use super::{Core, LastResort};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::time::Duration;
use time::UtcDateTime;

/// What a task has that is retried late, updated, ended by force or removed.
#[derive(Clone, Default, Debug)]
pub(in crate::agent::driver) struct Rare {
    /// What the controller said when it refused a definition.
    pub(in crate::agent::driver) refusal: Option<Box<str>>,
    /// The error of the last attempt of a call that the status does not tell of.
    pub(in crate::agent::driver) last_error: Option<Box<str>>,
    /// What the removal failed with.
    pub(in crate::agent::driver) removal_error: Option<Box<str>>,
    /// A line of progress of the operation in flight.
    pub(in crate::agent::driver) progress: Option<Cow<'static, str>>,
    /// Since when the workload is being ended by force.
    pub(in crate::agent::driver) terminating: Option<UtcDateTime>,
    /// How often each call has been tried again.
    pub(super) retries: Retries,
    pub(super) last_resort: Option<LastResort>,
    pub(super) update_retry_at: Option<Duration>,
    pub(super) update_deadline: Option<Duration>,
}

/// What a task without any of it has.
static NONE: Rare = Rare {
    refusal: None,
    last_error: None,
    removal_error: None,
    progress: None,
    terminating: None,
    retries: Retries::NONE,
    last_resort: None,
    update_retry_at: None,
    update_deadline: None,
};

impl Core {
    pub(in crate::agent::driver) fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NONE)
    }

    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Takes something away, where there is something.
    pub(super) fn ease(&mut self, change: impl FnOnce(&mut Rare)) {
        if let Some(rare) = &mut self.rare {
            change(rare);
        }
    }
}
