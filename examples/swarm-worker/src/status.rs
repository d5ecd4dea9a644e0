//! Statuses of tasks as messages, and back.

use std::time::Duration;

use onward::lifecycle::{
    ContainerStatus, PortConfig, PortStatus, Protocol, PublishMode, TaskState, TaskStatus,
};
use prost_types::Timestamp;
use time::UtcDateTime;

use crate::wire;
use crate::wire::port_config::{Protocol as WireProtocol, PublishMode as WireMode};
use crate::wire::task_status::RuntimeStatus;

/// Returns the message for this status. `applied_by` and `applied_at` are left out: the manager
/// fills them in.
///
/// A task that has not ended has the exit code 0, never -1.
#[must_use]
pub fn to_wire(status: &TaskStatus) -> wire::TaskStatus {
    let has_ended = status.state.is_terminal();
    wire::TaskStatus {
        timestamp: status.timestamp.map(timestamp),
        state: status.state.number(),
        message: status.message.clone().into_owned(),
        err: status.err.clone().unwrap_or_default().into_owned(),
        runtime_status: status
            .container_status
            .as_ref()
            .map(|container| RuntimeStatus::Container(container_to_wire(container, has_ended))),
        port_status: (!status.port_status.is_empty()).then(|| wire::PortStatus {
            ports: status.port_status.ports.iter().map(port_to_wire).collect(),
        }),
        applied_by: String::new(),
        applied_at: None,
    }
}

/// Returns the status in this message, or `None` if its state is not known.
///
/// The exit code counts only if the task has ended. A port without a number is left out.
#[must_use]
pub fn from_wire(status: &wire::TaskStatus) -> Option<TaskStatus> {
    let state = TaskState::try_from(status.state).ok()?;
    let mut read = TaskStatus::new(state);
    read.timestamp = status.timestamp.as_ref().and_then(time_of);
    read.message = status.message.clone().into();
    read.err =
        Some(status.err.clone().into()).filter(|err: &std::borrow::Cow<str>| !err.is_empty());
    if let Some(RuntimeStatus::Container(container)) = &status.runtime_status {
        read.container_status = Some(container_from_wire(container, state.is_terminal()))
            .filter(|container| !container.is_empty());
    }
    let ports = status.port_status.iter().flat_map(|ports| &ports.ports);
    read.port_status = ports.filter_map(port_from_wire).collect::<PortStatus>();
    Some(read)
}

fn container_to_wire(container: &ContainerStatus, has_ended: bool) -> wire::ContainerStatus {
    wire::ContainerStatus {
        container_id: container.container_id.clone(),
        pid: container.pid.unwrap_or(0),
        exit_code: container.exit_code.filter(|_| has_ended).unwrap_or(0),
    }
}

fn container_from_wire(container: &wire::ContainerStatus, has_ended: bool) -> ContainerStatus {
    let wire::ContainerStatus { container_id, pid, exit_code } = container;
    ContainerStatus {
        container_id: container_id.clone(),
        pid: Some(*pid).filter(|pid| *pid != 0),
        exit_code: Some(*exit_code).filter(|_| has_ended),
    }
}

fn port_to_wire(port: &PortConfig) -> wire::PortConfig {
    let protocol = match port.protocol {
        Protocol::Tcp => WireProtocol::Tcp,
        Protocol::Udp => WireProtocol::Udp,
        Protocol::Sctp => WireProtocol::Sctp,
    };
    let mode = match port.publish_mode {
        PublishMode::Ingress => WireMode::Ingress,
        PublishMode::Host => WireMode::Host,
    };
    wire::PortConfig {
        name: port.name.clone(),
        protocol: protocol.into(),
        target_port: port.target_port.into(),
        published_port: port.published_port.into(),
        publish_mode: mode.into(),
    }
}

fn port_from_wire(port: &wire::PortConfig) -> Option<PortConfig> {
    Some(PortConfig {
        name: port.name.clone(),
        protocol: protocol(port)?,
        target_port: port.target_port.try_into().ok()?,
        published_port: port.published_port.try_into().ok()?,
        publish_mode: match WireMode::try_from(port.publish_mode).ok()? {
            WireMode::Ingress => PublishMode::Ingress,
            WireMode::Host => PublishMode::Host,
        },
    })
}

/// Returns the protocol of a port, or `None` if it is not known.
pub(crate) fn protocol(port: &wire::PortConfig) -> Option<Protocol> {
    Some(match WireProtocol::try_from(port.protocol).ok()? {
        WireProtocol::Tcp => Protocol::Tcp,
        WireProtocol::Udp => Protocol::Udp,
        WireProtocol::Sctp => Protocol::Sctp,
    })
}

pub(crate) fn timestamp(time: UtcDateTime) -> Timestamp {
    // Both are in bounds: there are less than 10^9 nanoseconds in a second.
    Timestamp {
        seconds: time.unix_timestamp(),
        nanos: i32::try_from(time.nanosecond()).unwrap_or(0),
    }
}

pub(crate) fn time_of(timestamp: &Timestamp) -> Option<UtcDateTime> {
    let Timestamp { seconds, nanos } = timestamp;
    let nanos = i128::from(*seconds) * 1_000_000_000 + i128::from(*nanos);
    UtcDateTime::from_unix_timestamp_nanos(nanos).ok()
}

/// Returns the duration, or `None` if it is negative. The conversion of `prost_types` overflows for
/// the smallest one.
pub(crate) fn duration_of(duration: &prost_types::Duration) -> Option<Duration> {
    let prost_types::Duration { seconds, nanos } = duration;
    let nanos = i128::from(*seconds) * 1_000_000_000 + i128::from(*nanos);
    let (seconds, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    Some(Duration::new(seconds.try_into().ok()?, nanos.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use time::macros::utc_datetime;

    use super::*;

    fn status(state: TaskState) -> TaskStatus {
        let mut status = TaskStatus::new(state);
        status.timestamp = Some(utc_datetime!(2026-11-28 9:09:57.757_277_257));
        status.message = "started".into();
        status.err = Some("task: non-zero exit (7)".into());
        status.container_status = Some(ContainerStatus {
            container_id: "abc".to_owned(),
            pid: Some(4711),
            exit_code: Some(7),
        });
        let port = |protocol, publish_mode| PortConfig {
            name: "http".to_owned(),
            protocol,
            target_port: 80,
            published_port: 8080,
            publish_mode,
        };
        status.port_status = PortStatus {
            ports: vec![
                port(Protocol::Tcp, PublishMode::Host),
                port(Protocol::Sctp, PublishMode::Ingress),
            ],
        };
        status
    }

    #[test]
    fn a_status_with_everything_survives_the_wire() {
        let status = status(TaskState::Failed);
        assert_eq!(from_wire(&to_wire(&status)), Some(status));
        let empty = TaskStatus::new(TaskState::Ready);
        assert_eq!(from_wire(&to_wire(&empty)), Some(empty));
    }

    #[test]
    fn only_a_task_that_has_ended_has_an_exit_code() {
        for state in TaskState::ALL {
            let mut status = status(state);
            for exit_code in [Some(7), Some(-1), None] {
                status.container_status.as_mut().unwrap().exit_code = exit_code;
                let Some(RuntimeStatus::Container(sent)) = to_wire(&status).runtime_status else {
                    panic!("{state}: no container")
                };
                let expected = if state.is_terminal() { exit_code.unwrap_or(0) } else { 0 };
                assert_eq!(sent.exit_code, expected, "{state}");
            }
        }
    }

    #[test]
    fn a_status_of_an_unknown_state_is_none() {
        assert_eq!(from_wire(&wire::TaskStatus { state: 7, ..Default::default() }), None);
    }

    #[test]
    fn a_time_out_of_range_is_no_time() {
        let far = Timestamp { seconds: i64::MAX, nanos: i32::MAX };
        let status = wire::TaskStatus { timestamp: Some(far), ..Default::default() };
        assert_eq!(from_wire(&status).unwrap().timestamp, None);
    }

    #[test]
    fn a_negative_duration_is_none() {
        let read = |seconds, nanos| duration_of(&prost_types::Duration { seconds, nanos });
        for (seconds, nanos) in [(-1, 0), (0, -1), (i64::MIN, 0), (i64::MIN, i32::MIN)] {
            assert_eq!(read(seconds, nanos), None, "{seconds} {nanos}");
        }
        assert_eq!(read(1, -1), Some(Duration::from_nanos(999_999_999)));
        assert_eq!(read(1, 2_000_000_000), Some(Duration::from_secs(3)));
        assert_eq!(read(i64::MAX, i32::MAX).unwrap().as_secs(), (1 << 63) + 1);
    }
}
