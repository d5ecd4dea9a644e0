//! What holds whatever happens, in whatever order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

use futures::FutureExt;
use onward::exec::{Controller, ControllerError, ErrorKind, Outcome, step};
use onward::lifecycle::{
    AnyTask, ContainerStatus, EDGES, Event, Failure, PortConfig, PortStatus, Protocol, PublishMode,
    TaskState, TaskStatus,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use time::{Duration, UtcDateTime};

fn state() -> impl Strategy<Value = TaskState> {
    select(TaskState::ALL.as_slice())
}

fn container_status() -> impl Strategy<Value = ContainerStatus> {
    (".{0,3}", any::<i32>(), any::<i32>())
        .prop_map(|(container_id, pid, exit_code)| ContainerStatus { container_id, pid, exit_code })
}

fn port() -> impl Strategy<Value = PortConfig> {
    let protocol = select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    let mode = select(vec![PublishMode::Ingress, PublishMode::Host]);
    (".{0,3}", protocol, any::<u16>(), any::<u16>(), mode).prop_map(
        |(name, protocol, target_port, published_port, publish_mode)| PortConfig {
            name,
            protocol,
            target_port,
            published_port,
            publish_mode,
        },
    )
}

fn time() -> impl Strategy<Value = UtcDateTime> {
    // From the year 1971 to 9999: what is no sentinel for «no time».
    (31_536_000..253_402_300_800_i64, 0..1_000_000_000_i64).prop_map(|(seconds, nanoseconds)| {
        UtcDateTime::UNIX_EPOCH + Duration::seconds(seconds) + Duration::nanoseconds(nanoseconds)
    })
}

prop_compose! {
    fn status()(
        state in state(),
        timestamp in option::of(time()),
        message in ".{0,5}",
        err in ".{0,5}",
        container_status in option::of(container_status()),
        ports in vec(port(), 0..3),
    ) -> TaskStatus {
        let mut status = TaskStatus::new(state);
        status.timestamp = timestamp;
        status.message = message.into();
        status.err = err.into();
        status.container_status = container_status.filter(|status| !status.is_empty());
        status.port_status = PortStatus { ports };
        status
    }
}

prop_compose! {
    fn failure()(
        err in ".{0,5}",
        exit_code in any::<i32>(),
        container_status in option::of(container_status()),
    ) -> Box<Failure> {
        let failure = Failure::new(err).with_exit_code(exit_code);
        Box::new(match container_status {
            Some(status) => failure.with_container_status(status),
            None => failure,
        })
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        select(vec![
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
        ]),
        failure().prop_map(Event::Failed),
        failure().prop_map(Event::Unresolved),
        failure().prop_map(Event::Delayed),
        failure().prop_map(Event::Interrupted),
    ]
}

/// A status without its time.
fn timeless(task: &AnyTask) -> TaskStatus {
    let mut status = task.status();
    status.timestamp = None;
    status
}

proptest! {
    #[test]
    fn whatever_happens_the_number_never_falls_and_what_is_refused_has_no_edge(
        status in status(),
        events in vec((event(), time()), 1..40),
    ) {
        let mut task = AnyTask::resume(status);
        for (event, at) in events {
            let before = task.status();
            let leads_to = event.kind().leads_to(before.state);
            match task.advance(event, at) {
                Ok(()) => {
                    prop_assert!(task.state() >= before.state);
                    if task.state() != before.state {
                        let edge = (before.state, task.state());
                        prop_assert!(EDGES.iter().any(|row| (row.from, row.to) == edge));
                        prop_assert_eq!(leads_to, Some(task.state()));
                    }
                }
                Err(refused) => {
                    prop_assert_eq!(refused.from, before.state);
                    prop_assert!(leads_to.is_none_or(|to| !before.state.can_become(to)));
                    prop_assert_eq!(task.status(), before);
                }
            }
        }
    }

    #[test]
    fn the_time_is_renewed_exactly_when_anything_else_has_changed(
        status in status(),
        event in event(),
        at in time(),
    ) {
        prop_assume!(status.timestamp != Some(at));
        let mut task = AnyTask::resume(status.clone());
        let before = timeless(&task);
        _ = task.advance(event, at);
        let changed = timeless(&task) != before;
        prop_assert_eq!(task.timestamp(), if changed { Some(at) } else { status.timestamp });
    }

    #[test]
    fn a_status_survives_its_json_and_its_task(status in status()) {
        let json = serde_json::to_string(&status).unwrap();
        prop_assert_eq!(&serde_json::from_str::<TaskStatus>(&json).unwrap(), &status);
        prop_assert_eq!(AnyTask::resume(status.clone()).status(), status);
    }

    #[test]
    fn reports_in_any_order_never_take_a_task_back(
        here in status(),
        reports in vec(status(), 1..20),
    ) {
        let mut task = AnyTask::resume(here);
        for reported in reports {
            let before = task.state();
            _ = task.observe(&reported);
            prop_assert!(task.state() >= before);
            prop_assert!(!before.is_terminal() || task.state() == before);
        }
    }

    #[test]
    fn no_bytes_make_the_reading_of_a_status_panic(bytes in vec(any::<u8>(), 0..200)) {
        _ = serde_json::from_slice::<TaskStatus>(&bytes);
    }

    #[test]
    fn every_prefix_of_a_status_is_refused(status in status(), cut in any::<prop::sample::Index>()) {
        let json = serde_json::to_vec(&status).unwrap();
        let half = &json[..cut.index(json.len())];
        prop_assert!(serde_json::from_slice::<TaskStatus>(half).is_err());
    }

    #[test]
    fn whatever_a_controller_answers_a_step_keeps_the_promises(
        status in status(),
        script in vec((state(), answer(), answer()), 1..30),
    ) {
        let mut task = AnyTask::resume(status);
        for (desired, operation, inquiry) in script {
            let before = task.state();
            let mut controller = Scripted { operation, inquiry, calls: 0 };
            let clock = || UtcDateTime::UNIX_EPOCH;
            let outcome = step(&mut task, desired, &mut controller, &clock).now_or_never().unwrap();
            prop_assert!(controller.calls <= 1);
            prop_assert!(task.state() >= before);
            prop_assert!(!before.is_terminal() || controller.calls == 0);
            match outcome {
                Outcome::Advanced => prop_assert!(before.can_become(task.state())),
                Outcome::Dead => prop_assert!(before.is_terminal()),
                Outcome::Noop => prop_assert!(!before.is_terminal() && controller.calls == 0),
                Outcome::Retry => prop_assert!(operation.is_some()),
            }
        }
    }
}

type Script = Option<(ErrorKind, bool, i32)>;

fn answer() -> impl Strategy<Value = Script> {
    let kinds = [
        ErrorKind::Failure,
        ErrorKind::AlreadyPrepared,
        ErrorKind::AlreadyStarted,
        ErrorKind::UpdateRejected,
        ErrorKind::Closed,
        ErrorKind::Interrupted,
    ];
    option::of((select(kinds.to_vec()), any::<bool>(), any::<i32>()))
}

struct Scripted {
    operation: Script,
    inquiry: Script,
    calls: usize,
}

impl Scripted {
    fn call(&mut self) -> Result<(), ControllerError> {
        self.calls += 1;
        self.operation.map_or(Ok(()), |script| Err(error(script)))
    }
}

fn error((kind, temporary, exit_code): (ErrorKind, bool, i32)) -> ControllerError {
    let error = ControllerError::of_kind(kind, "scripted").with_exit_code(exit_code);
    if temporary { error.temporary() } else { error }
}

impl Controller for Scripted {
    type Definition = ();

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.call()
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        self.call()
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.call()
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.call()
    }
    async fn inspect(&mut self) -> onward::exec::Inspection {
        let answer =
            self.inquiry.map_or(Ok(ContainerStatus::default()), |script| Err(error(script)));
        onward::exec::Inspection::default().with_container_status(answer)
    }
}
