//! One life, NEW to COMPLETE in eight transitions, with each machine. The compiler cannot optimize
//! across transitions, so no write is left out because the next transition overwrites it.

use super::record::{At, Record, at};
use super::{plain, rust_fsm, smlang, statig, statum};
use crate::workload::lives;
use std::hint::black_box;
use std::mem;
use std::time::Duration;

/// The common part of the others: eight calls, each with an event and a time.
pub(crate) fn nothing(n: u64, live: bool) -> Duration {
    #[inline(never)]
    fn apply(_: &mut At, _: plain::Event, _: At) {
        black_box(());
    }
    lives(n, live, at, |task| {
        use plain::Event;
        let at = black_box(at());
        apply(task, black_box(Event::Allocated), at);
        apply(task, black_box(Event::Assigned), at);
        apply(task, black_box(Event::Accepted), at);
        apply(task, black_box(Event::Preparing), at);
        apply(task, black_box(Event::Prepared), at);
        apply(task, black_box(Event::Starting), at);
        apply(task, black_box(Event::Started), at);
        apply(task, black_box(Event::Finished), at);
    })
}

pub(crate) fn plain(n: u64, live: bool) -> Duration {
    #[inline(never)]
    fn apply(task: &mut plain::Task, event: plain::Event, at: At) -> bool {
        task.apply(event, at)
    }
    lives(n, live, plain::Task::new, |task| {
        use plain::Event;
        let at = black_box(at());
        apply(task, black_box(Event::Allocated), at);
        apply(task, black_box(Event::Assigned), at);
        apply(task, black_box(Event::Accepted), at);
        apply(task, black_box(Event::Preparing), at);
        apply(task, black_box(Event::Prepared), at);
        apply(task, black_box(Event::Starting), at);
        apply(task, black_box(Event::Started), at);
        apply(task, black_box(Event::Finished), at);
    })
}

pub(crate) fn statig(n: u64, live: bool) -> Duration {
    use ::statig::blocking::{InitializedStateMachine, IntoStateMachineExt as _};
    use statig::Event;
    type Machine = InitializedStateMachine<statig::Task>;

    #[inline(never)]
    fn apply(task: &mut Machine, event: &Event) {
        task.handle(event);
    }
    let fresh = || statig::Task::default().uninitialized_state_machine().init();
    lives(n, live, fresh, |task| {
        let at = black_box(at());
        apply(task, &black_box(Event::Allocated(at)));
        apply(task, &black_box(Event::Assigned(at)));
        apply(task, &black_box(Event::Accepted(at)));
        apply(task, &black_box(Event::Preparing(at)));
        apply(task, &black_box(Event::Prepared(at)));
        apply(task, &black_box(Event::Starting(at)));
        apply(task, &black_box(Event::Started(at)));
        apply(task, &black_box(Event::Finished(at)));
    })
}

pub(crate) fn rust_fsm(n: u64, live: bool) -> Duration {
    use rust_fsm::Input;

    #[inline(never)]
    fn apply(task: &mut rust_fsm::Task, event: Input, at: At) -> bool {
        task.apply(event, at)
    }
    lives(n, live, rust_fsm::Task::new, |task| {
        let at = black_box(at());
        apply(task, black_box(Input::Allocated), at);
        apply(task, black_box(Input::Assigned), at);
        apply(task, black_box(Input::Accepted), at);
        apply(task, black_box(Input::Preparing), at);
        apply(task, black_box(Input::Prepared), at);
        apply(task, black_box(Input::Starting), at);
        apply(task, black_box(Input::Started), at);
        apply(task, black_box(Input::Finished), at);
    })
}

pub(crate) fn smlang(n: u64, live: bool) -> Duration {
    use smlang::Events;

    #[inline(never)]
    fn apply(task: &mut smlang::Task, event: Events) -> bool {
        task.process_event(event).is_ok()
    }
    lives(
        n,
        live,
        || smlang::Task::new(Record::default()),
        |task| {
            let at = black_box(at());
            apply(task, black_box(Events::Allocated(at)));
            apply(task, black_box(Events::Assigned(at)));
            apply(task, black_box(Events::Accepted(at)));
            apply(task, black_box(Events::Preparing(at)));
            apply(task, black_box(Events::Prepared(at)));
            apply(task, black_box(Events::Starting(at)));
            apply(task, black_box(Events::Started(at)));
            apply(task, black_box(Events::Finished(at)));
        },
    )
}

fn new_statum() -> statum::Task<statum::New> {
    statum::Task::<statum::New>::builder().record(Box::default()).build()
}

pub(crate) fn statum_typed(n: u64, live: bool) -> Duration {
    type Ends = (Option<statum::Task<statum::New>>, Option<statum::Task<statum::Complete>>);

    let fresh = || -> Ends { (Some(new_statum()), None) };
    lives(n, live, fresh, |(new, complete)| {
        let Some(task) = new.take() else { return };
        let at = black_box(at());
        let task = black_box(task.allocated(at));
        let task = black_box(task.assigned(at));
        let task = black_box(task.accepted(at));
        let task = black_box(task.preparing(at));
        let task = black_box(task.prepared(at));
        let task = black_box(task.starting(at));
        let task = black_box(task.started(at));
        *complete = Some(task.finished(at));
    })
}

pub(crate) fn statum_any(n: u64, live: bool) -> Duration {
    use plain::Event;
    use statum::AnyTask;

    #[inline(never)]
    fn apply(task: AnyTask, event: Event, at: At) -> AnyTask {
        task.apply(event, at).unwrap_or_else(|task| task)
    }
    let fresh = || Some(AnyTask::New(new_statum()));
    lives(n, live, fresh, |place| {
        let Some(task) = mem::take(place) else { return };
        let at = black_box(at());
        let task = apply(task, black_box(Event::Allocated), at);
        let task = apply(task, black_box(Event::Assigned), at);
        let task = apply(task, black_box(Event::Accepted), at);
        let task = apply(task, black_box(Event::Preparing), at);
        let task = apply(task, black_box(Event::Prepared), at);
        let task = apply(task, black_box(Event::Starting), at);
        let task = apply(task, black_box(Event::Started), at);
        *place = Some(apply(task, black_box(Event::Finished), at));
    })
}
