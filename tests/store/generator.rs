//! Random changes of a store: few ids, and all fields of records and statuses.

use onward::agent::policy::Backoff;
use onward::agent::store::{NextTask, StoreChange, StoredTask, TaskRecord};
use onward::agent::{AssignedTask, Policy};
use onward::lifecycle::{ContainerStatus, PortConfig, Protocol, PublishMode};
use onward::{Assignment, TaskState, TaskStatus};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::time::Duration;
use time::UtcDateTime;

fn id() -> impl Strategy<Value = String> {
    select(vec!["", "a", "b", "c", "\u{1f980}/\0\""]).prop_map(String::from)
}

fn state() -> impl Strategy<Value = TaskState> {
    select(TaskState::ALL.as_slice())
}

fn definition() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter("a number", |number| number.is_finite());
    (".{0,4}", number, any::<i64>(), any::<u64>()).prop_map(|(text, float, signed, unsigned)| {
        json!({ "text": text, "float": float, "numbers": [signed, unsigned, null] })
    })
}

/// None, or a number of milliseconds.
fn deadline() -> impl Strategy<Value = Option<Duration>> {
    option::of(any::<u64>().prop_map(Duration::from_millis))
}

prop_compose! {
    fn policy()(
        initial in any::<u64>(),
        factor in 1.0..f64::MAX,
        jitter in 0.0..=1.0,
        controller in deadline(),
        prepare in deadline(),
        start in deadline(),
        update in deadline(),
        grace in deadline(),
        remove in deadline(),
        inspect in deadline(),
        shutdown_before_removal in any::<bool>(),
    ) -> Policy {
        let (initial, max) = (Duration::from_millis(initial), Duration::from_millis(u64::MAX));
        let backoff = Backoff::new(initial, max).with_factor(factor).unwrap();
        Policy::default()
            .with_backoff(backoff.with_jitter(jitter).unwrap())
            .with_controller_deadline(controller)
            .with_prepare_deadline(prepare)
            .with_start_deadline(start)
            .with_update_deadline(update)
            .with_shutdown_grace(grace)
            .with_remove_deadline(remove)
            .with_inspect_deadline(inspect)
            .with_shutdown_before_removal(shutdown_before_removal)
    }
}

prop_compose! {
    fn assignment(id: String)(
        state in state(),
        definition in definition(),
        service in option::of(".{0,3}"),
    ) -> Assignment<Value> {
        let assignment = Assignment::new(id.clone(), definition).with_desired_state(state);
        match service {
            Some(service) => assignment.with_service_id(service),
            None => assignment,
        }
    }
}

prop_compose! {
    fn record_of(id: String)(
        wanted in assignment(id.clone()).boxed(),
        policy in option::of(policy().boxed()),
        removing in any::<bool>(),
        next in option::of((assignment(id.clone()).boxed(), option::of(policy().boxed()))),
        applied in option::of(assignment(id.clone()).boxed()),
    ) -> TaskRecord<Value> {
        let mut record = TaskRecord::new(wanted);
        record.policy = policy.map(Into::into);
        record.removing = removing;
        record.next = next.map(|(assignment, policy)| Box::new(next_task(assignment, policy)));
        record.applied = applied.map(Into::into);
        record
    }
}

fn next_task(assignment: Assignment<Value>, policy: Option<Policy>) -> NextTask<Value> {
    let task = AssignedTask::from(assignment);
    match policy {
        Some(policy) => task.with_policy(policy).into(),
        None => task.into(),
    }
}

fn record() -> impl Strategy<Value = TaskRecord<Value>> {
    id().prop_flat_map(|id| record_of(id).boxed())
}

prop_compose! {
    fn status()(
        state in state(),
        // From the year 1971 to 9999.
        timestamp in option::of(31_536_001..253_402_300_800_i64),
        message in ".{0,5}",
        err in ".{0,5}",
        container in option::of((".{1,3}", option::of(any::<i32>()), option::of(-1..2))),
        ports in vec((".{0,3}", any::<u16>(), any::<u16>()), 0..3),
    ) -> TaskStatus {
        let mut status = TaskStatus::new(state);
        let time = |seconds| UtcDateTime::from_unix_timestamp(seconds).unwrap();
        status.timestamp = timestamp.map(time).filter(|time| time.ordinal() != 1);
        status.message = message.into();
        status.err = Some(err).filter(|err| !err.is_empty()).map(Into::into);
        status.container_status = container
            .map(|(container_id, pid, exit_code)| ContainerStatus { container_id, pid, exit_code });
        let port = |(name, target_port, published_port)| {
            let (protocol, publish_mode) = (Protocol::Udp, PublishMode::Host);
            PortConfig { name, protocol, target_port, published_port, publish_mode }
        };
        status.port_status = ports.into_iter().map(port).collect();
        status
    }
}

/// The changes of one commit.
pub(crate) fn changes() -> impl Strategy<Value = Vec<StoreChange<Value>>> {
    let change = prop_oneof![
        3 => record().boxed().prop_map(|record| StoreChange::Record(record.into())).boxed(),
        3 => (id(), status().boxed()).prop_map(|(id, status)| StoreChange::Status { id: id.into(), status: status.into() }),
        2 => (record().boxed(), option::of(status().boxed()))
            .prop_map(|(record, status)| StoreChange::Replace(StoredTask::new(record, status)))
            .boxed(),
        1 => id().prop_map(|id| StoreChange::Delete { id: id.into() }),
    ];
    vec(change, 0..6)
}
