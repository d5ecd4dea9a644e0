//! `proptest` strategies for states, statuses, events, scripts and scenarios.
//!
//! ```
//! use onward::AnyTask;
//! use onward::testing::strategy;
//! use proptest::prelude::*;
//! use time::UtcDateTime;
//!
//! proptest! {
//!     # #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
//!     # /*
//!     #[test]
//!     # */
//!     fn what_is_refused_changes_nothing((status, event) in strategy::illegal_move()) {
//!         let mut task = AnyTask::resume(status.clone());
//!         prop_assert!(task.advance(event, UtcDateTime::UNIX_EPOCH).is_err());
//!         prop_assert_eq!(task.status(), status);
//!     }
//! }
//! # what_is_refused_changes_nothing();
//! ```

use super::scenario::{Request, Scenario};
use super::script::{Behavior, Script};
use crate::exec::{Assignment, Call, ControllerError, ErrorKind, Inspection};
use crate::lifecycle::{
    AnyTask, ContainerStatus, Event, Failure, PortConfig, PortStatus, Protocol, PublishMode,
    TaskState, TaskStatus,
};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use proptest::collection::vec as vec_of;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use time::UtcDateTime;

/// Any of the fourteen states.
pub fn task_state() -> impl Strategy<Value = TaskState> {
    select(TaskState::ALL.as_slice())
}

/// A path along the edges of the table, from NEW to any state, both ends included.
pub fn path() -> impl Strategy<Value = Vec<TaskState>> {
    vec_of(any::<Index>(), 0..=9).prop_map(|turns| {
        let mut path = vec![TaskState::New];
        let mut state = TaskState::New;
        for turn in turns {
            let successors: Vec<_> = state.successors().collect();
            let Some(next) = successors.get(turn.index(successors.len().max(1))) else { break };
            state = *next;
            path.push(state);
        }
        path
    })
}

/// A status, and an event that a task with this status refuses.
pub fn illegal_move() -> impl Strategy<Value = (TaskStatus, Event)> {
    (task_status(), event()).prop_filter("a legal move", |(status, event)| {
        let at = UtcDateTime::UNIX_EPOCH;
        AnyTask::resume(status.clone()).apply(event.clone(), at).is_err()
    })
}

/// A time that can be stored: from the year 1971 to 9999.
///
/// Earlier years contain times that mean "no time" in the JSON form.
pub fn timestamp() -> impl Strategy<Value = UtcDateTime> {
    (31_536_000..253_402_300_800_i64, 0..1_000_000_000_i64).prop_map(|(seconds, nanoseconds)| {
        UtcDateTime::UNIX_EPOCH
            + time::Duration::seconds(seconds)
            + time::Duration::nanoseconds(nanoseconds)
    })
}

/// Any text of a few letters, of any script.
fn text() -> impl Strategy<Value = String> {
    vec_of(any::<char>(), 0..5).prop_map(|letters| letters.into_iter().collect())
}

/// Any container status, including an empty one. The pid is never 0.
pub fn container_status() -> impl Strategy<Value = ContainerStatus> {
    let pid = any::<i32>().prop_map(|pid| Some(pid).filter(|pid| *pid != 0));
    let exit_code = prop_oneof![1 => Just(Some(0)), 4 => option::of(any::<i32>())];
    (text(), pid, exit_code).prop_map(|(container_id, pid, exit_code)| ContainerStatus {
        container_id,
        pid,
        exit_code,
    })
}

/// Any port status that a controller can return.
pub fn port_status() -> impl Strategy<Value = PortStatus> {
    let protocol = select(&[Protocol::Tcp, Protocol::Udp, Protocol::Sctp][..]);
    let mode = select(&[PublishMode::Ingress, PublishMode::Host][..]);
    let port = (text(), protocol, any::<u16>(), any::<u16>(), mode).prop_map(
        |(name, protocol, target_port, published_port, publish_mode)| PortConfig {
            name,
            protocol,
            target_port,
            published_port,
            publish_mode,
        },
    );
    vec_of(port, 0..3).prop_map(|ports| PortStatus { ports })
}

/// Any status in any state, with values that
/// [`stored_status`](crate::lifecycle::stored_status) can store and read again.
pub fn task_status() -> impl Strategy<Value = TaskStatus> {
    let container = option::of(container_status());
    (task_state(), option::of(timestamp()), text(), text(), container, port_status()).prop_map(
        |(state, timestamp, message, err, container_status, port_status)| TaskStatus {
            timestamp,
            state,
            message: message.into(),
            err: Some(err).filter(|err| !err.is_empty()).map(Into::into),
            container_status: container_status.filter(|status| !status.is_empty()),
            port_status,
        },
    )
}

/// Any failure.
pub fn failure() -> impl Strategy<Value = Failure> {
    (text(), any::<i32>(), option::of(container_status())).prop_map(
        |(err, exit_code, container_status)| {
            let failure = Failure::new(err).with_exit_code(exit_code);
            match container_status {
                Some(status) => failure.with_container_status(status),
                None => failure,
            }
        },
    )
}

/// Any event, whether it is legal in a given state or not.
pub fn event() -> impl Strategy<Value = Event> {
    let plain = [
        Event::Allocated,
        Event::Assigned,
        Event::Accepted,
        Event::Preparing,
        Event::Prepared,
        Event::Starting,
        Event::Started,
        Event::Finished,
        Event::ShutDown,
        Event::Terminated,
        Event::Orphaned,
    ];
    let failure = || failure().prop_map(Box::new);
    prop_oneof![
        4 => select(plain.to_vec()),
        1 => failure().prop_map(Event::Failed),
        1 => failure().prop_map(Event::Unresolved),
        1 => failure().prop_map(Event::Delayed),
        1 => failure().prop_map(Event::Interrupted),
    ]
}

/// Any controller error, wrapped or not.
pub fn controller_error() -> impl Strategy<Value = ControllerError> {
    let kinds = [
        ErrorKind::Failure,
        ErrorKind::AlreadyPrepared,
        ErrorKind::AlreadyStarted,
        ErrorKind::UpdateRejected,
        ErrorKind::Closed,
        ErrorKind::Interrupted,
    ];
    let parts = (select(kinds.to_vec()), any::<bool>(), failure(), 0..4_u8);
    parts.prop_map(|(kind, temporary, failure, wrapping)| {
        let exit_code = failure.exit_code.map_or(0, i32::from);
        let mut error = ControllerError::of_kind(kind, failure.err).with_exit_code(exit_code);
        if let Some(status) = failure.container_status {
            error = error.with_container_status(status);
        }
        if temporary {
            error = error.temporary();
        }
        match wrapping {
            0 => error,
            1 => ControllerError::wrap(std::io::Error::other(error)),
            2 => ControllerError::new("outer").with_source(error),
            _ => ControllerError::new("outer").with_source(std::io::Error::other(error)),
        }
    })
}

/// The behavior of one call: at once or delayed; success, failure, hang or panic.
pub fn behavior() -> impl Strategy<Value = Behavior> {
    let inspection = (option::of(container_status()), option::of(port_status())).prop_map(
        |(container_status, port_status)| {
            let mut inspection = Inspection::default();
            if let Some(status) = container_status {
                inspection = inspection.with_container_status(status);
            }
            if let Some(status) = port_status {
                inspection = inspection.with_port_status(status);
            }
            inspection
        },
    );
    let ends = prop_oneof![
        8 => inspection.prop_map(Behavior::returns),
        7 => controller_error().prop_map(Behavior::fails),
        1 => text().prop_map(Behavior::panics),
    ];
    let ended = (ends, 0..3_u8, 0..5_u32, duration());
    prop_oneof![
        9 => ended.prop_map(|(behavior, takes, polls, time)| match takes {
            0 => behavior,
            1 => behavior.after_polls(polls),
            _ => behavior.after(time),
        }),
        1 => Just(Behavior::hangs()),
    ]
}

/// A duration from zero to one minute. Short ones are frequent.
fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![0..20_u64, 0..60_000_u64].prop_map(Duration::from_millis)
}

/// A script with any behavior. Only `close` always returns, so that every driver ends.
pub fn script() -> impl Strategy<Value = Script> {
    const CALLS: [Call; 8] = [
        Call::Update,
        Call::Prepare,
        Call::Start,
        Call::Wait,
        Call::Shutdown,
        Call::Terminate,
        Call::Remove,
        Call::Inspect,
    ];
    vec_of(vec_of(behavior(), 0..4), CALLS.len()).prop_map(|behaviors| {
        let said = CALLS.into_iter().zip(behaviors);
        said.fold(Script::new(), |script, (call, behaviors)| script.with(call, behaviors))
    })
}

/// A scenario of a few minutes with definitions of your strategy.
///
/// Desired states rise and fall, requests are repeated, and some requests must be refused.
/// The last request closes the driver, so that every driver ends.
pub fn scenario<D: Clone + PartialEq + core::fmt::Debug>(
    definition: impl Strategy<Value = D> + Clone + 'static,
) -> impl Strategy<Value = Scenario<D>> {
    let desired = select(
        &[TaskState::Accepted, TaskState::Ready, TaskState::Running, TaskState::Shutdown][..],
    );
    let ids = prop_oneof![9 => Just("t"), 1 => Just("other")];
    let update =
        (ids, definition.clone(), desired.clone()).prop_map(|(id, definition, desired)| {
            Request::Update(Assignment::new(id, definition).with_desired_state(desired))
        });
    let request = prop_oneof![9 => update, 1 => Just(Request::Remove)];
    let requests = vec_of((duration(), request), 0..8);
    (definition, desired, requests).prop_map(|(definition, desired, mut requests)| {
        requests.push((Duration::from_secs(300), Request::Close));
        let assignment = Assignment::new("t", definition).with_desired_state(desired);
        Scenario::new(assignment, requests)
    })
}
