//! Fields that most tasks never need. They are in a box, so a task without them is smaller.

use super::retries::Retries;
use super::{Core, TerminateReason};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::time::Duration;
use time::UtcDateTime;

/// Fields for retries, updates, `terminate` and removal.
#[derive(Clone, Default, Debug)]
pub(in crate::agent::driver) struct Rare {
    /// Why the controller refused a definition.
    pub(in crate::agent::driver) refusal: Option<Box<str>>,
    /// The error of the last attempt of a call that the status does not show.
    pub(in crate::agent::driver) last_error: Option<Box<str>>,
    /// Why the removal failed.
    pub(in crate::agent::driver) removal_error: Option<Box<str>>,
    /// The last line of progress of `prepare`.
    pub(in crate::agent::driver) progress: Option<Cow<'static, str>>,
    /// The time of the first `terminate`.
    pub(in crate::agent::driver) terminating: Option<UtcDateTime>,
    /// The number of retries of each call.
    pub(super) retries: Retries,
    pub(super) terminate_reason: Option<TerminateReason>,
    pub(super) update_retry_at: Option<Duration>,
    pub(super) update_deadline: Option<Duration>,
}

/// The fields of a task that needs none of them.
static NONE: Rare = Rare {
    refusal: None,
    last_error: None,
    removal_error: None,
    progress: None,
    terminating: None,
    retries: Retries::NONE,
    terminate_reason: None,
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

    /// Changes the fields if there are any. For a change that only clears something.
    pub(super) fn change_rare(&mut self, change: impl FnOnce(&mut Rare)) {
        if let Some(rare) = &mut self.rare {
            change(rare);
        }
    }
}
