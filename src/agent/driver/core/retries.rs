//! The number of retries of each call.

use super::Call;
use crate::lifecycle::Operation;
use core::mem;

/// The number of successive retries of each call.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Retries([u16; 8]);

impl Retries {
    /// No retries.
    pub(super) const NONE: Self = Self([0; 8]);

    /// The index of a call. None if the call is never retried.
    fn place(call: Call) -> Option<usize> {
        Some(match call {
            Call::Operate(Operation::Prepare) => 0,
            Call::Operate(Operation::Start) => 1,
            Call::Operate(Operation::Wait) => 2,
            Call::Operate(Operation::Shutdown) => 3,
            Call::Operate(Operation::Terminate) => 4,
            Call::Update => 5,
            Call::Remove => 6,
            Call::Controller => 7,
            Call::Inspect | Call::Close => return None,
        })
    }

    pub(super) fn of(&self, call: Call) -> Option<u16> {
        self.0.get(Self::place(call)?).copied()
    }

    /// Counts a retry, or starts the count again. Returns the count before.
    pub(super) fn count(&mut self, call: Call, again: bool) -> Option<u16> {
        let retries = self.0.get_mut(Self::place(call)?)?;
        Some(mem::replace(retries, if again { retries.saturating_add(1) } else { 0 }))
    }
}
