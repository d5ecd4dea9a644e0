//! The same lives in a loop over their events. Each machine is called in one place, so that the
//! compiler can inline it. The compiler does not know the events.
#![allow(dead_code, unreachable_pub)] // the whole machine is there, as a crate would have it
#![allow(clippy::duplicate_mod, reason = "the same machine, called elsewhere")]
#![allow(clippy::wildcard_enum_match_arm)] // what has no edge is refused

#[path = "../../machines/plain.rs"]
mod plain;
#[path = "../../machines/writing.rs"]
mod record;
#[path = "../../machines/rust_fsm.rs"]
mod rust_fsm;
#[path = "../../machines/smlang.rs"]
mod smlang;
#[path = "../../machines/statig.rs"]
mod statig;
#[path = "../../machines/statum.rs"]
mod statum;

use crate::workload::loops;
use record::{At, Record};
use std::hint::black_box;
use std::mem;
use std::time::Duration;

pub(crate) fn nothing(n: u64, live: bool) -> Duration {
    let fresh = || ((), events!(plain::Event));
    loops(n, live, fresh, |(), event| _ = black_box(event))
}

pub(crate) fn plain(n: u64, live: bool) -> Duration {
    let at = black_box(At::UNIX_EPOCH);
    let fresh = || (plain::Task::new(), events!(plain::Event));
    loops(n, live, fresh, |task, event| _ = task.apply(event, at))
}

pub(crate) fn statig(n: u64, live: bool) -> Duration {
    use ::statig::blocking::IntoStateMachineExt as _;

    let at = black_box(At::UNIX_EPOCH);
    let fresh = || {
        let task = statig::Task::default().uninitialized_state_machine().init();
        (task, events!(statig::Event(at)))
    };
    loops(n, live, fresh, |task, event| task.handle(&event))
}

pub(crate) fn rust_fsm(n: u64, live: bool) -> Duration {
    let at = black_box(At::UNIX_EPOCH);
    let fresh = || (rust_fsm::Task::new(), events!(rust_fsm::Input));
    loops(n, live, fresh, |task, event| _ = task.apply(event, at))
}

pub(crate) fn smlang(n: u64, live: bool) -> Duration {
    let at = black_box(At::UNIX_EPOCH);
    let fresh = || (smlang::Task::new(Record::default()), events!(smlang::Events(at)));
    loops(n, live, fresh, |task, event| _ = task.process_event(event).is_ok())
}

pub(crate) fn statum(n: u64, live: bool) -> Duration {
    use statum::{AnyTask, New, Task};

    let at = black_box(At::UNIX_EPOCH);
    let fresh = || {
        (
            Some(AnyTask::New(Task::<New>::builder().record(Box::default()).build())),
            events!(plain::Event),
        )
    };
    loops(n, live, fresh, |place, event| {
        let Some(task) = mem::take(place) else { return };
        *place = Some(task.apply(event, at).unwrap_or_else(|task| task));
    })
}
