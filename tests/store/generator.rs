//! Changes to a store, at random: few ids, and everything a record and a status can
//! say.

use onward::agent::{Policy, StoreChange, TaskRecord};
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

fn policy() -> impl Strategy<Value = Policy> {
    (any::<u64>(), 1.0..f64::MAX, 0.0..=1.0, any::<u64>()).prop_map(
        |(initial, factor, jitter, grace)| {
            let (initial, max) = (Duration::from_millis(initial), Duration::from_millis(u64::MAX));
            let grace =
                Some(Duration::from_millis(grace)).filter(|grace| grace.subsec_millis() != 0);
            Policy::default()
                .with_retry(initial, max, factor)
                .with_jitter(jitter)
                .with_shutdown_grace(grace)
        },
    )
}

prop_compose! {
    fn record_of(id: String)(
        version in any::<u64>(),
        state in state(),
        definition in definition(),
        service in option::of(".{0,3}"),
        policy in option::of(policy()),
        removing in any::<bool>(),
    ) -> TaskRecord<Value> {
        let assignment = Assignment::new(id.clone(), definition);
        let assignment = assignment.with_version(version).with_desired_state(state);
        let mut record = TaskRecord::new(match service {
            Some(service) => assignment.with_service_id(service),
            None => assignment,
        });
        record.policy = policy;
        record.removing = removing;
        record
    }
}

fn record() -> impl Strategy<Value = TaskRecord<Value>> {
    id().prop_flat_map(|id| (record_of(id.clone()), option::of(record_of(id)))).prop_map(
        |(mut record, successor)| {
            record.successor = successor.map(Box::new);
            record
        },
    )
}

prop_compose! {
    fn status()(
        state in state(),
        // From the year 1971 to 9999.
        timestamp in option::of(31_536_001..253_402_300_800_i64),
        message in ".{0,5}",
        err in ".{0,5}",
        container in option::of((".{1,3}", any::<i32>(), any::<i32>())),
        ports in vec((".{0,3}", any::<u16>(), any::<u16>()), 0..3),
    ) -> TaskStatus {
        let mut status = TaskStatus::new(state);
        let time = |seconds| UtcDateTime::from_unix_timestamp(seconds).unwrap();
        status.timestamp = timestamp.map(time).filter(|time| time.ordinal() != 1);
        status.message = message.into();
        status.err = Some(err).filter(|err| !err.is_empty()).map(Into::into);
        // A stored 0 is an exit code if the task is complete; else it is not known.
        let known = |number: i32| Some(number).filter(|number| *number != 0);
        let unknown = (state == TaskState::Complete).then_some(0);
        status.container_status =
            container.map(|(container_id, pid, exit_code)| ContainerStatus {
                container_id,
                pid: known(pid),
                exit_code: known(exit_code).or(unknown),
            });
        let port = |(name, target_port, published_port)| {
            let (protocol, publish_mode) = (Protocol::Udp, PublishMode::Host);
            PortConfig { name, protocol, target_port, published_port, publish_mode }
        };
        status.port_status = ports.into_iter().map(port).collect();
        status
    }
}

/// What is committed at once.
pub(crate) fn changes() -> impl Strategy<Value = Vec<StoreChange<Value>>> {
    let change = prop_oneof![
        3 => record().prop_map(StoreChange::Record),
        3 => (id(), status()).prop_map(|(id, status)| StoreChange::Status { id: id.into(), status }),
        1 => id().prop_map(|id| StoreChange::Delete { id: id.into() }),
    ];
    vec(change, 0..6)
}
